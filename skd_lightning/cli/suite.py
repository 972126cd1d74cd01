"""``skd suite``: a whole table of runs."""

from __future__ import annotations

import argparse
from pathlib import Path

from skd_lightning.cli.command import Command, Options
from skd_lightning.cli.options import add_data, at_least


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the suite's file and how it is run."""
    parser.add_argument("file", type=Path, help="such as experiments/suites/demo.yaml")
    add_data(parser)
    parser.add_argument("--jobs", type=at_least(1), default=1, help="runs at a time (default: 1)")
    parser.add_argument("--dry-run", action="store_true", help="print what would be run, and run nothing")
    parser.add_argument("--anew", action="store_true", help="what was stopped starts from scratch")


def run(options: Options, rest: list[str]) -> None:
    """Run what is not finished, and print the table of each task."""
    from skd_lightning.report.write import print_scores
    from skd_lightning.studies.suite import run_suite
    from skd_lightning.studies.suite_file import read_suite

    wanted = read_suite(options.file)
    run_suite(wanted, options.data, options.jobs, options.dry_run, options.anew)
    if not options.dry_run:
        for own in wanted.by_value().values():
            for task in own.tasks:
                print_scores(own.runs, task)


COMMAND = Command(
    "suite",
    "a whole table of runs from one YAML file: resumable, several at a time",
    add_options,
    run,
    resumes=True,
)
