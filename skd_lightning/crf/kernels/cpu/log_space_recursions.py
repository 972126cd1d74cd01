"""Forward and backward recursion in log space: right for all potentials that a float can hold.

Most of the work is still done on exponentials: a word's log-sum-exps over all neighbouring tags are one product of a
vector and a matrix. Only where such a sum falls under ``TINY``, and the terms that underflowed in it could matter, is
that one sum done again in log space. Otherwise all that underflowed is smaller than its rounding error.
"""

from __future__ import annotations

import math

from skd_lightning.crf.kernels.cpu.compiler import Doubles, compiled
from skd_lightning.crf.kernels.cpu.messages import Messages
from skd_lightning.crf.kernels.cpu.potentials import Transitions
from skd_lightning.crf.kernels.cpu.rows import (
    TINY,
    exponentiate,
    largest_of,
    log_sum,
    multiply,
    take_logs,
    underflows,
)


@compiled
def normalise(i: int, scores: Doubles, out: Doubles) -> float:
    """Shift scores[i] to a largest entry of 0, set out[i] = their exponentials; return the shift."""
    shift = largest_of(i, scores)
    exponentiate(i, scores, shift, out)
    for j in range(scores.shape[1]):
        scores[i, j] -= shift
    return shift


@compiled
def forward_recursion(unary: Doubles, transitions: Transitions, messages: Messages) -> float:
    """Fill ``forward``, ``prefix`` and ``arriving``; return the log-partition in nats."""
    forward, prefix, arriving = messages.forward, messages.prefix, messages.arriving
    scores, transposed = transitions.scores, transitions.transposed
    words, width = unary.shape
    tags = scores.shape[0]
    log_partition = (words - 1) * transitions.largest
    for j in range(width):
        forward[0, j] = unary[0, j]
    log_partition += normalise(0, forward, prefix)
    for i in range(1, words):
        multiply(transposed, i - 1, prefix, i, arriving)
        take_logs(i, arriving, forward)
        for j in range(width):
            forward[i, j] += unary[i, j]
        if underflows(i, arriving, tags):
            for j in range(tags):
                if not arriving[i, j] >= TINY:
                    exact = log_sum(forward[i - 1], scores[:, j])
                    forward[i, j] = exact - transitions.largest + unary[i, j]
        log_partition += normalise(i, forward, prefix)
    total = 0.0
    for j in range(tags):
        total += prefix[words - 1, j]
    return float(log_partition + math.log(total))


@compiled
def backward_recursion(unary: Doubles, transitions: Transitions, messages: Messages) -> None:
    """Fill ``backward``, ``after``, ``suffix`` and ``leaving``."""
    backward, after, suffix, leaving = messages.backward, messages.after, messages.suffix, messages.leaving
    scores, exponentials = transitions.scores, transitions.exponentials
    words, width = unary.shape
    tags = scores.shape[0]
    for j in range(width):
        backward[words - 1, j] = 0.0
        leaving[words - 1, j] = 1.0 if j < tags else 0.0
        after[words - 1, j] = unary[words - 1, j]
    normalise(words - 1, after, suffix)
    for i in range(words - 2, -1, -1):
        multiply(exponentials, i + 1, suffix, i, leaving)
        take_logs(i, leaving, backward)
        for j in range(width):
            after[i, j] = backward[i, j] + unary[i, j]
        if underflows(i, leaving, tags):
            for j in range(tags):
                if not leaving[i, j] >= TINY:
                    exact = log_sum(after[i + 1], scores[j])
                    backward[i, j] = exact - transitions.largest
                    after[i, j] = backward[i, j] + unary[i, j]
        normalise(i, after, suffix)


@compiled
def fill_marginals(words: int, tags: int, messages: Messages) -> None:
    """Fill ``posterior`` and ``log_posterior``; 0 and -inf everywhere if there is no path."""
    for i in range(words):
        total = 0.0
        for j in range(tags):
            total += messages.prefix[i, j] * messages.leaving[i, j]
        if total >= TINY:
            normaliser = math.log(total)
        else:
            normaliser = log_sum(messages.forward[i, :tags], messages.backward[i, :tags])
        if normaliser == -math.inf:
            normaliser = math.inf
        for j in range(tags):
            messages.log_posterior[i, j] = messages.forward[i, j] + messages.backward[i, j] - normaliser
            messages.posterior[i, j] = math.exp(messages.log_posterior[i, j])
