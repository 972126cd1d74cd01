"""Small files of fastText's binary format."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

WORDS = ["the", "</s>", "größe", "東京", "мир", "a", "don't"]
SIZE, BUCKETS = 5, 50


def write_bin(
    file: Path,
    shortest: int = 2,
    longest: int = 4,
    seed: int = 0,
    version: int = 12,
    model: int = 2,
    quantised: bool = False,
    size: int = SIZE,
) -> np.ndarray:
    """Write the bytes of ``fasttext.save_model`` up to the input matrix, and return that matrix."""
    matrix = np.random.default_rng(seed).normal(size=(len(WORDS) + BUCKETS, size)).astype("<f4")
    # magic, version; dim, ws, epoch, minCount, neg, wordNgrams, loss, model, bucket, minn, maxn, lrUpdateRate, t
    content = struct.pack("<2i", 793712314, version)
    content += struct.pack("<12id", size, 5, 1, 1, 5, 1, 2, model, BUCKETS, shortest, longest, 100, 1e-4)
    content += struct.pack(
        "<3i2q", len(WORDS) + 1, len(WORDS), 1, 1000, -1
    )  # words, labels, tokens, not pruned
    for entry in [*WORDS, "__label__x"]:
        content += entry.encode() + b"\0" + struct.pack("<qb", 7, int(entry.startswith("__label__")))
    content += struct.pack("<?2q", quantised, *matrix.shape) + matrix.tobytes()
    file.write_bytes(content + b"and the output matrix")
    return matrix
