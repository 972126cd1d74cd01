"""What the commands of skd that train and report take on the command line."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from skd_lightning.distillation import Loss
from skd_lightning.runs.plan import Plan, Recipe, Run


def parser_of(command: str) -> argparse.ArgumentParser:
    """The parser of corpus, teachers, distill, demo or report; what it does not know is for ``skd fit``."""
    parser = argparse.ArgumentParser(
        prog=f"skd {command}",
        allow_abbrev=False,
        exit_on_error=False,  # one line from us
        epilog=None if command == "report" else "Further options are those of 'skd fit --help'.",
    )
    parser.add_argument("--runs", default="runs", help="folder of all runs (default: runs)")
    parser.add_argument(
        "--task",
        default="demo",
        help="demo, upos, wikiann, uner, conll, absa or a folder of your own below --data",
    )
    if command == "report":
        parser.add_argument("--out", help="folder to write to (default: <runs>/<task>/report)")
        return parser
    add_data(parser)
    parser.add_argument(
        "--langs", nargs="+", metavar="LANG", help="languages (default: all with training data)"
    )
    parser.add_argument(
        "--recipe",
        choices=get_args(Recipe),
        help="paper: the paper's training choices; best: what works best, unlabelled text included",
    )
    if command != "corpus":
        parser.add_argument("--anew", action="store_true", help="train from scratch, whatever is there")
    if command == "teachers":
        parser.add_argument(
            "--devices",
            type=int,
            default=1,
            help="GPUs (processes, without any) of this machine: a teacher each, side by side (default: 1)",
        )
    if command == "corpus":
        parser.add_argument("--csv", metavar="FILE", help="write the table of the splits there, too")
    if command == "distill":
        parser.add_argument(
            "--loss",
            choices=get_args(Loss),
            help="objective (default: topk; posterior with the recipe best)",
        )
        parser.add_argument("--name", help="name of the run's folder (default: recipe and objective)")
        parser.add_argument("--seed", type=int, default=1, help="seed of the run (default: 1)")
    if command == "demo":
        parser.add_argument(
            "--losses",
            nargs="+",
            choices=get_args(Loss),
            default=["none", "topk", "posterior"],
            metavar="LOSS",
        )
    return parser


def add_data(parser: argparse.ArgumentParser) -> None:
    """The folder of the corpora."""
    parser.add_argument(
        "--data", help="folder of the corpora (default: $SKD_DATA, ../shared/data, or the hub)"
    )


def plan_of(options: argparse.Namespace, rest: Sequence[str]) -> Plan:
    """What the runs of a command have in common, from its own options and those of ``skd fit``."""
    return Plan(Path(options.runs), options.task, options.data, options.langs, tuple(rest), options.recipe)


def distill_run(arguments: Sequence[str]) -> Run:
    """The student that ``skd distill`` trains with these arguments."""
    options, rest = parser_of("distill").parse_known_args(arguments)
    loss: Loss = options.loss or ("posterior" if options.recipe == "best" else "topk")
    return plan_of(options, rest).student(loss, options.seed, options.name)


def one_line(error: argparse.ArgumentError) -> str:
    """What a parser says, without its line breaks."""
    return "; ".join(line.strip(" -") for line in str(error).splitlines() if line.strip())
