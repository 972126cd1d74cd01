"""Options that several commands share."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from skd_lightning.data.folders import find_folder
from skd_lightning.data.hub import hub_languages
from skd_lightning.data.tasks import task_names
from skd_lightning.errors import UserError
from skd_lightning.run_folder import CACHE, LOGS, PEERS, REPORT, TEACHERS, refuse_name
from skd_lightning.runs.configurations import recipe_names

if TYPE_CHECKING:
    from skd_lightning.runs.plan import Plan


def at_least(least: int, most: int = 10**9) -> Callable[[str], int]:
    """Return the type of an option that is a whole number from ``least`` to ``most``."""

    def number(word: str) -> int:
        value = int(word)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{value} is not from {least:,} to {most:,}")
        return value

    number.__name__ = "int"  # argparse says: invalid int value
    return number


def weight(word: str) -> float:
    """Return a number that is not negative: the type of an option."""
    value = float(word)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{value} is not a number from 0 on")
    return value


def task(word: str) -> str:
    """Return the name of a task: the type of an option."""
    return _name(word, (CACHE, LOGS))


def variant(word: str) -> str:
    """Return the name of a student's folder: the type of an option."""
    return _name(word, (TEACHERS, PEERS, REPORT))


def _name(word: str, taken: Sequence[str]) -> str:
    try:
        refuse_name("the name", word, taken)
    except UserError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return word


RUNS, TASK = Path("runs"), "demo"
"""Defaults of ``--runs`` and ``--task``."""


def named(word: str) -> str:
    """Return a word with letters in it: the type of an option."""
    if not word.strip() or "\0" in word:
        raise argparse.ArgumentTypeError(f"'{word}' is no name")
    return word


def place(word: str) -> Path:
    """Return the path of a file or a folder, which has a name: the type of an option."""
    return Path(named(word))


def add_runs(parser: argparse.ArgumentParser) -> None:
    """Add the folder of all runs."""
    parser.add_argument(
        "--runs",
        type=place,
        default=RUNS,
        metavar="FOLDER",
        help=f"folder of all runs (default: {RUNS})",
    )


def add_task(parser: argparse.ArgumentParser) -> None:
    """Add the name of the task."""
    parser.add_argument(
        "--task",
        type=task,
        default=TASK,
        help=f"{', '.join(task_names())}, or a folder of your own below --data (default: {TASK})",
    )


def add_data(parser: argparse.ArgumentParser) -> None:
    """Add the folder of the corpora."""
    parser.add_argument(
        "--data",
        type=named,
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
        help="paper: the paper's training choices; linear: a CRF of sparse features without a network; best: what "
        "works best beside unlabelled text (--data.unlabelled)",
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
    if options.task not in task_names() and find_folder(options.task, options.data) is None:
        hub_languages(options.task)  # refuses it, and names the nearest task
    from skd_lightning.runs.plan import Plan

    return Plan(options.runs, options.task, options.data, options.langs, tuple(rest), options.recipe)
