"""Rows of float64 numbers, a multiple of a vector long.

Matrices are padded with zeros to a multiple of four tags and rows of messages to a multiple of eight, -inf or 0 at
the end: the remainder of a loop would cost more than all of its full vectors. A row is passed as a matrix and an
index, as making a view of it takes longer than its sum.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from skd_lightning.crf.kernels.compiler import Array, Potentials, compiled
from skd_lightning.crf.kernels.elementary import exp, log

TINY = 1e-200
"""A sum of terms of at most 1 that is larger than this is right, whatever underflowed in it."""


class Transitions(NamedTuple):
    """The transitions of all sentences, in the forms that the sweeps use.

    Attributes:
        scores: (tags, tags) nats ``[from, to]``.
        exponentials: e^(scores - largest), padded.
        transposed: of the exponentials.
        largest: of the scores, 0 if none is finite.
        width: of the rows of messages.
    """

    scores: Array
    exponentials: Array
    transposed: Array
    largest: float
    width: int


@compiled
def padded(unary: Potentials, b: int, words: int) -> Array:
    """The unary potentials of sentence b, in rows of a multiple of eight, -inf at the end."""
    tags = unary.shape[2]
    out = np.empty((words, (tags + 7) // 8 * 8))
    for i in range(words):
        for j in range(tags):
            out[i, j] = unary[b, i, j]
        for j in range(tags, out.shape[1]):
            out[i, j] = -math.inf
    return out


@compiled
def exponentiated(transitions: Potentials) -> Transitions:
    """Transitions of float32 or float64, prepared."""
    tags = transitions.shape[0]
    size = (tags + 3) // 4 * 4
    scores, out, transposed = np.empty((tags, tags)), np.zeros((size, size)), np.zeros((size, size))
    largest = -math.inf
    for i in range(tags):
        for j in range(tags):
            scores[i, j] = transitions[i, j]
            largest = max(largest, scores[i, j])
    if largest == -math.inf:
        largest = 0.0
    for i in range(tags):
        for j in range(tags):
            shifted = scores[i, j] - largest
            out[i, j] = 0.0 if shifted < -700.0 else exp(shifted)
            transposed[j, i] = out[i, j]
    return Transitions(scores, out, transposed, largest, (tags + 7) // 8 * 8)


@compiled
def multiply(matrix: Array, i: int, vectors: Array, k: int, out: Array) -> None:
    """out[k] = matrix @ vectors[i], sizes padded; four rows at a time for that many fewer loads of the vector.

    Rows are passed as a matrix and an index, here and below: making a view of a row takes longer than its sum.
    """
    size = matrix.shape[0]
    for j in range(0, size, 4):
        a = b = c = d = 0.0
        for x in range(size):
            factor = vectors[i, x]
            a += factor * matrix[j, x]
            b += factor * matrix[j + 1, x]
            c += factor * matrix[j + 2, x]
            d += factor * matrix[j + 3, x]
        out[k, j], out[k, j + 1], out[k, j + 2], out[k, j + 3] = a, b, c, d


@compiled
def add_products(left: Array, right: Array, out: Array) -> None:
    """out += left.T @ right, a sum of outer products over words. Four words at a time, as above."""
    words, size = left.shape[0], out.shape[0]
    whole = words - words % 4
    for t in range(0, whole, 4):
        for i in range(size):
            a, b, c, d = left[t, i], left[t + 1, i], left[t + 2, i], left[t + 3, i]
            for j in range(size):
                out[i, j] += a * right[t, j] + b * right[t + 1, j] + c * right[t + 2, j] + d * right[t + 3, j]
    for t in range(whole, words):
        for i in range(size):
            a = left[t, i]
            for j in range(size):
                out[i, j] += a * right[t, j]


@compiled
def log_sum(scores: Array, more: Array) -> float:
    """log Σ exp(scores + more), in log space."""
    largest = -math.inf
    for i in range(more.shape[0]):
        value = scores[i] + more[i]
        if value > largest or value != value:
            largest = value
    if largest == -math.inf:
        return largest
    total = 0.0
    for i in range(more.shape[0]):
        total += math.exp(scores[i] + more[i] - largest)
    return largest + math.log(total)


@compiled
def underflows(i: int, sums: Array, tags: int) -> bool:
    """Whether a sum of row i is too small to be trusted, or not a number."""
    low = 0
    for j in range(sums.shape[1]):
        low += not sums[i, j] >= TINY
    return bool(low > sums.shape[1] - tags)  # the padding is 0


@compiled
def take_logs(i: int, sums: Array, out: Array) -> None:
    """out[i] = log sums[i]; they are at least 0."""
    for j in range(sums.shape[1]):
        out[i, j] = log(sums[i, j]) if sums[i, j] > 0.0 else -math.inf


@compiled
def vanishes(i: int, posterior: Array, unary: Array) -> bool:
    """Whether a probability of row i is too small to be trusted though nothing forbids its tag."""
    low = 0
    for j in range(unary.shape[1]):
        low += (posterior[i, j] < TINY) & (unary[i, j] > -math.inf)
    return low > 0


@compiled
def largest_of(i: int, scores: Array) -> float:
    """The largest of scores[i]; 0 if all are -inf."""
    a = b = c = d = -math.inf
    for j in range(0, scores.shape[1], 4):  # four chains of comparisons, none waits for another
        a = max(a, scores[i, j])
        b = max(b, scores[i, j + 1])
        c = max(c, scores[i, j + 2])
        d = max(d, scores[i, j + 3])
    largest = max(max(a, b), max(c, d))
    return largest if largest > -math.inf else 0.0


@compiled
def exponentiate(i: int, scores: Array, shift: float, out: Array) -> None:
    """out[i] = e^(scores[i] - shift), for a shift that is their largest; NaN stays NaN."""
    for j in range(scores.shape[1]):
        score = scores[i, j] - shift
        out[i, j] = 0.0 if score < -700.0 else exp(score)


@compiled
def weigh(i: int, weights: Array, values: Array, out: Array) -> float:
    """out[i] = weights[i] · values[i], divided by their sum; returns the sum."""
    total = 0.0
    for j in range(values.shape[1]):
        product = weights[i, j] * values[i, j]
        out[i, j] = product
        total += product
    scale = 1.0 / total
    for j in range(values.shape[1]):
        out[i, j] *= scale
    return total
