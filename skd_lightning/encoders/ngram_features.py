"""Word forms and character n-grams, hashed; computed once for each distinct word."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from skd_lightning.encoders.lexicon import IndexedWords, WordFeaturizer, joined_features
from skd_lightning.features.characters import FORMS, feature_buckets


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
        return [np.array(feature_buckets(word, self.buckets), dtype=np.int64) for word in words]

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
