"""``skd sweep-check``: every trial of a sweep is a command that is understood."""

from __future__ import annotations

import argparse
from pathlib import Path

from skd_lightning.cli.command import Command, Options
from skd_lightning.cli.distill import run_of


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the files."""
    parser.add_argument("files", nargs="+", type=Path, help="such as experiments/sweeps/learning_rates.yaml")


def run(options: Options, rest: list[str]) -> None:
    """Parse the trials of each file."""
    from skd_lightning.studies.sweep.check import check_sweeps

    check_sweeps(options.files, run_of)


COMMAND = Command(
    "sweep-check", "parse every trial of a hyperparameter sweep, and run none", add_options, run
)
