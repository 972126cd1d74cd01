"""Encoders on pretrained transformers: one that stays as it is, and one that is trained on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import Parameter

from skd_lightning.encoders.base import Encoder
from skd_lightning.encoders.bilstm import BiLSTM
from skd_lightning.encoders.pieces import PieceFeaturizer, Pooling
from skd_lightning.encoders.stored import StoredVectors
from skd_lightning.encoders.vector_store import Precision
from skd_lightning.encoders.word_vectors import PretrainedTransformer, frozen


class FrozenTransformerEncoder(Encoder):
    """Word vectors of a pretrained transformer that stays as it is, under a BiLSTM.

    The transformer reads every sentence once; an epoch then costs what the BiLSTM costs.

    Args:
        model: name of a model on the hub, or a folder made by ``save_pretrained``.
        layers: whose hidden states are averaged; -1 is the last.
        pooling: a word's vector is the ``mean`` of its pieces or that of the ``first``.
        hidden_size: LSTM units in each direction.
        lstm_layers: BiLSTM layers; 0 for the vectors alone, in a :class:`ConcatenatedEncoder` say.
        dropout: of the vectors, and of each BiLSTM layer's output.
        cache: folder of word vectors, found again by model and sentence; any number of runs may share it.
        precision: of the vectors on disk and in the batches.
    """

    featurizer: StoredVectors

    def __init__(
        self,
        model: str = "bert-base-multilingual-cased",
        layers: list[int] = [-1],  # noqa: B006 - read only; jsonargparse shows it as the default
        pooling: Pooling = "mean",
        hidden_size: int = 256,
        lstm_layers: int = 1,
        dropout: float = 0.33,
        cache: str = "runs/vectors",
        precision: Precision = "float16",
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
            "precision": precision,
        }
        self.featurizer = StoredVectors(frozen(model, tuple(layers), pooling), cache, precision)
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
        """(batch, words, output_size) from what :class:`StoredVectors` collates."""
        states: Tensor = self.dropout(inputs["vectors"].to(torch.get_default_dtype()))
        return self.bilstm(states, lengths)  # type: ignore[no-any-return]


class FineTunedTransformerEncoder(Encoder):
    """A pretrained transformer that is trained on, with nothing above it or a BiLSTM.

    Its learning rate is ``optimization.pretrained_lr``. The paper's fine-tuned models have no BiLSTM: emission layer
    and CRF stand on the transformer (Wang et al. 2020, section 4.1). A checkpoint holds all of it, so that a
    trained tagger needs neither the hub nor the folder the model came from.

    Args:
        model: name of a model on the hub, or a folder made by ``save_pretrained``.
        layers: whose hidden states are averaged; -1 is the last.
        pooling: a word's vector is the ``mean`` of its pieces or that of the ``first``, as Devlin et al. (2019,
            section 5.3) tag names.
        hidden_size: LSTM units in each direction.
        lstm_layers: BiLSTM layers; 0 for none.
        dropout: of the word vectors, and of each BiLSTM layer's output; the transformer has its own beside it.
        saved: the model's shape and tokenizer, from a checkpoint; ``model`` is then only a name.
    """

    featurizer: PieceFeaturizer

    def __init__(
        self,
        model: str = "bert-base-multilingual-cased",
        layers: list[int] = [-1],  # noqa: B006 - read only; jsonargparse shows it as the default
        pooling: Pooling = "first",
        hidden_size: int = 256,
        lstm_layers: int = 0,
        dropout: float = 0.1,
        saved: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.transformer = PretrainedTransformer(model, layers, pooling, saved)
        self._config = {
            "model": model,
            "layers": list(layers),
            "pooling": pooling,
            "hidden_size": hidden_size,
            "lstm_layers": lstm_layers,
            "dropout": dropout,
            "saved": self.transformer.saved,
        }
        self.featurizer = self.transformer.featurizer
        self.dropout = nn.Dropout(dropout)
        self.bilstm = BiLSTM(self.transformer.size, hidden_size, lstm_layers, dropout)
        self.output_size = self.bilstm.output_size

    def pretrained_parameters(self) -> list[Parameter]:
        """The transformer's."""
        return list(self.transformer.parameters())

    def config(self) -> dict[str, Any]:
        """The constructor's arguments, as plain values."""
        return dict(self._config)

    def forward(self, inputs: Mapping[str, Tensor], lengths: Tensor) -> Tensor:
        """(batch, words, output_size) from what :class:`PieceFeaturizer` collates."""
        states: Tensor = self.dropout(self.transformer(inputs))
        return self.bilstm(states, lengths)  # type: ignore[no-any-return]
