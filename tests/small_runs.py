"""Runs that take a moment, and commands that are refused: shared by the tests of the command line."""

import pytest

from skd_lightning.cli import main

SMALL = [
    *("--trainer.enable_progress_bar", "false"),
    *("--model.context.hidden_size", "8"),
    *("--model.embedder.buckets", "512"),
]
"""Options of a small tagger without a progress bar."""

QUICK = [*SMALL, "--trainer.max_epochs", "1"]
"""Options of its training of one epoch."""

ONE_EPOCH = ("--runs", "runs", "--task", "mine", "--data", ".", *QUICK)
"""Options of a training of one epoch on the corpus ``mine`` in the working folder."""


class Killed(BaseException):
    """Stands for the end of the process: nobody catches it."""


def refused(capsys: pytest.CaptureFixture, *words: str) -> str:
    """Run a command that has to end with status 2; return its one line of error."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        main([*words])
    assert stop.value.code == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("skd: error: ")]
    return line
