"""The vectors of words without PyTorch: the embedders of saved taggers that read no sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skd_lightning.errors import UserError
from skd_lightning.features.characters import FORMS, feature_buckets
from skd_lightning.features.subwords import PieceCutter
from skd_lightning.serving.tables import table

Vectors = NDArray[np.float32]
WordVectors = Callable[[Sequence[str]], Vectors]
"""From words to their vectors (words, size)."""


def word_vectors(
    description: Mapping[str, Any], arrays: Mapping[str, np.ndarray], vocabulary: Sequence[str], place: str
) -> WordVectors:
    """Return the function of a described embedder.

    Args:
        description: its ``name`` and ``settings``.
        arrays: of the saved tagger.
        vocabulary: words with vectors of their own.
        place: beginning of the names of its arrays.

    Raises:
        UserError: it is none that works without PyTorch, or its arrays are not those of its settings.
    """
    kind, settings = description["name"], description["settings"]
    if kind not in EMBEDDINGS:
        raise UserError(
            f"its embedder is a {kind}, and without PyTorch there are {', '.join(EMBEDDINGS)}; "
            "load it with skd_lightning.load"
        )
    return EMBEDDINGS[kind](settings, arrays, vocabulary, place)


def _ngram(
    settings: Mapping[str, Any], arrays: Mapping[str, np.ndarray], vocabulary: Sequence[str], place: str
) -> WordVectors:
    grams, forms = (table(arrays, f"{place}.{name}.weight") for name in ("grams", "forms"))
    known = table(arrays, f"{place}.words.weight") if settings["word_embedding_size"] else None
    buckets = int(settings["buckets"])
    if not grams.shape[0] == forms.shape[0] == buckets or (
        known is not None and known.shape[0] != len(vocabulary) + 1
    ):
        raise UserError("its tables have not as many rows as its settings say")
    numbers = {word: number for number, word in enumerate(vocabulary, start=1)}

    def vectors(words: Sequence[str]) -> Vectors:
        features = [feature_buckets(word, buckets) for word in words]
        sizes = np.array([len(own) - FORMS for own in features])
        of_grams = np.array([bucket for own in features for bucket in own[FORMS:]])
        of_forms = np.array([own[:FORMS] for own in features])
        parts = [
            _means(grams.rows(of_grams), sizes),
            forms.rows(of_forms.ravel()).reshape(len(words), FORMS, -1).mean(axis=1),
        ]
        if known is not None:
            parts.append(known.rows(np.array([numbers.get(word.lower(), 0) for word in words])))
        return np.concatenate(parts, axis=1)

    return vectors


def _subword(
    settings: Mapping[str, Any], arrays: Mapping[str, np.ndarray], vocabulary: Sequence[str], place: str
) -> WordVectors:
    saved = settings["saved"]
    cutter, weights = (
        PieceCutter(saved["tokenizer"], saved["unknown"]),
        table(arrays, f"{place}.table.weight"),
    )

    def vectors(words: Sequence[str]) -> Vectors:
        pieces = cutter.pieces(words)
        numbers = np.concatenate(pieces)
        if numbers.max(initial=0) >= weights.shape[0]:
            raise UserError("its tokenizer has more pieces than its table has rows; save the tagger again")
        return _means(weights.rows(numbers), np.array([len(own) for own in pieces]))

    return vectors


def _joined(
    settings: Mapping[str, Any], arrays: Mapping[str, np.ndarray], vocabulary: Sequence[str], place: str
) -> WordVectors:
    parts = [
        word_vectors(part, arrays, vocabulary, f"{place}.embedders.{n}")
        for n, part in enumerate(settings["embedders"])
    ]
    return lambda words: np.concatenate([part(words) for part in parts], axis=1)


def _none(
    settings: Mapping[str, Any], arrays: Mapping[str, np.ndarray], vocabulary: Sequence[str], place: str
) -> WordVectors:
    return lambda words: np.zeros((len(words), 0), dtype=np.float32)


def _means(rows: Vectors, sizes: NDArray[np.int64]) -> Vectors:
    """Return the mean of each bag's rows; no bag is empty."""
    sums = np.add.reduceat(rows, np.cumsum(sizes) - sizes, axis=0)
    means: Vectors = sums * (1 / sizes[:, None]).astype(np.float32)
    return means


EMBEDDINGS: dict[str, Callable[..., WordVectors]] = {
    "ConcatenatedEmbedder": _joined,
    "NgramEmbedder": _ngram,
    "NoEmbedder": _none,
    "SubwordEmbedder": _subword,
}
"""Embedders that need no PyTorch, by the names that descriptions have for them."""
