"""Word forms and character n-grams, hashed; computed once for each distinct word."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from skd_lightning.encoders.lexicon import IndexedWords, WordFeaturizer, joined_features

FORMS = 2
"""Form features of a word: as written, and in lower case."""


def word_shape(word: str) -> str:
    """Return the classes of a word's characters, runs collapsed.

    >>> word_shape("McDonald's3")
    'XxXx.xd'
    """
    shape = ""
    for char in word:
        kind = "X" if char.isupper() else "d" if char.isdigit() else "x" if char.isalpha() else "."
        if not shape.endswith(kind):
            shape += kind
    return shape


def character_features(word: str, ngram: int = 3, affix: int = 4) -> list[str]:
    """Return the shape, the prefixes and suffixes of 1 to ``affix`` characters, and the inner n-grams of a word."""
    lower = word.lower()
    reach = range(1, min(affix, len(lower)) + 1)
    marked = f"<{lower}>"
    return [
        f"shape={word_shape(word)}",
        *(f"prefix={lower[:n]}" for n in reach),
        *(f"suffix={lower[-n:]}" for n in reach),
        *(f"gram={marked[i : i + ngram]}" for i in range(max(len(marked) - ngram + 1, 1))),
    ]


class NgramFeaturizer(WordFeaturizer):
    """Words to buckets of their forms and of their character features, and to their places in a vocabulary.

    Args:
        buckets: size of the hashed table; two features may share a bucket.
    """

    def __init__(self, buckets: int) -> None:
        self.buckets = buckets
        self._vocabulary: dict[str, int] = {}
        super().__init__(self.features([""])[0], word="")

    def use_vocabulary(self, vocabulary: Sequence[str]) -> None:
        """Change the known words (in lower case); a word's place is its index + 1, and 0 is that of all others."""
        self._vocabulary = {word: place for place, word in enumerate(vocabulary, start=1)}

    def features(self, words: Sequence[str], language: str = "") -> list[np.ndarray]:
        """Return (2 + character features,) int64 buckets of each word, its two forms first."""
        return [np.array([self._bucket(name) for name in _names(word)], dtype=np.int64) for word in words]

    def _bucket(self, name: str) -> int:
        # Stable over processes, unlike hash(); text from the web may hold lone surrogates.
        return zlib.crc32(name.encode("utf-8", "surrogatepass")) % self.buckets

    def collate(self, items: Sequence[IndexedWords | np.ndarray], words: int) -> dict[str, Tensor]:
        """Return the inputs of a batch, in which a word that occurs twice has its features once.

        Returns:
            ``place`` (batch, words): which distinct word; ``grams`` (character features of all distinct words,
            joined) and ``offsets`` (distinct words,) into it; ``forms`` (distinct words, 2); ``known`` (distinct
            words,) places in the vocabulary.
        """
        distinct, place = self.distinct_words(items, words)
        features, sizes = joined_features(distinct)
        first = np.cumsum(sizes) - sizes
        forms = first[:, None] + np.arange(FORMS)
        character = np.ones(len(features), dtype=bool)
        character[forms] = False
        known = np.zeros_like(sizes)
        if self._vocabulary:
            names = [lexicon.words[n] for lexicon, own in distinct for n in own.tolist()]
            known = np.array([self._vocabulary.get(name.lower(), 0) for name in names])
        arrays = {
            "place": place,
            "grams": features[character],
            "offsets": first - FORMS * np.arange(len(first)),
            "forms": features[forms],
            "known": known,
        }
        return {name: torch.from_numpy(array) for name, array in arrays.items()}


def _names(word: str) -> list[str]:
    return [f"word={word}", f"lower={word.lower()}", *character_features(word)]
