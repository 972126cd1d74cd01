"""The vectors of words in their sentences, by a transformer without PyTorch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skd_lightning.features.windows import PieceWindows
from skd_lightning.ragged import cut_by_budget
from skd_lightning.serving.session import Session

PIECES = 4000
"""Pieces that the transformer reads at once, padding counted."""


class Transformer:
    """Sentences to the vectors of their words.

    Args:
        settings: ``windows``, the arguments of :class:`PieceWindows`; ``size`` of a vector; ``precision`` in which
            vectors were stored while the tagger learned.
        session: from pieces and mask to states.
    """

    def __init__(self, settings: Mapping[str, Any], session: Session) -> None:
        self._windows = PieceWindows(**settings["windows"])
        self.size, self._precision = int(settings["size"]), str(settings["precision"])
        self._session = session

    def vectors(self, sentences: Sequence[Sequence[str]], words: int) -> NDArray[np.float32]:
        """Return (batch, words, size), 0 at padding.

        Args:
            sentences: lists of words.
            words: to which all are padded.
        """
        items = self._windows.index(sentences)
        sizes = np.array([len(item) for item in items], dtype=np.int64)
        found = np.zeros((len(sentences), words, self.size), dtype=np.float32)
        for places in cut_by_budget(np.argsort(sizes, kind="stable").tolist(), sizes, PIECES):
            found[places] = self._read([items[i] for i in places], words)
        return _rounded(found, self._precision)

    def _read(self, items: Sequence[np.ndarray], words: int) -> NDArray[np.float32]:
        inputs = self._windows.collate(items, words)
        sums = np.zeros((inputs["counts"].size, self.size), dtype=np.float32)
        if len(inputs["pieces"]):
            read = {"pieces": inputs["pieces"], "mask": inputs["mask"]}
            states = self._session.run(read, (*inputs["pieces"].shape, self.size))
            np.add.at(sums, inputs["word"], states.reshape(-1, self.size)[inputs["cell"]])
        counts = np.maximum(inputs["counts"], 1)[..., None].astype(np.float32)
        means: NDArray[np.float32] = sums.reshape(*inputs["counts"].shape, -1) / counts
        return means


def _rounded(vectors: NDArray[np.float32], precision: str) -> NDArray[np.float32]:
    """Return finite numbers as they are in a precision, in float32."""
    if precision != "bfloat16":
        return vectors.astype(precision).astype(np.float32)
    bits = vectors.view(
        np.uint32
    )  # NumPy has no bfloat16: the upper half, rounded to the nearest, ties to even
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)
