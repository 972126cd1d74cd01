"""Sentences of different lengths: joined in one array, laid out one under the other, cut into batches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def cells(lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Row and column of every word where sentences of these lengths stand one under the other.

    ``padded[cells(lengths)] = joined`` lays them out, ``padded[cells(lengths)]`` joins them again.
    """
    ends = np.cumsum(lengths)
    column = np.arange(lengths.sum()) - np.repeat(ends - lengths, lengths)
    return np.repeat(np.arange(len(lengths)), lengths), column


def cut_by_budget(order: Sequence[int], lengths: np.ndarray, tokens: int) -> list[list[int]]:
    """Cut an order of sentences into batches of at most ``tokens`` words, padding counted.

    A sentence that is longer than the budget alone is a batch of its own; nothing is cut short.
    """
    batches: list[list[int]] = []
    longest = 0
    for i in order:
        width = max(longest, int(lengths[i]), 1)
        if batches and width * (len(batches[-1]) + 1) <= tokens:
            batches[-1].append(int(i))
            longest = width
        else:
            batches.append([int(i)])
            longest = max(int(lengths[i]), 1)
    return batches
