"""Word forms and character n-grams, hashed; computed once for each distinct word."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from skd_lightning.encoders.base import Featurizer
from skd_lightning.ragged import distinct

FORMS = 2
"""Form features of a word: as written, and in lower case."""


def word_shape(word: str) -> str:
    """``McDonald's3`` -> ``XxXx.xd``: classes of characters, runs collapsed."""
    shape = ""
    for char in word:
        kind = "X" if char.isupper() else "d" if char.isdigit() else "x" if char.isalpha() else "."
        if not shape.endswith(kind):
            shape += kind
    return shape


def character_features(word: str, ngram: int = 3, affix: int = 4) -> list[str]:
    """Prefixes and suffixes of 1 to ``affix`` characters, inner n-grams, and the shape."""
    lower = word.lower()
    reach = range(1, min(affix, len(lower)) + 1)
    marked = f"<{lower}>"
    return [
        f"shape={word_shape(word)}",
        *(f"prefix={lower[:n]}" for n in reach),
        *(f"suffix={lower[-n:]}" for n in reach),
        *(f"gram={marked[i : i + ngram]}" for i in range(max(len(marked) - ngram + 1, 1))),
    ]


class NgramFeaturizer(Featurizer):
    """Word -> buckets of its forms and of its character features, and its place in a vocabulary.

    Args:
        buckets: size of the hashed table; two features may share a bucket.
        vocabulary: words with an embedding of their own (in lower case), or none; others share index 0.
    """

    def __init__(self, buckets: int, vocabulary: Sequence[str] = ()) -> None:
        self.buckets = buckets
        self._places: dict[str, int] = {}
        self._lexicon: dict[str, int] = {}
        self._forms = np.zeros((0, FORMS), dtype=np.int64)
        self._known = np.zeros(0, dtype=np.int64)
        self._grams = np.zeros(0, dtype=np.int64)
        self._starts = np.zeros(1, dtype=np.int64)
        self.index([[""]])  # entry 0 fills the padding
        self.use_vocabulary(vocabulary)

    def use_vocabulary(self, vocabulary: Sequence[str]) -> None:
        """Change the known words; what was indexed before stays valid."""
        self._places = {word: place for place, word in enumerate(vocabulary, start=1)}
        self._known = np.array([self._place(word) for word in self._lexicon], dtype=np.int64)

    def _place(self, word: str) -> int:
        return self._places.get(word.lower(), 0)

    def index(self, sentences: Sequence[Sequence[str]], keep: bool = False) -> list[np.ndarray]:
        """Each sentence as places in the lexicon, which grows by the words it has not met."""
        indexed = []
        new: list[str] = []
        for words in sentences:
            row = np.empty(len(words), dtype=np.int32)
            for i, word in enumerate(words):
                place = self._lexicon.get(word)
                if place is None:
                    place = self._lexicon[word] = len(self._lexicon)
                    new.append(word)
                row[i] = place
            indexed.append(row)
        self._add(new)
        return indexed

    def _add(self, words: list[str]) -> None:
        if not words:
            return
        grams = [[self._bucket(feature) for feature in character_features(word)] for word in words]
        forms = [[self._bucket(f"word={word}"), self._bucket(f"lower={word.lower()}")] for word in words]
        known = [self._place(word) for word in words]
        starts = self._starts[-1] + np.cumsum([len(row) for row in grams])
        self._grams = np.concatenate([self._grams, np.concatenate([np.array(row) for row in grams])])
        self._starts = np.concatenate([self._starts, starts])
        self._forms = np.concatenate([self._forms, np.array(forms)])
        self._known = np.concatenate([self._known, np.array(known)])

    def _bucket(self, feature: str) -> int:
        return zlib.crc32(feature.encode()) % self.buckets  # stable over processes, unlike hash()

    def collate(self, items: Sequence[np.ndarray], words: int) -> dict[str, Tensor]:
        """Inputs of a batch; a word that occurs twice in it is featurised once.

        Returns:
            ``place`` (batch, words): which distinct word; ``grams`` (features of all distinct words, joined)
            and ``offsets`` (distinct words,) into it; ``forms`` (distinct words, 2); ``known`` (distinct words,).
        """
        entries, place = distinct(items, words)
        starts, sizes = self._starts[entries], self._starts[entries + 1] - self._starts[entries]
        offsets = np.cumsum(sizes) - sizes
        within = np.arange(sizes.sum()) - np.repeat(offsets, sizes)
        arrays = {
            "place": place,
            "grams": self._grams[np.repeat(starts, sizes) + within],
            "offsets": offsets,
            "forms": self._forms[entries],
            "known": self._known[entries],
        }
        return {name: torch.from_numpy(array) for name, array in arrays.items()}
