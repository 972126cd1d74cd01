"""``skd zeroshot``: runs on languages that they were not trained on."""

from __future__ import annotations

import argparse
from pathlib import Path

from skd_lightning.cli.command import Command, Options
from skd_lightning.cli.options import add_data, add_runs, add_task


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the runs, the languages and the corpora."""
    parser.add_argument(
        "folders", nargs="*", type=Path, metavar="RUN", help="run folders (default: all of the task)"
    )
    add_runs(parser)
    add_task(parser)
    add_data(parser)
    parser.add_argument("--langs", nargs="+", required=True, metavar="LANG", help="languages to evaluate on")
    parser.add_argument("--on", metavar="TASK", help="take their test sentences from another task's corpora")
    parser.add_argument(
        "--outside",
        action="store_true",
        help="allow runs to read vector files and models outside of their own folders",
    )


def run(options: Options, rest: list[str]) -> None:
    """Test the runs, and print what was found."""
    from skd_lightning.studies.zeroshot import ZeroshotTest, show

    transfer = ZeroshotTest(
        options.runs,
        options.task,
        options.on or options.task,
        options.data,
        tuple(options.langs),
        tuple(options.folders),
        options.outside,
    )
    transfer.run()
    show(transfer)


COMMAND = Command("zeroshot", "evaluate runs on languages that they were not trained on", add_options, run)
