"""Word vectors that never change: made once for each sentence, then read from disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from rich.progress import Progress
from torch import Tensor

from skd_lightning.encoders.base import Featurizer
from skd_lightning.encoders.vector_store import Precision, VectorStore, unpacked

CACHE = "runs/vectors"
"""The folder in which word vectors are kept unless another one is named."""


class Reader(Protocol):
    """A frozen model: sentences to word vectors.

    Attributes:
        size: length of a word's vector.
        fingerprint: hash of all that a vector depends on beside its sentence.
    """

    size: int

    @property
    def fingerprint(self) -> str:
        """Return a hash of all that a vector depends on beside its sentence."""

    def vectors(
        self, sentences: Sequence[Sequence[str]], advance: Callable[[int], object]
    ) -> list[np.ndarray]:
        """Return (words, size) float32 for each sentence; ``advance`` is told the number of sentences done."""


class StoredVectors(Featurizer):
    """Sentences to word vectors, from disk where they are known.

    Args:
        reader: makes the vectors of sentences that are not known.
        cache: folder of all stores.
        precision: of the stored vectors.
    """

    def __init__(self, reader: Reader, cache: str, precision: Precision = "float16") -> None:
        self._reader: Reader | None = reader
        self.size, self.fingerprint, self.precision = reader.size, reader.fingerprint, precision
        suffix = "" if precision == "float16" else f"-{precision}"
        self._store = VectorStore(Path(cache) / f"{self.fingerprint}{suffix}", precision)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the model: loader workers only pad."""
        return {**self.__dict__, "_reader": None}

    def index(
        self,
        sentences: Sequence[Sequence[str]],
        keep: bool = False,
        languages: Sequence[str] | None = None,
    ) -> list[np.ndarray]:
        """Return (words, size) for each sentence, packed as :mod:`vector_store` does it."""

        def make(missing: list[Sequence[str]]) -> list[np.ndarray]:
            assert self._reader is not None
            with Progress(transient=True, disable=not keep) as bar:
                task = bar.add_task(f"word vectors of {len(missing)} sentences", total=len(missing))
                return self._reader.vectors(missing, lambda n: bar.advance(task, n))

        return self._store.get(sentences, make, keep)

    def collate(self, items: Sequence[np.ndarray], words: int) -> dict[str, Tensor]:
        """Return ``vectors`` (batch, words, size) in the store's precision, 0 at padding."""
        padded = np.zeros((len(items), words, self.size), dtype=self._store.dtype)
        for row, item in zip(padded, items, strict=True):
            if len(item):
                row[: len(item)] = item
        return {"vectors": unpacked(padded)}
