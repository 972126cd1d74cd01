"""``skd demo``: the whole way on a generated corpus."""

from __future__ import annotations

import argparse

from skd_lightning.cli.command import Command, Options
from skd_lightning.cli.options import add_anew, add_plan, plan_of
from skd_lightning.distillation.names import losses


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the plan's options and the objectives to compare."""
    add_plan(parser)
    add_anew(parser)
    parser.add_argument(
        "--losses",
        nargs="+",
        choices=losses(),
        default=["none", "topk", "posterior"],
        metavar="LOSS",
        help="objectives of the students (default: none topk posterior)",
    )


def run(options: Options, rest: list[str]) -> None:
    """Train teachers and students, and print them side by side."""
    plan = plan_of(options, rest)
    from skd_lightning.report.write import print_scores
    from skd_lightning.runs import execution

    execution.train_teachers(plan, options.anew)
    for loss in options.losses:
        execution.train(plan.student(loss, seed=1), options.anew)
    if execution.first_process():
        print_scores(options.runs, options.task)


COMMAND = Command(
    "demo",
    "teachers, baseline and students on a generated corpus, with a table: a few minutes",
    add_options,
    run,
    passes_on=True,
)
