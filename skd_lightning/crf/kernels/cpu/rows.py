"""Arithmetic on rows of float64 numbers that are a multiple of a vector long.

A row is passed as a matrix and an index: making a view of a row takes longer than its sum.
"""

from __future__ import annotations

import math

from skd_lightning.crf.kernels.cpu.compiler import Doubles, compiled
from skd_lightning.crf.kernels.cpu.exp_log import exp, log

TINY = 1e-200
"""A sum of terms of at most 1 that is larger than this is right, whatever underflowed in it."""


@compiled
def multiply(matrix: Doubles, i: int, vectors: Doubles, k: int, out: Doubles) -> None:
    """Set out[k] = matrix @ vectors[i], sizes padded; four rows at a time need a quarter of the loads of the vector."""
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
def add_products(left: Doubles, right: Doubles, out: Doubles) -> None:
    """Add left.T @ right, a sum of outer products over words, to out; four words at a time, as above."""
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
def log_sum(scores: Doubles, more: Doubles) -> float:
    """Return log Σ exp(scores + more), computed in log space; NaN stays NaN."""
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
def underflows(i: int, sums: Doubles, tags: int) -> bool:
    """Tell if a sum of row i is too small to be trusted, or not a number."""
    low = 0
    for j in range(sums.shape[1]):
        low += not sums[i, j] >= TINY
    return bool(low > sums.shape[1] - tags)  # the padding is 0


@compiled
def take_logs(i: int, sums: Doubles, out: Doubles) -> None:
    """Set out[i] = log sums[i], for sums of at least 0."""
    for j in range(sums.shape[1]):
        out[i, j] = log(sums[i, j]) if sums[i, j] > 0.0 else -math.inf


@compiled
def vanishes(i: int, posterior: Doubles, unary: Doubles) -> bool:
    """Tell if a probability of row i is too small to be trusted though nothing forbids its tag."""
    low = 0
    for j in range(unary.shape[1]):
        low += (posterior[i, j] < TINY) & (unary[i, j] > -math.inf)
    return low > 0


@compiled
def largest_of(i: int, scores: Doubles) -> float:
    """Return the largest of scores[i]; 0 if all are -inf."""
    a = b = c = d = -math.inf
    for j in range(0, scores.shape[1], 4):  # four chains of comparisons, none waits for another
        a = max(a, scores[i, j])
        b = max(b, scores[i, j + 1])
        c = max(c, scores[i, j + 2])
        d = max(d, scores[i, j + 3])
    largest = max(max(a, b), max(c, d))
    return largest if largest > -math.inf else 0.0


@compiled
def exponentiate(i: int, scores: Doubles, shift: float, out: Doubles) -> None:
    """Set out[i] = e^(scores[i] - shift), for a shift that is their largest; NaN stays NaN."""
    for j in range(scores.shape[1]):
        score = scores[i, j] - shift
        out[i, j] = 0.0 if score < -700.0 else exp(score)


@compiled
def weigh(i: int, weights: Doubles, values: Doubles, out: Doubles) -> float:
    """Set out[i] = weights[i] · values[i], divided by their sum; return the sum."""
    total = 0.0
    for j in range(values.shape[1]):
        product = weights[i, j] * values[i, j]
        out[i, j] = product
        total += product
    scale = 1.0 / total
    for j in range(values.shape[1]):
        out[i, j] *= scale
    return total
