"""Probabilities of two neighbouring tags, from the messages of a sentence."""

from __future__ import annotations

import math

import numpy as np

from skd_lightning.crf.kernels.cpu.compiler import Doubles, compiled
from skd_lightning.crf.kernels.cpu.messages import Messages
from skd_lightning.crf.kernels.cpu.potentials import Transitions
from skd_lightning.crf.kernels.cpu.rows import log_sum

SMALLEST_PAIR_SUM = 1e-250
"""Sums of products of messages that the scaled recursions trust are larger; smaller ones are done in log space."""


@compiled
def pair_normaliser(i: int, arriving: Doubles, suffix: Doubles) -> float:
    """Return the sum over both tags of prefix[i - 1] · e^transitions · suffix[i]."""
    total = 0.0
    for j in range(arriving.shape[1]):
        total += arriving[i, j] * suffix[i, j]
    return total


@compiled
def pair_marginals(i: int, transitions: Transitions, messages: Messages, out: Doubles) -> None:
    """Set out (tags, tags) = p(tag at word i - 1, tag at word i); 0 everywhere if there is no path."""
    scores, exponentials = transitions.scores, transitions.exponentials
    prefix, suffix, forward, after = messages.prefix, messages.suffix, messages.forward, messages.after
    tags = scores.shape[0]
    normaliser = pair_normaliser(i, messages.arriving, suffix)
    if normaliser >= SMALLEST_PAIR_SUM:
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
