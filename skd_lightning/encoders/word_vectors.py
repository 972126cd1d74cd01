"""Vectors of words in their sentences, from a pretrained transformer: shared by fine-tuning and frozen use."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from skd_lightning.encoders.pieces import PieceFeaturizer, Pooling
from skd_lightning.errors import UserError
from skd_lightning.ragged import cut_by_budget
from skd_lightning.storage import add_weights

PIECES = 4096
"""Subword pieces a batch, padding included, where nothing is trained."""


class PretrainedTransformer(nn.Module):
    """Any encoder-only ``AutoModel`` with a fast tokenizer, as a function from words to their vectors.

    Args:
        name: of a model on the hub, or a folder made by ``save_pretrained``.
        layers: whose hidden states are averaged; -1 is the last, 0 the embeddings.
        pooling: a word's vector is the ``mean`` of its pieces or that of the ``first``.
        saved: :attr:`saved` of another one; neither hub nor folder is then read, and the weights are those of no
            training until a state dict is loaded.

    Attributes:
        saved: its shape and its tokenizer, as plain values.
        featurizer: makes the inputs of :meth:`forward`.
        size: length of a word's vector.

    Raises:
        UserError: no such model, or not of the kind that reads here.
    """

    def __init__(
        self, name: str, layers: Sequence[int], pooling: Pooling, saved: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__()
        self.model, self.saved = _load(name) if saved is None else (_make(saved), dict(saved))
        self.model.train()  # a new module's mode, and Lightning keeps it; from_pretrained leaves dropout off
        depth = int(self.model.config.num_hidden_layers)
        if not layers or not all(-depth - 1 <= layer <= depth for layer in layers):
            raise UserError(f"encoder: layers are {list(layers)}, '{name}' has 0 (embeddings) to {depth}")
        self.layers, self.pooling = list(layers), pooling
        self.featurizer = PieceFeaturizer(**self.saved["tokenizer"], pooling=pooling)
        if self.featurizer.window < 1:
            raise UserError(f"encoder: '{name}' reads {self.saved['tokenizer']['readable']} pieces, too few")
        self.size = int(self.model.config.hidden_size)

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """(batch, words, size), 0 at padding, from what :class:`PieceFeaturizer` collates."""
        counts = inputs["counts"]
        if not len(inputs["pieces"]):  # nothing but empty sentences
            return torch.zeros(*counts.shape, self.size, device=counts.device)
        pieces = self._states(inputs).flatten(0, 1)[inputs["cell"]]
        sums = pieces.new_zeros(counts.numel(), self.size).index_add(0, inputs["word"], pieces)
        means: Tensor = sums.view(*counts.shape, self.size) / counts.clamp(min=1).unsqueeze(-1).to(sums.dtype)
        return means

    def _states(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """(windows, width, size): mean of the chosen layers."""
        read = {"input_ids": inputs["pieces"], "attention_mask": inputs["mask"]}
        if self.layers == [-1]:
            return self.model(**read).last_hidden_state  # type: ignore[no-any-return]
        states = self.model(**read, output_hidden_states=True).hidden_states
        return torch.stack([states[layer] for layer in self.layers]).mean(0)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of all that a vector depends on beside its sentence, while nothing is trained."""
        tokenizer = self.saved["tokenizer"]["tokenizer"]
        digest = hashlib.sha256(
            json.dumps([self.layers, self.pooling, self.featurizer.window, tokenizer]).encode()
        )
        add_weights(digest, self.model)
        return digest.hexdigest()[:24]

    @torch.inference_mode()
    def vectors(
        self, sentences: Sequence[Sequence[str]], advance: Callable[[int], object] = lambda _: None
    ) -> list[np.ndarray]:
        """(words, size) float32 for each sentence, in their order.

        Args:
            sentences: lists of words.
            advance: told the number of sentences done, for a progress bar.
        """
        items = self.featurizer.index(sentences)
        found = [np.zeros((len(words), self.size), dtype=np.float32) for words in sentences]
        sizes = np.array([len(item) for item in items], dtype=np.int64)
        for places in cut_by_budget(np.argsort(sizes, kind="stable").tolist(), sizes, PIECES):
            words = max(len(sentences[i]) for i in places)
            inputs = self.featurizer.collate([items[i] for i in places], words)
            vectors = self({name: tensor.to(self.model.device) for name, tensor in inputs.items()})
            for i, row in zip(places, vectors.float().cpu().numpy(), strict=True):
                found[i][:] = row[: len(sentences[i])]
            advance(len(places))
        return found


def _load(name: str) -> tuple[Any, dict[str, Any]]:
    """A model from the hub or a folder, and what :attr:`PretrainedTransformer.saved` says of it."""
    from transformers import AutoModel, AutoTokenizer  # seconds to import: only where one is used

    try:
        tokenizer = AutoTokenizer.from_pretrained(name, use_fast=True)
        if getattr(tokenizer, "add_prefix_space", None) is False:  # byte-level ones: a word follows a space
            tokenizer = AutoTokenizer.from_pretrained(name, use_fast=True, add_prefix_space=True)
        model = AutoModel.from_pretrained(name).float()
    except (OSError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise UserError(f"encoder: no transformer '{name}': {reason}") from error
    if not hasattr(tokenizer, "backend_tokenizer"):
        raise UserError(
            f"encoder: '{name}' has no fast tokenizer (tokenizer.json); take a model that has one"
        )
    if model.config.is_encoder_decoder:
        raise UserError(f"encoder: '{name}' is an encoder with a decoder; take a model that only encodes")
    backend = tokenizer.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    saved = {
        "architecture": json.loads(model.config.to_json_string(use_diff=False)),
        "tokenizer": {
            "tokenizer": backend.to_str(),
            "readable": min(tokenizer.model_max_length, _positions(model)),
            "unknown": tokenizer.unk_token or "?",
            "padding": tokenizer.pad_token_id or 0,
        },
    }
    return _without_pooler(model), saved


def _make(saved: Mapping[str, Any]) -> Any:
    """A model of the same shape; its weights are still to come."""
    from transformers import AutoConfig, AutoModel

    architecture = dict(saved["architecture"])
    config = AutoConfig.for_model(architecture.pop("model_type"), **architecture)
    make: Any = AutoModel.from_config
    return _without_pooler(make(config).float())


def _without_pooler(model: Any) -> Any:
    """No word's vector needs it; untrained and unused weights would disturb fingerprints and DDP."""
    if getattr(model, "pooler", None) is not None:
        model.pooler = None
    return model


def _positions(model: Any) -> int:
    """Pieces that the model has positions for; RoBERTa's begin after the one that padding has."""
    table = getattr(getattr(model, "embeddings", None), "position_embeddings", None)
    padding = getattr(table, "padding_idx", None)
    positions = int(getattr(model.config, "max_position_embeddings", 512))
    return positions if padding is None else positions - padding - 1


@lru_cache(maxsize=1)
def frozen(name: str, layers: tuple[int, ...], pooling: Pooling) -> PretrainedTransformer:
    """A transformer that stays as it is, loaded once for all the taggers of a process, on the GPU if there is one."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return PretrainedTransformer(name, layers, pooling).eval().requires_grad_(False).to(device)
