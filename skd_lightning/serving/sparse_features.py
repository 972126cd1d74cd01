"""The scores of sparse features without PyTorch, see ``taggers.wide.WidePath``."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from skd_lightning.features.word_hashes import BAGS, REACH, edge_hashes, word_hashes
from skd_lightning.serving.tables import Table

Scores = NDArray[np.float32]


class SparseFeatures:
    """The weights of known features, added up for words.

    Args:
        keys: (features,) uint64 hashes of the known features, in rising order.
        weights: (features, tags) nats.
        bias: (tags,) nats.
    """

    def __init__(self, keys: NDArray[np.uint64], weights: Table, bias: Scores) -> None:
        self.keys, self.weights, self.bias = keys, weights, bias

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
        salts = [0, zlib.crc32(language.encode())] if language else [0]
        return self._sums(*word_hashes(words, salts))

    def of_edge(self) -> Scores:
        """Return (BAGS · tags,) what stands beyond the edges of sentences."""
        edge: Scores = self._sums(*edge_hashes())[0]
        return edge

    def _sums(self, hashes: NDArray[np.uint64], sizes: NDArray[np.int64]) -> Scores:
        places = np.searchsorted(self.keys, hashes)
        places[places == len(self.keys)] = 0
        known = np.flatnonzero(self.keys[places] == hashes) if len(self.keys) else np.zeros(0, dtype=int)
        bags = np.repeat(np.arange(sizes.size), sizes.ravel())[known]
        sums = np.zeros((sizes.size, self.tags), dtype=np.float32)
        if len(known):
            first = np.flatnonzero(np.diff(bags, prepend=-1))
            sums[bags[first]] = np.add.reduceat(self.weights.rows(places[known]), first, axis=0)
        return sums.reshape(len(sizes), -1)

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
