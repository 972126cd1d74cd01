"""Sentences of different lengths, joined in one array or laid out one under the other."""

from __future__ import annotations

import numpy as np


def cells(lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Row and column of every word where sentences of these lengths stand one under the other.

    ``padded[cells(lengths)] = joined`` lays them out, ``padded[cells(lengths)]`` joins them again.
    """
    ends = np.cumsum(lengths)
    column = np.arange(lengths.sum()) - np.repeat(ends - lengths, lengths)
    return np.repeat(np.arange(len(lengths)), lengths), column
