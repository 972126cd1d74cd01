"""The scores of sparse features without PyTorch, see ``taggers.wide.WidePath``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from skd_lightning.features.word_hashes import BAGS, REACH, edge_hashes, salts_of, word_hashes
from skd_lightning.serving.tables import WeightTable

Scores = NDArray[np.float32]
INDEX_BITS = 16
"""First bits of a hash by which it is looked up."""


class SparseFeatures:
    """The weights of known features, added up for words.

    Args:
        keys: (features,) uint64 hashes of the known features, in rising order.
        weights: (features, tags) nats.
        bias: (tags,) nats.
    """

    def __init__(self, keys: NDArray[np.uint64], weights: WeightTable, bias: Scores) -> None:
        self.keys, self.weights, self.bias = keys, weights, bias
        # Binary search among a million keys waits for memory at each of its twenty steps. Keys are hashes and so evenly
        # spread: their first bits lead to a few neighbours.
        bits = min(max(len(keys).bit_length() - 4, 1), INDEX_BITS)
        self._shift = np.uint64(64 - bits)
        self._first = np.searchsorted(keys, np.arange(2**bits, dtype=np.uint64) << self._shift)
        most = int(np.diff(self._first, append=len(keys)).max())
        self._steps = [2**step for step in range(most.bit_length() - 1, -1, -1)]

    @property
    def tags(self) -> int:
        """Return the number of tags."""
        return self.weights.shape[1]

    def of_words(self, words: Sequence[str], language: str) -> Scores:
        """Return (words, BAGS · tags) the sums of each bag of each word.

        Args:
            words: any strings.
            language: whose own features count beside the shared ones; "" for none.
        """
        return self._sums(*word_hashes(words, salts_of(language)))

    def of_edge(self) -> Scores:
        """Return (BAGS · tags,) what stands beyond the edges of sentences."""
        edge: Scores = self._sums(*edge_hashes())[0]
        return edge

    def _sums(self, hashes: NDArray[np.uint64], sizes: NDArray[np.int64]) -> Scores:
        places = self._places(hashes)
        known = np.flatnonzero(self.keys[places] == hashes) if len(self.keys) else np.zeros(0, dtype=int)
        bags = np.repeat(np.arange(sizes.size), sizes.ravel())[known]
        sums = np.zeros((sizes.size, self.tags), dtype=np.float32)
        if len(known):
            first = np.flatnonzero(np.diff(bags, prepend=-1))
            sums[bags[first]] = np.add.reduceat(self.weights.rows(places[known]), first, axis=0)
        return sums.reshape(len(sizes), -1)

    def _places(self, hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Return where each hash stands among the keys if it does; elsewhere the place of another key."""
        keys, last = self.keys, len(self.keys)
        below = self._first[hashes >> self._shift]  # number of keys that are known to be smaller
        for step in self._steps:
            more = np.minimum(below + step, last)
            below = np.where(keys[more - 1] < hashes, more, below)
        places: NDArray[np.int64] = np.minimum(below, last - 1)
        return places

    def emissions(self, of_words: Scores, numbers: NDArray[np.int64]) -> Scores:
        """Return (batch, words, tags) scores in nats.

        Args:
            of_words: (rows, BAGS · tags), of the edge first.
            numbers: (batch, words) row of each word, 0 at padding.
        """
        words = numbers.shape[1]
        bags = of_words.reshape(len(of_words), BAGS, self.tags)
        around = np.pad(numbers, ((0, 0), (REACH, REACH)))
        total = np.broadcast_to(self.bias, (*numbers.shape, self.tags)).astype(np.float32)
        for bag in range(BAGS):
            total += bags[around[:, bag : bag + words], bag]
        return total
