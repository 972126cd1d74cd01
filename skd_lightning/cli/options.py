"""Options that several commands share."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from skd_lightning.data.folders import find_folder
from skd_lightning.data.hub import hub_languages
from skd_lightning.data.tasks import names
from skd_lightning.runs.configurations import recipe_names

if TYPE_CHECKING:
    from skd_lightning.runs.plan import Plan


def add_runs(parser: argparse.ArgumentParser) -> None:
    """Add the folder of all runs."""
    parser.add_argument(
        "--runs", type=Path, default=Path("runs"), metavar="FOLDER", help="folder of all runs (default: runs)"
    )


def add_task(parser: argparse.ArgumentParser) -> None:
    """Add the name of the task."""
    parser.add_argument(
        "--task",
        default="demo",
        help=f"{', '.join(names())}, or a folder of your own below --data (default: demo)",
    )


def add_data(parser: argparse.ArgumentParser) -> None:
    """Add the folder of the corpora."""
    parser.add_argument(
        "--data",
        metavar="FOLDER",
        help="folder of the corpora (default: $SKD_DATA, ../shared/data, or the hub)",
    )


def add_plan(parser: argparse.ArgumentParser) -> None:
    """Add what :func:`plan_of` makes a plan from."""
    add_runs(parser)
    add_task(parser)
    add_data(parser)
    parser.add_argument(
        "--langs", nargs="+", metavar="LANG", help="languages (default: all with training data)"
    )
    parser.add_argument(
        "--recipe",
        choices=recipe_names(),
        help="paper: the paper's training choices; best: what works best, unlabelled text included",
    )


def add_anew(parser: argparse.ArgumentParser) -> None:
    """Add the wish to train from scratch."""
    parser.add_argument("--anew", action="store_true", help="train from scratch, whatever is there")


def add_folds(parser: argparse.ArgumentParser, help: str) -> None:
    """Add the number of folds of the training sentences."""
    parser.add_argument("--folds", type=_several, metavar="N", help=help)


def _several(text: str) -> int:
    if not text.isdecimal() or int(text) < 2:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number of at least 2")
    return int(text)


def plan_of(options: argparse.Namespace, rest: Sequence[str]) -> Plan:
    """Return what the runs of a command have in common, from its own options and those of ``skd fit``.

    Raises:
        UserError: the task does not exist; said before anything heavy is imported.
    """
    if options.task not in names() and find_folder(options.task, options.data) is None:
        hub_languages(options.task)  # refuses it, and names the nearest task
    from skd_lightning.runs.plan import Plan

    return Plan(options.runs, options.task, options.data, options.langs, tuple(rest), options.recipe)
