"""``skd sweep-local``: a sweep on this machine."""

from __future__ import annotations

import argparse
from pathlib import Path

from skd_lightning.cli.command import Command, Options
from skd_lightning.cli.distill import run_of
from skd_lightning.cli.options import at_least


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the file and how it is searched."""
    parser.add_argument("file", type=Path, help="such as experiments/sweeps/learning_rates.yaml")
    parser.add_argument("--method", choices=("grid", "random"), help="default: the file's; bayes needs W&B")
    parser.add_argument(
        "--trials",
        type=at_least(1),
        help="at most so many (default: the whole grid; run_cap or 10 random ones)",
    )
    parser.add_argument("--jobs", type=at_least(1), default=1, help="trials at a time (default: 1)")
    parser.add_argument(
        "--seed", type=at_least(0, 2**32 - 1), default=1, help="seed of the random search (default: 1)"
    )


def run(options: Options, rest: list[str]) -> None:
    """Run the trials that are not finished, and print them, the best first."""
    from skd_lightning.studies.sweep.file import read_sweep
    from skd_lightning.studies.sweep.local import search

    sweep = read_sweep(options.file)
    search(sweep, run_of, options.method, options.trials, options.jobs, options.seed)


COMMAND = Command(
    "sweep-local",
    "run a sweep on this machine, without an account at Weights & Biases",
    add_options,
    run,
    resumes=True,
)
