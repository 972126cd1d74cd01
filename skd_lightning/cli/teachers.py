"""``skd teachers``: one monolingual teacher a language."""

from __future__ import annotations

import argparse

from skd_lightning.cli.command import Command, Options
from skd_lightning.cli.options import add_anew, add_folds, add_plan, at_least, plan_of


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the plan's options and the devices."""
    add_plan(parser)
    add_anew(parser)
    parser.add_argument(
        "--devices",
        type=at_least(1),
        default=1,
        help="GPUs (processes, without any) of this machine: a teacher each, side by side (default: 1)",
    )
    add_folds(
        parser,
        "train so many more teachers a language, each without one part of the sentences, for skd distill --folds",
    )


def run(options: Options, rest: list[str]) -> None:
    """Train the teachers that are not trained yet, and print the task's table."""
    plan = plan_of(options, rest)
    from skd_lightning.report.write import print_scores
    from skd_lightning.runs import execution

    execution.train_teachers(plan, options.anew, options.devices, options.folds)
    if execution.first_process():
        print_scores(options.runs, options.task)


COMMAND = Command(
    "teachers",
    "train one monolingual teacher a language",
    add_options,
    run,
    passes_on=True,
    resumes=True,
)
