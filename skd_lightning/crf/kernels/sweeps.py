"""One sentence's forward and backward sweep, and their adjoints, in float64.

Messages are kept as logarithms, yet most of the work is done on their exponentials: a word's log-sum-exps over
all neighbouring tags are one product of a vector and the matrix of exponentiated transitions. Where such a sum
of at most 1 falls under ``TINY``, what underflowed in it could matter, and that one sum is done again in log space.
Otherwise everything that underflowed is smaller than its rounding error. So the kernels are as exact as log space
for all potentials and do a fraction of its exponentials.

Matrices are padded with zeros to a multiple of four tags and messages to a multiple of eight, -inf or 0 at the end:
full vectors only, the remainder of a loop costs more than all before it.

    forward[i]   log-sum over all prefixes that end in a tag, its emission included; largest entry 0
    backward[i]  log-sum over all suffixes that follow a tag, its emission excluded; up to a constant
    prefix[i]    exp(forward[i])
    after[i]     backward[i] + unary[i], shifted to a largest entry of 0
    suffix[i]    exp(after[i])
    arriving[i]  Σ_from prefix[i - 1](from) · e^{transitions(from, to)}, the transitions shifted to at most 0
    leaving[i]   Σ_to e^{transitions(from, to)} · suffix[i + 1](to)
"""

from __future__ import annotations

import math

import numpy as np

from skd_lightning.crf.kernels.compiler import Array, Potentials, compiled
from skd_lightning.crf.kernels.elementary import exp, log

TINY = 1e-200


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
def exponentiated(transitions: Potentials) -> tuple[Array, Array, Array, float]:
    """Transitions in float64; e^(transitions - largest), padded with zeros; its transpose; the largest of them."""
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
    return scores, out, transposed, largest


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
    """out[i] = log sums[i]; of a sum of 0, some number."""
    for j in range(sums.shape[1]):
        out[i, j] = log(sums[i, j])


@compiled
def normalise(i: int, scores: Array, out: Array) -> float:
    """Shift scores[i] to a largest entry of 0, out[i] = their exponentials; returns the shift (0 if all are -inf)."""
    a = b = c = d = -math.inf
    for j in range(0, scores.shape[1], 4):  # four chains of comparisons, none waits for another
        a = max(a, scores[i, j])
        b = max(b, scores[i, j + 1])
        c = max(c, scores[i, j + 2])
        d = max(d, scores[i, j + 3])
    shift = max(max(a, b), max(c, d))
    if shift == -math.inf:
        shift = 0.0
    for j in range(scores.shape[1]):
        score = scores[i, j] - shift
        scores[i, j] = score
        out[i, j] = 0.0 if score < -700.0 else exp(score)
    return shift


@compiled
def forward_sweep(
    unary: Array,
    transitions: Array,
    exp_transposed: Array,
    largest: float,
    forward: Array,
    prefix: Array,
    arriving: Array,
) -> float:
    """Fill ``forward``, ``prefix`` and ``arriving`` of one sentence; returns its log-partition."""
    words, width = unary.shape
    tags = transitions.shape[0]
    log_partition = (words - 1) * largest
    for j in range(width):
        forward[0, j] = unary[0, j]
    log_partition += normalise(0, forward, prefix)
    for i in range(1, words):
        multiply(exp_transposed, i - 1, prefix, i, arriving)
        take_logs(i, arriving, forward)
        for j in range(width):
            forward[i, j] += unary[i, j]
        if underflows(i, arriving, tags):
            for j in range(tags):
                if not arriving[i, j] >= TINY:
                    forward[i, j] = log_sum(forward[i - 1], transitions[:, j]) - largest + unary[i, j]
        log_partition += normalise(i, forward, prefix)
    total = 0.0
    for j in range(tags):
        total += prefix[words - 1, j]
    return float(log_partition + math.log(total))


@compiled
def backward_sweep(
    unary: Array,
    transitions: Array,
    exp_transitions: Array,
    largest: float,
    backward: Array,
    after: Array,
    suffix: Array,
    leaving: Array,
) -> None:
    """Fill ``backward``, ``after``, ``suffix`` and ``leaving`` of one sentence."""
    words, width = unary.shape
    tags = transitions.shape[0]
    for j in range(width):
        backward[words - 1, j] = 0.0
        leaving[words - 1, j] = 1.0 if j < tags else 0.0
        after[words - 1, j] = unary[words - 1, j]
    normalise(words - 1, after, suffix)
    for i in range(words - 2, -1, -1):
        multiply(exp_transitions, i + 1, suffix, i, leaving)
        take_logs(i, leaving, backward)
        for j in range(width):
            after[i, j] = backward[i, j] + unary[i, j]
        if underflows(i, leaving, tags):
            for j in range(tags):
                if not leaving[i, j] >= TINY:
                    backward[i, j] = log_sum(after[i + 1], transitions[j]) - largest
                    after[i, j] = backward[i, j] + unary[i, j]
        normalise(i, after, suffix)


@compiled
def log_marginals(forward: Array, backward: Array, prefix: Array, leaving: Array, out: Array) -> None:
    """out[:words] (words, tags) = log p(tag at word); -inf everywhere if there is no path."""
    tags = out.shape[1]
    for i in range(forward.shape[0]):
        total = 0.0
        for j in range(tags):
            total += prefix[i, j] * leaving[i, j]
        if total >= TINY:
            normaliser = math.log(total)
        else:
            normaliser = log_sum(forward[i, :tags], backward[i, :tags])
        if normaliser == -math.inf:
            normaliser = math.inf
        for j in range(tags):
            out[i, j] = forward[i, j] + backward[i, j] - normaliser


@compiled
def pair_normaliser(i: int, arriving: Array, suffix: Array) -> float:
    """Σ over both tags of prefix[i - 1] · e^transitions · suffix[i]."""
    total = 0.0
    for j in range(arriving.shape[1]):
        total += arriving[i, j] * suffix[i, j]
    return total


@compiled
def pair_marginals(
    i: int,
    transitions: Array,
    exponentials: Array,
    forward: Array,
    after: Array,
    prefix: Array,
    suffix: Array,
    arriving: Array,
    out: Array,
) -> None:
    """out (tags, tags) = p(tag at word i - 1, tag at word i)."""
    tags = transitions.shape[0]
    normaliser = pair_normaliser(i, arriving, suffix)
    if normaliser >= TINY:
        for j in range(tags):
            scale = prefix[i - 1, j] / normaliser
            for k in range(tags):
                out[j, k] = scale * exponentials[j, k] * suffix[i, k]
        return
    sums = np.empty(tags)
    for j in range(tags):
        sums[j] = log_sum(forward[i - 1], transitions[:, j])
    log_normaliser = log_sum(after[i], sums)
    if log_normaliser == -math.inf:  # no path at all
        for j in range(tags):
            for k in range(tags):
                out[j, k] = 0.0
        return
    for j in range(tags):
        for k in range(tags):
            out[j, k] = math.exp(forward[i - 1, j] + transitions[j, k] + after[i, k] - log_normaliser)
