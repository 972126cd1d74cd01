"""``skd vectors``: static vectors from a transformer."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from skd_lightning.cli.command import Command, Options


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the model, the file and the shape of its table."""
    parser.add_argument("model", help="name on the hub, or a folder made by save_pretrained")
    parser.add_argument("file", type=Path, help="file to write, such as vectors/en.safetensors")
    parser.add_argument("--size", type=int, default=128, help="length of a vector (default: 128)")
    parser.add_argument(
        "--layer",
        type=int,
        default=-1,
        help="hidden states to take: -1 the last layer, 0 the embeddings (default: -1)",
    )


def run(options: Options, rest: list[str]) -> None:
    """Read every subword piece of the model's vocabulary, and write the table of their vectors."""
    from skd_lightning.encoders.subword_table import distil

    pieces = distil(options.model, options.size, options.layer, options.file)
    sys.stdout.write(f"{options.file}: {pieces:,} pieces, vectors of {options.size} numbers\n")


COMMAND = Command(
    "vectors",
    "make static subword vectors from a transformer, which taggers then do not need",
    add_options,
    run,
)
