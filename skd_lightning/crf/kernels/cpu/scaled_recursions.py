"""Forward and backward recursion on scaled exponentials, without a logarithm between one word and the next.

Source: the scaling of Rabiner 1989 (A tutorial on hidden Markov models), section V.A: every word's messages are
divided by their sum. They are right as long as no sum falls under ``TINY``.
"""

from __future__ import annotations

import math

from skd_lightning.crf.kernels.cpu.compiler import Doubles, compiled
from skd_lightning.crf.kernels.cpu.exp_log import log
from skd_lightning.crf.kernels.cpu.messages import Messages
from skd_lightning.crf.kernels.cpu.potentials import Transitions
from skd_lightning.crf.kernels.cpu.rows import (
    TINY,
    exponentiate,
    largest_of,
    multiply,
    take_logs,
    underflows,
    vanishes,
    weigh,
)


@compiled
def scaled_recursions(unary: Doubles, transitions: Transitions, messages: Messages) -> float:
    """Fill all but ``forward``, ``backward`` and ``after``; return log Z in nats, NaN if a sum is too small."""
    words, width = unary.shape
    tags = transitions.scores.shape[0]
    exponentials, transposed = transitions.exponentials, transitions.transposed
    prefix, arriving, suffix, leaving = messages.prefix, messages.arriving, messages.suffix, messages.leaving
    posterior, log_posterior = messages.posterior, messages.log_posterior
    local, trusted = messages.posterior, True  # local: e^unary, until the marginals take its place
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

    # One pass for each question: numbers that have just been written are slow to read again.
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
