"""Word vectors on disk, found again by the words of their sentence; memory-mapped, never pickled."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from pydantic import NonNegativeInt
from torch import Tensor

from skd_lightning.errors import UserError
from skd_lightning.parsing import read_json
from skd_lightning.storage import alone_in, new_folder

Precision = Literal["float16", "bfloat16"]
"""float16 has 11 bits of precision and ends at 65504; bfloat16 has 8 bits and the range of float32."""

LONGEST = 2**30
"""Bytes of a list of lengths, about 30 a sentence."""


def packed(vectors: np.ndarray, precision: Precision) -> np.ndarray:
    """Return float32 as float16, or as the bits of bfloat16 in uint16, since numpy has no such type."""
    if precision == "float16":
        return vectors.astype(np.float16)
    return torch.from_numpy(vectors).bfloat16().view(torch.uint16).numpy()


def unpacked(vectors: np.ndarray) -> Tensor:
    """Return what :func:`packed` made as a tensor of its precision."""
    tensor = torch.from_numpy(vectors)
    return tensor.view(torch.bfloat16) if tensor.dtype == torch.uint16 else tensor


def finite(vectors: np.ndarray) -> bool:
    """Return True if no number of what :func:`packed` made is infinite or not a number."""
    exponent = 0x7C00 if vectors.dtype == np.float16 else 0x7F80  # all bits of it are set in others
    parts = (vectors[start : start + 65536].view(np.uint16) for start in range(0, len(vectors), 65536))
    return not any(((part & exponent) == exponent).any() for part in parts)


def sentence_key(words: Sequence[str]) -> str:
    """Return the key of a sentence: its words in their order."""
    text = json.dumps(list(words), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]


class VectorStore:
    """Vectors of one model. Sentences that are added together make one folder: ``vectors.npy`` and ``lengths.json``.

    Args:
        folder: ``<cache>/<fingerprint of the model>``; one precision only.
        precision: of the stored vectors.
    """

    def __init__(self, folder: Path, precision: Precision = "float16") -> None:
        self.folder, self.precision = folder, precision
        self.dtype = np.float16 if precision == "float16" else np.uint16
        self._opened: set[Path] = set()
        self._found: dict[str, np.ndarray] = {}

    def _open(self) -> None:
        """Take in what has come to the disk; a folder that is damaged is passed over, and made again."""
        for folder in sorted(set(self.folder.glob("[!.]*")) - self._opened):
            try:
                lengths = read_json(dict[str, NonNegativeInt], folder / "lengths.json", "made again", LONGEST)
                vectors = np.load(folder / "vectors.npy", mmap_mode="r", allow_pickle=False)
                if vectors.ndim != 2 or vectors.dtype != self.dtype or len(vectors) != sum(lengths.values()):
                    raise ValueError("wrong size")
                if not finite(vectors):
                    raise ValueError("not finite")
            except (OSError, ValueError, EOFError):
                continue
            self._opened.add(folder)
            start = 0
            for key, length in lengths.items():
                self._found[key] = vectors[start : start + length]
                start += length

    def get(
        self,
        sentences: Sequence[Sequence[str]],
        make: Callable[[list[Sequence[str]]], list[np.ndarray]],
        keep: bool,
    ) -> list[np.ndarray]:
        """Return (words, size) for each sentence, :func:`packed`.

        Args:
            sentences: lists of words.
            make: from sentences to their float32 vectors; called with those that are missing.
            keep: store what was made; otherwise nothing is written, not even an empty folder.
        """
        keys = [sentence_key(words) for words in sentences]
        if not all(key in self._found for key in keys):
            self._open()  # without a lock: what has a name is complete
        if not keep or all(key in self._found for key in keys):
            return self._complete(keys, sentences, make, keep)
        with alone_in(self.folder):  # processes of one training want the same: the first makes it
            self._open()
            return self._complete(keys, sentences, make, keep)

    def _complete(
        self,
        keys: list[str],
        sentences: Sequence[Sequence[str]],
        make: Callable[[list[Sequence[str]]], list[np.ndarray]],
        keep: bool,
    ) -> list[np.ndarray]:
        missing = {key: words for key, words in zip(keys, sentences, strict=True) if key not in self._found}
        made = dict(zip(missing, make(list(missing.values())), strict=True)) if missing else {}
        made = {key: packed(vectors, self.precision) for key, vectors in made.items()}
        if not all(map(finite, made.values())):
            raise UserError(
                f"word vectors are not finite in {self.precision}; give the embedder's precision bfloat16"
            )
        if made and keep:
            self._write(made)
        return [self._found[key] if key in self._found else made[key] for key in keys]

    def _write(self, made: dict[str, np.ndarray]) -> None:
        with new_folder(self.folder / hashlib.sha256("".join(made).encode()).hexdigest()[:24]) as folder:
            np.save(folder / "vectors.npy", np.concatenate(list(made.values())), allow_pickle=False)
            lengths = {key: len(vectors) for key, vectors in made.items()}
            (folder / "lengths.json").write_text(json.dumps(lengths))
        self._open()
