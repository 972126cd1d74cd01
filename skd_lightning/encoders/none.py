"""An embedder for taggers that have no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skd_lightning.encoders.base import Embedder, Featurizer


class NoFeatures(Featurizer):
    """Sentences to tensors of their shape, with nothing in them."""

    def index(
        self,
        sentences: Sequence[Sequence[str]],
        keep: bool = False,
        languages: Sequence[str] | None = None,
    ) -> list[np.ndarray]:
        """Return (words, 0) for each sentence."""
        return [np.zeros((len(words), 0), dtype=np.float32) for words in sentences]

    def collate(self, items: Sequence[Any], words: int) -> dict[str, Tensor]:
        """Return ``nothing`` (batch, words, 0)."""
        return {"nothing": torch.zeros(len(items), words, 0)}


class NoEmbedder(Embedder):
    """Words to vectors of length 0: a tagger with this embedder is its wide path alone, a linear-chain feature CRF.

    >>> embedder = NoEmbedder()
    >>> inputs = embedder.featurizer.collate(embedder.featurizer.index([["Anna", "sings"]]), words=2)
    >>> embedder(inputs, torch.tensor([2])).shape
    torch.Size([1, 2, 0])
    """

    output_size = 0

    def __init__(self) -> None:
        super().__init__()
        self.featurizer = NoFeatures()

    def config(self) -> dict[str, Any]:
        """Return no settings."""
        return {}

    def forward(self, inputs: Mapping[str, Tensor], lengths: Tensor) -> Tensor:
        """Return (batch, words, 0)."""
        return inputs["nothing"]
