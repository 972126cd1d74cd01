"""``skd export``: a run's tagger to a folder that serves."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from skd_lightning.cli.command import Command, Options
from skd_lightning.cli.options import named, place, weight


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the run, the folder and the sizes."""
    parser.add_argument("run", help="run folder, checkpoint or saved folder of a tagger")
    parser.add_argument(
        "folder", type=place, help="folder to write, or to replace if it holds a saved tagger"
    )
    parser.add_argument(
        "--tables",
        default="int8",
        choices=("float32", "float16", "int8", "pq"),
        help="numbers in which the tables of word vectors and features are written (default: int8)",
    )
    parser.add_argument(
        "--least-weight",
        type=weight,
        default=0.01,
        metavar="NATS",
        help="leave out sparse features without a weight of this size (default: 0.01)",
    )
    parser.add_argument(
        "--outside", action="store_true", help="let the tagger read files outside of its folder"
    )
    parser.add_argument(
        "--push", type=named, metavar="OWNER/NAME", help="upload the folder to the Hugging Face hub"
    )
    parser.add_argument("--private", action="store_true", help="visible to its owner alone (with --push)")


def run(options: Options, rest: list[str]) -> None:
    """Save the tagger, say how large it is, and upload it if that was asked for."""
    from skd_lightning.data.run_settings import read_settings
    from skd_lightning.run_folder import RunFolder
    from skd_lightning.runs.record import Results
    from skd_lightning.serving.hub import push
    from skd_lightning.taggers import load
    from skd_lightning.taggers.saving import save

    tagger = load(options.run, options.outside)
    folder = RunFolder(Path(options.run))
    found = Results.read_or_refuse(folder)
    results = found.model_dump(by_alias=True, exclude_none=True) if found else None
    lacking = read_settings(folder).data.text_only
    save(tagger, options.folder, options.tables, options.least_weight, results, options.push or "", lacking)
    files = sorted(options.folder.iterdir())
    size = sum(file.stat().st_size for file in files) / 1e6
    sys.stdout.write(f"{options.folder}: {', '.join(file.name for file in files)} ({size:.1f} MB)\n")
    if options.push:
        sys.stdout.write(f"{push(options.folder, options.push, options.private)}\n")


COMMAND = Command("export", "a run's tagger as a small folder to serve or to publish", add_options, run)
