"""Embedders on pretrained transformers: one that stays as it is, and one that is trained on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import Parameter

from skd_lightning.encoders.base import Embedder
from skd_lightning.encoders.pieces import PieceFeaturizer
from skd_lightning.encoders.pretrained_transformer import PretrainedTransformer, frozen
from skd_lightning.encoders.stored import CACHE, StoredVectors
from skd_lightning.encoders.vector_store import Precision
from skd_lightning.errors import UserError
from skd_lightning.features.windows import Pooling


class FrozenTransformerEmbedder(Embedder):
    """Word vectors of a pretrained transformer that stays as it is.

    The transformer reads every sentence once; an epoch then costs what the context network costs. A tagger that is
    loaded needs the transformer again: say ``load(path, outside=True)``.

    Args:
        model: name of a model on the hub, or a folder made by ``save_pretrained``.
        hidden_states: those of these layers are averaged; -1 is the last layer, 0 the embeddings.
        pooling: a word's vector is the ``mean`` of its pieces or that of the ``first``.
        dropout: dropout of the vectors.
        cache: folder of word vectors, found again by model and sentence; any number of runs may share it.
        precision: of the vectors on disk and in the batches.
    """

    featurizer: StoredVectors

    def __init__(
        self,
        model: str = "bert-base-multilingual-cased",
        hidden_states: list[int] = [-1],  # noqa: B006 - read only; jsonargparse shows it as the default
        pooling: Pooling = "mean",
        dropout: float = 0.33,
        cache: str = CACHE,
        precision: Precision = "float16",
    ) -> None:
        super().__init__()
        self._config: dict[str, Any] = {
            "model": model,
            "hidden_states": list(hidden_states),
            "pooling": pooling,
            "dropout": dropout,
            "precision": precision,
        }
        self.cache = cache
        self.featurizer = StoredVectors(frozen(model, tuple(hidden_states), pooling), cache, precision)
        self.dropout = nn.Dropout(dropout)
        self.output_size = self.featurizer.size

    @classmethod
    def reads(cls, settings: Mapping[str, Any]) -> str:
        """Name the transformer."""
        return f"the transformer '{settings.get('model')}'"

    @property
    def transformer(self) -> PretrainedTransformer:
        """Return the transformer, which is none of its own modules."""
        return frozen(self._config["model"], tuple(self._config["hidden_states"]), self._config["pooling"])

    def identity(self) -> str:
        """Return the transformer's fingerprint: its weights are not among the tagger's."""
        return self.featurizer.fingerprint

    def config(self) -> dict[str, Any]:
        """Return the settings as plain values."""
        return dict(self._config)

    def forward(self, inputs: Mapping[str, Tensor], lengths: Tensor) -> Tensor:
        """Return (batch, words, output_size) from what :class:`StoredVectors` collates."""
        return self.dropout(inputs["vectors"].to(torch.get_default_dtype()))  # type: ignore[no-any-return]


class FineTunedTransformerEmbedder(Embedder):
    """A pretrained transformer that is trained on.

    Its learning rate is ``optimization.pretrained_lr``. The paper's fine-tuned models have no BiLSTM: emission layer
    and CRF stand on the transformer (Wang et al. 2020, section 4.1), which is ``NoContext`` here. A checkpoint holds
    all of it, so that a trained tagger needs neither the hub nor the folder the model came from.

    Args:
        model: name of a model on the hub, or a folder made by ``save_pretrained``.
        hidden_states: those of these layers are averaged; -1 is the last layer, 0 the embeddings.
        pooling: a word's vector is the ``mean`` of its pieces or that of the ``first``, as Devlin et al. (2019,
            section 5.3) tag names.
        dropout: dropout of the word vectors; the transformer has its own beside it.
        saved: the model's shape and tokenizer, from a checkpoint; ``model`` is then only a name.
    """

    featurizer: PieceFeaturizer

    def __init__(
        self,
        model: str = "bert-base-multilingual-cased",
        hidden_states: list[int] = [-1],  # noqa: B006 - read only; jsonargparse shows it as the default
        pooling: Pooling = "first",
        dropout: float = 0.1,
        saved: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.transformer = PretrainedTransformer(model, hidden_states, pooling, saved)
        self._config = {
            "model": model,
            "hidden_states": list(hidden_states),
            "pooling": pooling,
            "dropout": dropout,
            "saved": self.transformer.saved,
        }
        self.featurizer = self.transformer.featurizer
        self.dropout = nn.Dropout(dropout)
        self.output_size = self.transformer.size

    @classmethod
    def reads(cls, settings: Mapping[str, Any]) -> str:
        """Name nothing; refuse a description that would have the model come from the hub.

        Raises:
            UserError: the model's shape and tokenizer are not among the settings.
        """
        if not settings.get("saved"):
            raise UserError("its fine-tuned transformer comes without shape and tokenizer; train it again")
        return ""

    def pretrained_parameters(self) -> list[Parameter]:
        """Return the transformer's parameters."""
        return list(self.transformer.parameters())

    def config(self) -> dict[str, Any]:
        """Return the settings as plain values."""
        return dict(self._config)

    def forward(self, inputs: Mapping[str, Tensor], lengths: Tensor) -> Tensor:
        """Return (batch, words, output_size) from what :class:`PieceFeaturizer` collates."""
        return self.dropout(self.transformer(inputs))  # type: ignore[no-any-return]
