"""One sentence's forward and backward sweep.

The sweeps run on scaled exponentials, without a logarithm between one word and the next. They are right as long as
no sum falls under ``TINY``; a sentence in which one does (potentials that differ by hundreds of nats, or tags that
nothing allowed leads to) is done again by the careful sweeps. No result depends on which of the two made it, but
for rounding.

Arrays are taken out of their tuples before a loop: every access to a member counts a reference.
"""

from __future__ import annotations

import math

import numpy as np

from skd_lightning.crf.kernels import careful
from skd_lightning.crf.kernels.compiler import Array, compiled
from skd_lightning.crf.kernels.elementary import log
from skd_lightning.crf.kernels.messages import Messages
from skd_lightning.crf.kernels.vectors import (
    TINY,
    Transitions,
    exponentiate,
    largest_of,
    log_sum,
    multiply,
    take_logs,
    underflows,
    vanishes,
    weigh,
)

LOWEST = 1e-250
"""Sums of products of what the scaled sweeps trust are larger: less than this comes from the careful ones."""


@compiled
def _scaled(unary: Array, transitions: Transitions, m: Messages) -> float:
    """Fill all but ``forward``, ``backward`` and ``after``; returns the log-partition, NaN if a sum is too small."""
    words, width = unary.shape
    tags = transitions.scores.shape[0]
    exponentials, transposed = transitions.exponentials, transitions.transposed
    prefix, arriving, suffix, leaving = m.prefix, m.arriving, m.suffix, m.leaving
    posterior, log_posterior = m.posterior, m.log_posterior
    local, trusted = m.posterior, True  # local: e^unary, until the marginals take its place
    log_partition = (words - 1) * transitions.largest
    for i in range(words):
        shift = largest_of(i, unary)
        exponentiate(i, unary, shift, local)
        log_partition += shift

    for j in range(width):
        arriving[0, j] = 1.0 if j < tags else 0.0
        leaving[words - 1, j] = 1.0 if j < tags else 0.0
    for i in range(words):
        if i > 0:
            multiply(transposed, i - 1, prefix, i, arriving)
        total = weigh(i, local, arriving, prefix)
        trusted &= total >= TINY
        log_partition += log(total)
    weigh(words - 1, local, leaving, suffix)
    for i in range(words - 2, -1, -1):
        multiply(exponentials, i + 1, suffix, i, leaving)
        weigh(i, local, leaving, suffix)

    # One pass for each question: what has just been written is slow to read again.
    for i in range(words):
        trusted &= not underflows(i, arriving, tags)
    for i in range(words):
        trusted &= not underflows(i, leaving, tags)
    if not trusted:
        return math.nan
    for i in range(words):
        weigh(i, prefix, leaving, posterior)
    for i in range(words):
        take_logs(i, posterior, log_posterior)
    for i in range(words):
        trusted &= not vanishes(i, posterior, unary)
    return float(log_partition) if trusted else math.nan


@compiled
def sweep(unary: Array, transitions: Transitions, m: Messages) -> tuple[float, bool]:
    """Fill the messages of a sentence; returns its log-partition, and whether the careful sweeps were needed."""
    log_partition = _scaled(unary, transitions, m)
    if not math.isnan(log_partition):
        return log_partition, False
    log_partition = careful.forward_sweep(unary, transitions, m)
    careful.backward_sweep(unary, transitions, m)
    careful.marginals(unary.shape[0], transitions.scores.shape[0], m)
    return log_partition, True


@compiled
def restore_marginals(words: int, m: Messages) -> None:
    """Fill ``posterior`` from kept messages; ``log_posterior`` says no more than whether it is positive."""
    prefix, leaving, posterior, log_posterior = m.prefix, m.leaving, m.posterior, m.log_posterior
    for i in range(words):
        weigh(i, prefix, leaving, posterior)
    for i in range(words):
        for j in range(posterior.shape[1]):
            log_posterior[i, j] = 0.0 if posterior[i, j] > 0.0 else -math.inf


@compiled
def pair_normaliser(i: int, arriving: Array, suffix: Array) -> float:
    """Σ over both tags of prefix[i - 1] · e^transitions · suffix[i]."""
    total = 0.0
    for j in range(arriving.shape[1]):
        total += arriving[i, j] * suffix[i, j]
    return total


@compiled
def pair_marginals(i: int, transitions: Transitions, m: Messages, out: Array) -> None:
    """out (tags, tags) = p(tag at word i - 1, tag at word i)."""
    scores, exponentials = transitions.scores, transitions.exponentials
    prefix, suffix, forward, after = m.prefix, m.suffix, m.forward, m.after
    tags = scores.shape[0]
    normaliser = pair_normaliser(i, m.arriving, suffix)
    if normaliser >= LOWEST:
        for j in range(tags):
            scale = prefix[i - 1, j] / normaliser
            for k in range(tags):
                out[j, k] = scale * exponentials[j, k] * suffix[i, k]
        return
    sums = np.empty(tags)
    for j in range(tags):
        sums[j] = log_sum(forward[i - 1], scores[:, j])
    log_normaliser = log_sum(after[i], sums)
    if log_normaliser == -math.inf:  # no path at all
        log_normaliser = math.inf
    for j in range(tags):
        for k in range(tags):
            out[j, k] = math.exp(forward[i - 1, j] + scores[j, k] + after[i, k] - log_normaliser)
