"""``skd corpus``: what a task's corpora hold."""

from __future__ import annotations

import argparse

from skd_lightning.cli.command import Command, Options
from skd_lightning.cli.options import add_plan, plan_of


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the plan's options and the file for the table."""
    add_plan(parser)
    parser.add_argument("--csv", metavar="FILE", help="write the table of the splits there, too")


def run(options: Options, rest: list[str]) -> None:
    """Print sizes, tags, repeated sentences and unknown words of what a student would be trained on."""
    plan = plan_of(options, rest)
    from skd_lightning.explore.corpus_tables import show
    from skd_lightning.runs.plan import student_data

    show(student_data(plan), options.csv)


COMMAND = Command(
    "corpus",
    "what a task's corpora hold: sizes, tags, repeated sentences, unknown words",
    add_options,
    run,
    passes_on=True,
)
