"""Sparse features of words in their sentences, for weights that lead straight to the tags."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from skd_lightning.encoders.feature_table import FeatureTable
from skd_lightning.encoders.lexicon import IndexedWords, WordFeaturizer, joined_features
from skd_lightning.features.word_hashes import BAGS, edge_hashes, salts_of, word_hashes


class WideFeaturizer(WordFeaturizer):
    """Words to the rows of their features: of the word itself, and of the words around it.

    A feature that the training data do not have is left out. What a word contributes to its neighbours depends on the
    word alone, so that the features of a sentence are sums over its words (see ``taggers.wide.WidePath``).

    Args:
        of_languages: each feature has a second weight of its own in every language, for sentences whose language is
            known (Daumé 2007).
    """

    def __init__(self, of_languages: bool) -> None:
        self.of_languages = of_languages
        self.use_features(np.zeros(0, dtype=np.uint64))
        super().__init__(_packed(*edge_hashes())[0])

    def use_features(self, keys: NDArray[np.uint64]) -> None:
        """Change the known features, given as hashes; what was indexed before stays valid."""
        self.table = FeatureTable(keys)

    def learn(
        self, sentences: Sequence[Sequence[str]], languages: Sequence[str]
    ) -> tuple[NDArray[np.uint64], int]:
        """Return the hashes of all features that sentences have, and how many are no language's own: these come first.

        Args:
            sentences: lists of words.
            languages: of each sentence.
        """
        words: dict[str, dict[str, None]] = {}
        for sentence, language in zip(sentences, languages, strict=True):
            words.setdefault(self.known(language), {}).update(dict.fromkeys(sentence))
        shared = word_hashes(list(dict.fromkeys(chain.from_iterable(words.values()))))[0]
        own = [word_hashes(list(found), salts_of(name)[1:])[0] for name, found in words.items() if name]
        common = np.unique(np.concatenate([edge_hashes()[0], shared]))
        return np.concatenate([common, *map(np.unique, own)]), len(common)

    def known(self, language: str) -> str:
        """Return the language if its features are its own."""
        return language if self.of_languages else ""

    def features(self, words: Sequence[str], language: str) -> list[NDArray[np.uint64]]:
        """Return for each word how many features each bag has, and their hashes, bag by bag."""
        return _packed(*word_hashes(words, salts_of(language)))

    def collate(self, items: Sequence[IndexedWords | np.ndarray], words: int) -> dict[str, Tensor]:
        """Return the inputs of a batch, in which a word that occurs twice has its features once.

        Returns:
            ``place`` (batch, words): which distinct word, 0 at the edge of a sentence; ``rows`` (known features of
            all bags of all distinct words, joined) and ``bags`` (distinct words · BAGS,) where each bag begins.
        """
        distinct, place = self.distinct_words(
            items, words + 1
        )  # the edge is always among them, and the first
        values, lengths = joined_features(distinct)
        heads = (np.cumsum(lengths) - lengths)[:, None] + np.arange(BAGS)
        is_hash = np.ones(len(values), dtype=bool)
        is_hash[heads] = False
        rows, sizes = self.table.rows(values[is_hash], values[heads].astype(np.int64).ravel())
        arrays = {
            "place": np.ascontiguousarray(place[:, :words]),
            "rows": rows,
            "bags": np.cumsum(sizes) - sizes,
        }
        return {name: torch.from_numpy(array) for name, array in arrays.items()}


def _packed(hashes: NDArray[np.uint64], sizes: NDArray[np.int64]) -> list[NDArray[np.uint64]]:
    """Return an array for each word: the sizes of its bags, then their features."""
    lengths = sizes.sum(1) + BAGS
    ends = np.cumsum(lengths)
    packed = np.empty(int(lengths.sum()), dtype=np.uint64)
    heads = (ends - lengths)[:, None] + np.arange(BAGS)
    is_hash = np.ones(len(packed), dtype=bool)
    is_hash[heads] = False
    packed[heads], packed[is_hash] = sizes, hashes
    # np.split does the same in five times the time
    return [packed[end - length : end] for length, end in zip(lengths.tolist(), ends.tolist(), strict=True)]
