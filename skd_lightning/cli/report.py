"""``skd report``: all runs of a task compared."""

from __future__ import annotations

import argparse
from pathlib import Path

from skd_lightning.cli.command import Command, Options
from skd_lightning.cli.options import add_runs, add_task


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the runs and the folder to write to."""
    add_runs(parser)
    add_task(parser)
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="folder to write to (default: <runs>/<task>/report)"
    )


def run(options: Options, rest: list[str]) -> None:
    """Print the scores, and write tables, plots and the page."""
    from skd_lightning.report.write import write_report

    write_report(options.runs, options.task, options.out)


COMMAND = Command(
    "report",
    "collect all runs of a task into a table (mean and deviation over seeds) with plots",
    add_options,
    run,
)
