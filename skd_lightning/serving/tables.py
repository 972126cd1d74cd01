"""Large tables of weights, small on disk: whole numbers of eight bits a weight, or codes of several weights at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from skd_lightning.errors import UserError

Compression = Literal["float32", "float16", "int8", "pq"]
"""``pq`` is product quantisation (Jégou et al. 2011): each 4 neighbouring weights of a row are one of 256 groups."""

WIDTH = 4
"""Weights that one code of a product quantisation stands for."""
CODES = 256
SAMPLE = 2**15
"""Rows from which the groups are learned."""
PARTS = (".int8", ".scales", ".codes", ".codebook", ".columns")
"""Ends of the names of arrays that are parts of a compressed table."""
ROUNDS = 12
"""Rounds of Lloyd's algorithm."""


class WeightTable(Protocol):
    """Rows of float32 weights."""

    shape: tuple[int, int]
    """Rows and columns."""

    def rows(self, numbers: NDArray[np.integer]) -> NDArray[np.float32]:
        """Return (n, columns) some rows."""


class PlainTable:
    """A table of floats of any precision.

    Args:
        weights: (rows, columns).
    """

    def __init__(self, weights: np.ndarray) -> None:
        self.weights, self.shape = weights, weights.shape

    def rows(self, numbers: NDArray[np.integer]) -> NDArray[np.float32]:
        """Return (n, columns) some rows."""
        found: NDArray[np.float32] = self.weights[numbers].astype(np.float32, copy=False)
        return found


class Int8Table:
    """A table of whole numbers of eight bits, each row with a scale of its own.

    Args:
        numbers: (rows, columns) int8.
        scales: (rows,) float16 or float32.
    """

    def __init__(self, numbers: np.ndarray, scales: np.ndarray) -> None:
        self.numbers, self.scales, self.shape = numbers, scales, numbers.shape

    def rows(self, numbers: NDArray[np.integer]) -> NDArray[np.float32]:
        """Return (n, columns) some rows."""
        found: NDArray[np.float32] = self.numbers[numbers] * self.scales[numbers].astype(np.float32)[:, None]
        return found


class ProductTable:
    """A table whose rows are sequences of codes.

    Args:
        codes: (rows, parts) uint8.
        codebook: (parts, 256, width) the weights that each code of each part stands for.
        columns: of the table; the last part may be wider than what is left.
    """

    def __init__(self, codes: np.ndarray, codebook: np.ndarray, columns: int) -> None:
        self.codes, self.codebook = codes, codebook.astype(np.float32)
        self.shape = (len(codes), columns)

    def rows(self, numbers: NDArray[np.integer]) -> NDArray[np.float32]:
        """Return (n, columns) some rows."""
        parts = np.arange(self.codes.shape[1])
        found: NDArray[np.float32] = self.codebook[parts, self.codes[numbers]].reshape(len(numbers), -1)
        return found[:, : self.shape[1]]


def compressed(name: str, weights: NDArray[np.floating], kind: Compression) -> dict[str, np.ndarray]:
    """Return the arrays that stand for a table on disk, by name.

    Args:
        name: of the table.
        weights: (rows, columns), finite.
        kind: how it is written.

    >>> arrays = compressed("t", np.array([[0.5, -1.0]]), "int8")
    >>> sorted(arrays), table(arrays, "t").rows(np.array([0])).round(2).tolist()
    (['t.int8', 't.scales'], [[0.5, -1.0]])
    """
    if kind in ("float32", "float16"):
        limit = np.finfo(kind).max
        return {name: weights.clip(-limit, limit).astype(kind)}
    if kind == "int8":
        largest = np.abs(weights).max(axis=1, initial=0.0)
        scales = np.where(largest > 0, largest / 127, 1.0).astype(np.float32)
        numbers = np.rint(weights / scales[:, None]).clip(-127, 127).astype(np.int8)
        return {f"{name}.int8": numbers, f"{name}.scales": scales}
    columns = weights.shape[1]
    parts = np.pad(weights.astype(np.float32), ((0, 0), (0, -columns % WIDTH))).reshape(
        len(weights), -1, WIDTH
    )
    learned = [_groups(parts[:, part]) for part in range(parts.shape[1])]
    codebook = np.stack([group for group, _ in learned]).astype(np.float16)
    return {
        f"{name}.codes": np.stack([codes for _, codes in learned], axis=1),
        f"{name}.codebook": codebook,
        f"{name}.columns": np.array([columns], dtype=np.int64),
    }


def table(arrays: Mapping[str, np.ndarray], name: str) -> WeightTable:
    """Return a table from the arrays that :func:`compressed` made.

    Raises:
        UserError: the arrays lack the table, or do not fit each other.
    """
    if name in arrays and arrays[name].ndim == 2:
        return PlainTable(arrays[name])
    numbers, scales = arrays.get(f"{name}.int8"), arrays.get(f"{name}.scales")
    if numbers is not None and scales is not None and scales.shape == numbers.shape[:1] and numbers.ndim == 2:
        return Int8Table(numbers, scales)
    codes, codebook = arrays.get(f"{name}.codes"), arrays.get(f"{name}.codebook")
    columns = arrays.get(f"{name}.columns")
    if codes is not None and codebook is not None and columns is not None and columns.shape == (1,):
        fits = codes.ndim == 2 and codebook.shape == (codes.shape[1], CODES, WIDTH)
        if fits and codes.dtype == np.uint8 and 0 <= codes.shape[1] * WIDTH - int(columns[0]) < WIDTH:
            return ProductTable(codes, codebook, int(columns[0]))
    raise UserError(f"it has no table '{name}'")


def expanded(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the weights of a saved tagger as they were, tables as float32.

    Raises:
        UserError: the parts of a table do not fit each other.
    """
    found = {name: values for name, values in arrays.items() if not name.endswith(PARTS)}
    for name in {name.rsplit(".", 1)[0] for name in arrays if name.endswith(PARTS)}:
        whole = table(arrays, name)
        found[name] = whole.rows(np.arange(whole.shape[0]))
    return {
        name: values.astype(np.float32) if values.dtype == np.float16 else values
        for name, values in found.items()
    }


def _groups(points: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return centres (256, width) of groups of points, and the group (points,) of each; always the same ones."""
    draw = np.random.default_rng(0)
    sample = points[draw.permutation(len(points))[:SAMPLE]]
    centres = np.zeros((CODES, points.shape[1]), dtype=np.float32)
    centres[: min(CODES, len(sample))] = sample[:CODES]
    for _ in range(ROUNDS):
        own = _nearest(sample, centres)
        sizes = np.bincount(own, minlength=CODES)
        sums = np.stack([np.bincount(own, column, CODES) for column in sample.T], axis=1)
        centres = np.where(sizes[:, None] > 0, sums / np.maximum(sizes, 1)[:, None], centres).astype(
            np.float32
        )
    return centres, _nearest(points, centres)


def _nearest(points: NDArray[np.float32], centres: NDArray[np.float32]) -> NDArray[np.uint8]:
    half = (centres**2).sum(1) / 2
    chunks = (points[first : first + SAMPLE] for first in range(0, len(points), SAMPLE))
    found = [(half - chunk @ centres.T).argmin(axis=1).astype(np.uint8) for chunk in chunks]
    return np.concatenate([np.zeros(0, dtype=np.uint8), *found])
