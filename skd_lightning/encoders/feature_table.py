"""Known features and their rows: a hash table that compiled loops read."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from skd_lightning.encoders.loops import loop


class FeatureTable:
    """The rows of known features.

    Args:
        keys: (rows,) uint64 hashes of the known features, all different; a feature's row is its place.

    >>> table = FeatureTable(np.array([7, 5], dtype=np.uint64))
    >>> rows, sizes = table.rows(np.array([5, 6, 7], dtype=np.uint64), np.array([[2], [1]]))
    >>> rows.tolist(), sizes.tolist()  # nobody knows 6
    ([1, 0], [[1], [1]])
    """

    def __init__(self, keys: NDArray[np.uint64]) -> None:
        self.keys = keys
        slots = 1 << max(4, int(2 * len(keys) - 1).bit_length())
        self._slots = np.full(slots, -1, dtype=np.int32)
        _enter(keys, self._slots)

    def rows(
        self, hashes: NDArray[np.uint64], sizes: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the rows of the features that are known.

        Args:
            hashes: (features,) of several bags, joined.
            sizes: of each bag, any shape.

        Returns:
            (known features,) rows, joined; the sizes of the bags without the unknown features.
        """
        rows = np.empty(len(hashes), dtype=np.int64)
        known = np.zeros(sizes.size, dtype=np.int64)
        found = _find(hashes, sizes.ravel(), self.keys, self._slots, rows, known)
        return rows[:found], known.reshape(sizes.shape)


@loop
def _enter(keys: NDArray[np.uint64], slots: NDArray[np.int32]) -> None:
    last = np.uint64(len(slots) - 1)
    for row in range(len(keys)):
        slot = keys[row] & last
        while slots[slot] >= 0:
            slot = (slot + np.uint64(1)) & last
        slots[slot] = row


@loop
def _find(
    hashes: NDArray[np.uint64],
    sizes: NDArray[np.int64],
    keys: NDArray[np.uint64],
    slots: NDArray[np.int32],
    rows: NDArray[np.int64],
    known: NDArray[np.int64],
) -> int:
    last = np.uint64(len(slots) - 1)
    at, found = 0, 0
    for bag in range(len(sizes)):
        for _ in range(sizes[bag]):
            key = hashes[at]
            at += 1
            slot = key & last
            while slots[slot] >= 0 and keys[slots[slot]] != key:
                slot = (slot + np.uint64(1)) & last
            if slots[slot] >= 0:
                rows[found] = slots[slot]
                found += 1
                known[bag] += 1
    return found
