"""Rows of probabilities or expected counts, most of them near 0: only the others are stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from skd_lightning.ragged import ranges

LEAST = 1e-4
"""Smaller values are not stored, as long as they are no more than ``LOST`` of their row together."""

LOST = 0.01
"""The largest share of a row's sum that is not stored."""


@dataclass(frozen=True)
class SparseRows:
    """The values of a matrix that are not near 0.

    Attributes:
        sizes: (rows,) how many values each row has.
        columns: (values,) the column of each, row by row.
        values: (values,) float16 or float32.
        starts: (rows + 1,) the place of each row's first value.
    """

    sizes: np.ndarray
    columns: np.ndarray
    values: np.ndarray
    starts: np.ndarray

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray], prefix: str = "") -> SparseRows:
        """Return the rows from the arrays of :func:`sparsified`, which may be memory-mapped.

        Args:
            arrays: these, and perhaps others.
            prefix: of their names.
        """
        sizes = arrays[f"{prefix}sizes"]
        starts = np.zeros(len(sizes) + 1, dtype=np.int64)
        np.cumsum(sizes, out=starts[1:])
        return cls(sizes, arrays[f"{prefix}columns"], arrays[f"{prefix}values"], starts)

    def take(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the values of some rows: which of ``rows`` each belongs to, its column, and the value itself.

        >>> sparse = SparseRows.of(sparsified(np.array([[0.0, 1.0], [0.5, 0.5]]), np.float32))
        >>> sparse.take(np.array([1, 0]))
        (array([0, 0, 1]), array([0, 1, 1], dtype=uint8), array([0.5, 0.5, 1. ], dtype=float32))
        """
        sizes = self.starts[rows + 1] - self.starts[rows]
        owner = np.repeat(np.arange(len(rows)), sizes)
        place = ranges(self.starts[rows], sizes)
        return owner, self.columns[place], self.values[place]


def sparsified(matrix: np.ndarray, dtype: type[np.floating]) -> dict[str, np.ndarray]:
    """Return the arrays of a matrix (rows, columns) without its values near 0.

    These are below ``LEAST``, and below ``LOST`` of the mean where a row has little: of a short sentence's counts, most
    pairs of many tags are. What a row loses, all its other values gain in proportion: its sum stays.

    Args:
        matrix: (rows, columns) float32, not negative.
        dtype: of the stored values.
    """
    total = matrix.sum(1, keepdims=True)
    kept = (matrix >= np.minimum(LEAST, LOST * total / matrix.shape[1])) & (matrix > 0)
    left = np.where(kept, matrix, 0.0).sum(1, keepdims=True)
    scaled = matrix * np.divide(total, left, out=np.ones_like(total), where=left > 0)
    _, columns = np.nonzero(kept)
    return {
        "sizes": kept.sum(1).astype(_least_type(matrix.shape[1] + 1)),
        "columns": columns.astype(_least_type(matrix.shape[1])),
        "values": scaled[kept].astype(dtype),
    }


def joined(parts: Sequence[Mapping[str, np.ndarray]], rows: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Return the arrays of one matrix whose rows several hold.

    Args:
        parts: arrays that :func:`sparsified` made.
        rows: for each part the numbers of its rows in the whole matrix; together they are all numbers once.
    """
    if not parts:
        return sparsified(np.zeros((0, 1), dtype=np.float32), np.float32)
    all_rows = SparseRows.of({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})
    order = np.argsort(np.concatenate(rows))
    _, columns, values = all_rows.take(order)
    return {"sizes": all_rows.sizes[order], "columns": columns, "values": values}


def _least_type(numbers: int) -> type[np.unsignedinteger]:
    return np.uint8 if numbers <= 256 else np.uint16 if numbers <= 65536 else np.uint32
