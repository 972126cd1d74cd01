"""``skd distill``: one multilingual student."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from skd_lightning.cli.command import Command, Options
from skd_lightning.cli.options import add_anew, add_folds, add_plan, at_least, plan_of, variant
from skd_lightning.distillation.names import losses

if TYPE_CHECKING:
    from skd_lightning.runs.run import Run


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the plan's options, the objective, the name and the seed."""
    add_plan(parser)
    add_anew(parser)
    parser.add_argument(
        "--loss",
        choices=losses(),
        metavar="LOSS",
        help=f"objective: {', '.join(losses())} (default: topk; structural with the recipe best)",
    )
    parser.add_argument(
        "--name", type=variant, help="name of the run's folder (default: recipe and objective)"
    )
    parser.add_argument(
        "--teachers",
        nargs="+",
        metavar="PATH",
        help="run folders, whose taggers speak on every language together (also students: a second generation); token "
        "classifiers (hf:OWNER/NAME, or a folder); files of predictions (.jsonl); folders with one of these a "
        "language; or a YAML file (default: RUNS/TASK/teachers)",
    )
    add_folds(
        parser,
        "ask each annotated sentence of a teacher that was trained without it, see skd teachers --folds",
    )
    parser.add_argument("--seed", type=at_least(0, 2**32 - 1), default=1, help="seed of the run (default: 1)")


def run(options: Options, rest: list[str]) -> None:
    """Train the student, test it, and print it beside its teachers; a sweep compares its trials itself."""
    plain = _run_of(options, rest)
    from skd_lightning.report.write import print_scores
    from skd_lightning.runs import execution
    from skd_lightning.studies.sweep.trial import as_trial

    wanted = as_trial(plain)
    execution.train(wanted, options.anew)
    if wanted is plain and execution.first_process():
        print_scores(options.runs, options.task)


def run_of(words: Sequence[str]) -> Run:
    """Return the student that ``skd distill`` trains with these words of the command line."""
    return _run_of(*COMMAND.parse([*words]))


def _run_of(options: Options, rest: Sequence[str]) -> Run:
    loss = options.loss or ("structural" if options.recipe == "best" else "topk")
    if options.teachers:
        paths = options.teachers
        rest = [*rest, "--distillation.teachers", paths[0] if len(paths) == 1 else json.dumps(paths)]
    if options.folds:
        rest = [*rest, "--distillation.folds", str(options.folds)]
    return plan_of(options, rest).student(loss, options.seed, options.name)


COMMAND = Command(
    "distill",
    "train a multilingual student from its teachers, test it, print it beside them",
    add_options,
    run,
    passes_on=True,
    resumes=True,
)
