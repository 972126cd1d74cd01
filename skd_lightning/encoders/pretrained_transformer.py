"""Vectors of words in their sentences, from a pretrained transformer: shared by fine-tuning and frozen use."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from skd_lightning.encoders.pieces import PieceFeaturizer
from skd_lightning.errors import UserError
from skd_lightning.features.windows import PieceWindows, Pooling
from skd_lightning.hub_access import outage
from skd_lightning.ragged import cut_by_budget
from skd_lightning.storage import add_weights

PIECES = 4096
"""Subword pieces a batch, padding included, where nothing is trained."""
EXECUTABLE = {"auto_map", "attn_implementation", "experts_implementation", "quantization_config"}
"""Settings of a transformer's configuration that may name code to be fetched from the hub; never believed."""


class PretrainedTransformer(nn.Module):
    """Any encoder-only ``AutoModel`` with a fast tokenizer, as a function from words to their vectors.

    Args:
        name: of a model on the hub, or a folder made by ``save_pretrained``.
        hidden_states: those of these layers are averaged; -1 is the last layer, 0 the embeddings.
        pooling: a word's vector is the ``mean`` of its pieces or that of the ``first``.
        saved: the attribute of another one; neither hub nor folder is then read, and the weights are untrained until
            a state dict is loaded.

    Attributes:
        saved: its shape and its tokenizer, as plain values.
        featurizer: makes the inputs of :meth:`forward`.
        size: length of a word's vector.

    Raises:
        UserError: there is no such model, or it is not of the kind that reads here.
    """

    def __init__(
        self,
        name: str,
        hidden_states: Sequence[int],
        pooling: Pooling,
        saved: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.model, self.saved = _load(name) if saved is None else (_make(saved), dict(saved))
        self.model.train()  # a new module's mode, and Lightning keeps it; from_pretrained leaves dropout off
        depth = int(self.model.config.num_hidden_layers)
        if not hidden_states or not all(-depth - 1 <= layer <= depth for layer in hidden_states):
            found = f"hidden_states are {list(hidden_states)}"
            raise UserError(f"embedder: {found}, '{name}' has 0 (embeddings) to {depth}")
        self.hidden_states, self.pooling = list(hidden_states), pooling
        self.featurizer = PieceFeaturizer(PieceWindows(**self.saved["tokenizer"], pooling=pooling))
        if self.featurizer.windows.window < 1:
            raise UserError(f"embedder: '{name}' reads {self.saved['tokenizer']['readable']} pieces, too few")
        self.size = int(self.model.config.hidden_size)

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return (batch, words, size), 0 at padding, from what :class:`PieceFeaturizer` collates."""
        if not len(inputs["pieces"]):  # nothing but empty sentences
            return torch.zeros(*inputs["counts"].shape, self.size, device=inputs["counts"].device)
        return means_of_pieces(self.states(inputs), inputs)

    def states(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return (windows, width, size), the mean of the chosen layers, from ``pieces`` and ``mask``."""
        read = {"input_ids": inputs["pieces"], "attention_mask": inputs["mask"]}
        if self.hidden_states == [-1]:
            return self.model(**read).last_hidden_state  # type: ignore[no-any-return]
        states = self.model(**read, output_hidden_states=True).hidden_states
        return torch.stack([states[layer] for layer in self.hidden_states]).mean(0)

    @cached_property
    def fingerprint(self) -> str:
        """Return a hash of all that a vector depends on beside its sentence, while nothing is trained."""
        tokenizer = self.saved["tokenizer"]["tokenizer"]
        read = [self.hidden_states, self.pooling, self.featurizer.windows.window, tokenizer]
        digest = hashlib.sha256(json.dumps([*read, described(self.saved["architecture"])]).encode())
        add_weights(digest, self.model)
        return digest.hexdigest()[:24]

    @torch.inference_mode()
    def vectors(
        self, sentences: Sequence[Sequence[str]], advance: Callable[[int], object] = lambda _: None
    ) -> list[np.ndarray]:
        """Return (words, size) float32 for each sentence, in their order.

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


def means_of_pieces(states: Tensor, inputs: Mapping[str, Tensor]) -> Tensor:
    """Return (batch, words, size), the mean over the counted pieces of each word, 0 at padding.

    Args:
        states: (windows, width, size) a vector of each piece.
        inputs: what :class:`PieceFeaturizer` collated.
    """
    counts, size = inputs["counts"], states.shape[-1]
    pieces = states.flatten(0, 1)[inputs["cell"]]
    sums = pieces.new_zeros(counts.numel(), size).index_add(0, inputs["word"], pieces)
    means: Tensor = sums.view(*counts.shape, size) / counts.clamp(min=1).unsqueeze(-1).to(sums.dtype)
    return means


def _load(name: str) -> tuple[Any, dict[str, Any]]:
    """Load a model from the hub or a folder; return it and its :attr:`PretrainedTransformer.saved`."""
    from transformers import AutoModel  # seconds to import: only where one is used

    model, settings = load_pretrained(name, AutoModel, "embedder")
    return _without_pooler(model), {"architecture": architecture(model), "tokenizer": settings}


def architecture(model: Any) -> dict[str, Any]:
    """Return the configuration of a model, as plain values."""
    return json.loads(model.config.to_json_string(use_diff=False))  # type: ignore[no-any-return]


def described(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a configuration may change an answer: not where it was loaded from, nor by which version."""
    others = ("architectures", "dtype", "torch_dtype", "transformers_version")
    return {name: value for name, value in _without_code(configuration).items() if name not in others}


def load_pretrained(name: str, auto: Any, role: str, **loading: Any) -> tuple[Any, dict[str, Any]]:
    """Load a model with its tokenizer from the hub or a folder; no code that comes with it is run.

    Args:
        name: of a model on the hub, or a folder made by ``save_pretrained``.
        auto: a class of transformers, such as ``AutoModel``.
        role: of the model, for messages.
        loading: further arguments of ``from_pretrained``.

    Returns:
        The model in float32; and the arguments of :class:`PieceFeaturizer`.

    Raises:
        UserError: there is no such model, or it is not of the kind that reads here.
    """
    out = None if Path(name).exists() else outage()
    from transformers import AutoTokenizer

    own: dict[str, Any] = {"trust_remote_code": False}  # else transformers asks on the terminal
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, use_fast=True, **own)
        if getattr(tokenizer, "add_prefix_space", None) is False:  # byte-level ones: a word follows a space
            tokenizer = AutoTokenizer.from_pretrained(name, use_fast=True, add_prefix_space=True, **own)
        model = auto.from_pretrained(name, **own, **loading).float()
    except (OSError, ValueError) as error:
        if "trust_remote_code" in str(error):
            raise UserError(
                f"{role}: '{name}' needs code of its own (auto_map), which is never run; take another model"
            ) from error
        reason = out or str(error).partition("\n")[0]
        if not Path(name).exists():
            reason = f"no such folder here, and not to be had from the hub ({reason})"
        raise UserError(f"{role}: no transformer '{name}': {reason}") from error
    if not hasattr(tokenizer, "backend_tokenizer"):
        raise UserError(f"{role}: '{name}' has no fast tokenizer (tokenizer.json); take a model that has one")
    # Where its files are missing, transformers makes up one that knows special tokens alone.
    if not set(tokenizer.get_vocab()) - set(tokenizer.all_special_tokens):
        raise UserError(
            f"{role}: '{name}' has no words in its tokenizer; tokenizer.save_pretrained writes it beside the model"
        )
    if model.config.is_encoder_decoder:
        raise UserError(f"{role}: '{name}' is an encoder with a decoder; take a model that only encodes")
    backend = tokenizer.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    return model, {
        "tokenizer": backend.to_str(),
        "readable": min(tokenizer.model_max_length, _positions(model.base_model)),
        "unknown": tokenizer.unk_token or "?",
        "padding": tokenizer.pad_token_id or 0,
    }


