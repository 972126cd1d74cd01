"""``skd job``: what suites, sweeps and teachers side by side start in processes of their own; not for typing."""

from __future__ import annotations

import argparse

from skd_lightning.cli.command import Command, Options


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the kind of work and the work itself."""
    parser.add_argument("kind", choices=("train", "zeroshot"))
    parser.add_argument("work", help="a run or a test as JSON")
    parser.add_argument("--anew", action="store_true")


def run(options: Options, rest: list[str]) -> None:
    """Do the work."""
    from skd_lightning.runs.work_as_json import from_json

    if options.kind == "train":
        from skd_lightning.runs.execution import train
        from skd_lightning.runs.run import Run

        train(from_json(Run, options.work), options.anew)
    else:
        from skd_lightning.studies.zeroshot import ZeroshotTest

        from_json(ZeroshotTest, options.work).run()


COMMAND = Command("job", "", add_options, run, resumes=True)
