"""``skd vectors``: static vectors from a transformer."""

from __future__ import annotations

import argparse
import sys

from skd_lightning.cli.command import Command, Options
from skd_lightning.cli.options import at_least, place


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the model, the file and the shape of its table."""
    parser.add_argument("model", help="name of a transformer on the hub, or a folder made by save_pretrained")
    parser.add_argument("file", type=place, help="file to write, such as vectors/en.safetensors")
    parser.add_argument("--size", type=at_least(1), default=128, help="length of a vector (default: 128)")


def run(options: Options, rest: list[str]) -> None:
    """Write the table of the vectors of the model's subword pieces."""
    from skd_lightning.encoders.subword_table import make_table

    pieces = make_table(options.model, options.size, options.file)
    sys.stdout.write(f"{options.file}: {pieces:,} pieces, vectors of {options.size} numbers\n")


COMMAND = Command(
    "vectors",
    "make static subword vectors from a transformer, which taggers then do not need",
    add_options,
    run,
)