def _make(saved: Mapping[str, Any]) -> Any:
    """Make a model of the same shape, without its weights; nothing is read from disk or hub.

    Raises:
        UserError: the model is none that transformers has for text.
    """
    from transformers import AutoConfig, AutoModel
    from transformers.models.auto import modeling_auto

    architecture = _without_code(saved["architecture"])
    kind = architecture.pop("model_type")
    texts = {
        *modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES,
        *modeling_auto.MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES,
    }
    if kind not in texts:  # some models of images fetch parts of theirs wherever a configuration says
        raise UserError(f"embedder: '{kind}' is no model of text that transformers knows; take another model")
    make: Any = AutoModel.from_config
    return _without_pooler(make(AutoConfig.for_model(kind, **architecture), trust_remote_code=False).float())


def _without_code(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what may name code, and what is no setting."""
    return {
        name: _without_code(value) if isinstance(value, Mapping) else value
        for name, value in settings.items()
        if name not in EXECUTABLE and not name.startswith("_")
    }


def _without_pooler(model: Any) -> Any:
    """Remove the pooler: no word needs it, and unused weights would disturb fingerprints and DDP."""
    if getattr(model, "pooler", None) is not None:
        model.pooler = None
    return model


def _positions(model: Any) -> int:
    """Count the pieces that the model has positions for; RoBERTa's begin after the one that padding has."""
    table = getattr(getattr(model, "embeddings", None), "position_embeddings", None)
    padding = getattr(table, "padding_idx", None)
    positions = int(getattr(model.config, "max_position_embeddings", 512))
    return positions if padding is None else positions - padding - 1


@lru_cache(maxsize=1)
def frozen(name: str, hidden_states: tuple[int, ...], pooling: Pooling) -> PretrainedTransformer:
    """Return a transformer that stays as it is, on the GPU if there is one; all taggers of a process share it."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return PretrainedTransformer(name, hidden_states, pooling).eval().requires_grad_(False).to(device)
