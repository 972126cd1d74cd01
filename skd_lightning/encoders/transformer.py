"""An encoder on the vectors of a frozen pretrained transformer, which is asked about every sentence once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import Progress
from torch import Tensor, nn

from skd_lightning.encoders.base import Encoder, Featurizer
from skd_lightning.encoders.bilstm import BiLSTM
from skd_lightning.encoders.vector_store import VectorStore
from skd_lightning.encoders.word_vectors import Pooling, PretrainedTransformer, pretrained
from skd_lightning.errors import UserError


class FrozenVectors(Featurizer):
    """Sentences -> word vectors, from disk where they are known.

    Args:
        name: see :class:`FrozenTransformerEncoder`.
        layers: whose hidden states are averaged.
        pooling: of a word's pieces.
        cache: folder of all stores.
    """

    def __init__(self, name: str, layers: Sequence[int], pooling: Pooling, cache: str) -> None:
        try:
            transformer = pretrained(name, tuple(layers), pooling)
        except (OSError, ValueError) as error:
            reason = str(error).partition("\n")[0]
            raise UserError(f"encoder: no transformer '{name}': {reason}") from error
        self.size = transformer.size
        self._transformer: PretrainedTransformer | None = transformer
        self.fingerprint = transformer.fingerprint
        self._store = VectorStore(Path(cache) / self.fingerprint)

    def __getstate__(self) -> dict[str, Any]:
        """Loader workers only pad: they go without the transformer."""
        return {**self.__dict__, "_transformer": None}

    def index(self, sentences: Sequence[Sequence[str]], keep: bool = False) -> list[np.ndarray]:
        """(words, size) float16 of each sentence."""

        def make(missing: list[Sequence[str]]) -> list[np.ndarray]:
            assert self._transformer is not None
            with Progress(transient=True, disable=not keep) as bar:
                task = bar.add_task(f"word vectors of {len(missing)} sentences", total=len(missing))
                return self._transformer.vectors(missing, lambda n: bar.advance(task, n))

        return self._store.get(sentences, make, keep)

    def collate(self, items: Sequence[np.ndarray], words: int) -> dict[str, Tensor]:
        """``vectors`` (batch, words, size), 0 at padding."""
        padded = np.zeros((len(items), words, self.size), dtype=np.float16)
        for row, item in zip(padded, items, strict=True):
            if len(item):
                row[: len(item)] = item
        return {"vectors": torch.from_numpy(padded)}


class FrozenTransformerEncoder(Encoder):
    """Word vectors of a pretrained transformer that stays as it is, under a BiLSTM.

    The transformer reads every sentence once; an epoch then costs what the BiLSTM costs.

    Args:
        model: name of a model on the hub, or a folder made by ``save_pretrained``.
        layers: whose hidden states are averaged; -1 is the last.
        pooling: a word's vector is the ``mean`` of its pieces or that of the ``first``.
        hidden_size: LSTM units in each direction.
        lstm_layers: BiLSTM layers.
        dropout: of the BiLSTM's input and output.
        cache: folder of word vectors, found again by model and sentence; any number of runs may share it.
    """

    featurizer: FrozenVectors

    def __init__(
        self,
        model: str = "bert-base-multilingual-cased",
        layers: list[int] = [-1],  # noqa: B006 - read only; jsonargparse shows it as the default
        pooling: Pooling = "mean",
        hidden_size: int = 256,
        lstm_layers: int = 1,
        dropout: float = 0.33,
        cache: str = "runs/vectors",
    ) -> None:
        super().__init__()
        self._config = {
            "model": model,
            "layers": list(layers),
            "pooling": pooling,
            "hidden_size": hidden_size,
            "lstm_layers": lstm_layers,
            "dropout": dropout,
            "cache": cache,
        }
        self.featurizer = FrozenVectors(model, layers, pooling, cache)
        self.dropout = nn.Dropout(dropout)
        self.bilstm = BiLSTM(self.featurizer.size, hidden_size, lstm_layers, dropout)
        self.output_size = self.bilstm.output_size

    def identity(self) -> str:
        """The transformer's fingerprint: its weights are not among the encoder's own."""
        return self.featurizer.fingerprint

    def config(self) -> dict[str, Any]:
        """The constructor's arguments, as plain values."""
        return dict(self._config)

    def forward(self, inputs: Mapping[str, Tensor], lengths: Tensor) -> Tensor:
        """(batch, words, 2 * hidden_size) from what :class:`FrozenVectors` collates."""
        states: Tensor = self.dropout(inputs["vectors"].to(next(self.bilstm.parameters()).dtype))
        return self.bilstm(states, lengths)  # type: ignore[no-any-return]
