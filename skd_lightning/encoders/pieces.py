"""The inputs of transformers from words: pieces, in windows where a sentence is too long."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from skd_lightning.encoders.base import Featurizer
from skd_lightning.features.windows import PieceWindows


class PieceFeaturizer(Featurizer):
    """Sentences to pieces, as tensors; see :class:`~skd_lightning.features.windows.PieceWindows`.

    Args:
        windows: cuts sentences into pieces.
    """

    def __init__(self, windows: PieceWindows) -> None:
        self.windows = windows

    def index(
        self,
        sentences: Sequence[Sequence[str]],
        keep: bool = False,
        languages: Sequence[str] | None = None,
    ) -> list[np.ndarray]:
        """Return (pieces of its windows, 3) int32 for each sentence: piece, the word it counts for or -1, window."""
        return self.windows.index(sentences)

    def collate(self, items: Sequence[np.ndarray], words: int) -> dict[str, Tensor]:
        """Return the inputs of a batch as tensors, see :meth:`PieceWindows.collate`."""
        return {name: torch.from_numpy(array) for name, array in self.windows.collate(items, words).items()}
