"""The table of commands, in the order of the help."""

from __future__ import annotations

from skd_lightning.cli import (
    corpus,
    demo,
    distill,
    export,
    job,
    lightning,
    report,
    suite,
    sweep_check,
    sweep_local,
    tag,
    teachers,
    vectors,
    zeroshot,
)

COMMANDS = {
    command.name: command
    for command in (
        demo.COMMAND,
        corpus.COMMAND,
        teachers.COMMAND,
        distill.COMMAND,
        suite.COMMAND,
        zeroshot.COMMAND,
        export.COMMAND,
        tag.COMMAND,
        vectors.COMMAND,
        report.COMMAND,
        sweep_check.COMMAND,
        sweep_local.COMMAND,
        *lightning.COMMANDS,
        job.COMMAND,
    )
}
