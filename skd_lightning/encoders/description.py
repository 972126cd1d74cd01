"""Encoders from their descriptions: from a table of classes, and without reading anything that is not allowed."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from types import NoneType
from typing import Any, TypeVar, get_args, get_type_hints

import torch
from pydantic import ConfigDict, TypeAdapter, ValidationError

from skd_lightning.encoders.base import Embedder
from skd_lightning.encoders.concatenation import ConcatenatedEmbedder
from skd_lightning.encoders.context import BiLSTM, Context, NoContext
from skd_lightning.encoders.flair import FlairEmbedder
from skd_lightning.encoders.ngram import NgramEmbedder
from skd_lightning.encoders.none import NoEmbedder
from skd_lightning.encoders.static import StaticEmbedder
from skd_lightning.encoders.subword import SubwordEmbedder
from skd_lightning.encoders.transformer import FineTunedTransformerEmbedder, FrozenTransformerEmbedder
from skd_lightning.errors import UserError

EMBEDDERS: dict[str, type[Embedder]] = {
    own.__name__: own
    for own in (
        ConcatenatedEmbedder,
        FineTunedTransformerEmbedder,
        FlairEmbedder,
        FrozenTransformerEmbedder,
        NgramEmbedder,
        NoEmbedder,
        StaticEmbedder,
        SubwordEmbedder,
    )
}
"""The embedders that a description may name."""
CONTEXTS: dict[str, type[Context]] = {own.__name__: own for own in (BiLSTM, NoContext)}
"""The contexts that a description may name."""
T = TypeVar("T")

FINITE = ConfigDict(allow_inf_nan=False)
SIMPLE = {bool, int, float, str, NoneType}
"""Types of settings that are compared before an object is made; a class looks at others itself."""
MOST_PARTS = 1000
"""Layers of a network or parts of an embedder; a description with more is refused before they are made."""


class EncoderMaker:
    """Makes the parts of a described encoder (see ``Encoder.description``), as often as it is asked for them.

    What lies outside of the tagger's folder is opened once.

    Args:
        outside: allow embedders that read files or models from elsewhere.
        embedders: classes beside this package's, by the names that descriptions have for them.
        cache: folder of word vectors; None for the default one. A description's own is not believed.
    """

    def __init__(
        self,
        outside: bool = False,
        embedders: Mapping[str, type[Embedder]] | None = None,
        cache: str | None = None,
    ) -> None:
        self.outside, self.cache = outside, cache
        self.foreign = dict(embedders or {})
        self._opened: dict[str, Embedder] = {}

    def parts(self, description: Mapping[str, Any]) -> tuple[Embedder, Context]:
        """Make the embedder, without its weights, and the settings of its context.

        Raises:
            UserError: a name is in no table, something would be read that is not allowed, or a setting is refused.
        """
        kind, settings = _named(description["context"])
        if kind not in CONTEXTS:
            raise UserError(f"its context '{kind}' is none of this package's ({', '.join(CONTEXTS)})")
        return self._embedder(description["embedder"], "embedder"), made(CONTEXTS[kind], settings)

    def _embedder(self, description: Mapping[str, Any], place: str) -> Embedder:
        kind, settings = _named(description)
        own = self.foreign.get(kind) or EMBEDDERS.get(kind)
        if own is None:
            raise UserError(
                f"its embedder '{kind}' is none of this package's ({', '.join(EMBEDDERS)}); a class that you trust is "
                f"given as load(path, embedders={{'{kind}': …}})"
            )
        settings.pop("cache", None)
        if self.cache is not None and "cache" in inspect.signature(own).parameters:
            settings["cache"] = self.cache
        read = own.reads(settings)
        if read and not self.outside:
            raise UserError(
                f"its {kind} reads {read}; if you trust whoever made it, say load(path, outside=True)"
            )
        if own is ConcatenatedEmbedder:
            parts = settings["embedders"]
            if len(parts) > MOST_PARTS:
                raise UserError(f"its embedder has {len(parts)} parts, more than {MOST_PARTS}")
            settings["embedders"] = [self._embedder(part, f"{place}.{n}") for n, part in enumerate(parts)]
        if not read and kind not in self.foreign:
            return made(own, settings)
        if place not in self._opened:
            with torch.device("cpu"):
                self._opened[place] = own(**settings)
        return self._opened[place]


def made(own: type[T], settings: Mapping[str, Any]) -> T:
    """Return an object of a class of this package from settings of anybody.

    Raises:
        UserError: a setting is a number, word or truth value where the class wants another of these, or is not finite.
    """
    for name, hint in get_type_hints(own.__init__).items():
        if name in settings and SIMPLE.issuperset(get_args(hint) or [hint]):
            try:
                TypeAdapter(hint, config=FINITE).validate_python(settings[name], strict=True)
            except ValidationError:
                raise UserError(f"its {name} is {settings[name]!r:.80}, not {hint}") from None
    return own(**settings)


def _named(description: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return name and settings.

    Raises:
        UserError: a number of layers is beyond any network's.
    """
    kind, settings = str(description["name"]), dict(description["settings"])
    _refuse_layers(settings)
    return kind, settings


def _refuse_layers(settings: Mapping[str, Any]) -> None:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            _refuse_layers(value)
        elif "layer" in name and isinstance(value, int) and value > MOST_PARTS:
            raise UserError(f"its {name} is {value}, more than {MOST_PARTS}")
