"""Forward-backward of a batch's sentences, and its adjoint."""

from __future__ import annotations

import math

import numpy as np

from skd_lightning.crf.kernels.adjoints import backward_adjoint, forward_adjoint, take_grads
from skd_lightning.crf.kernels.compiler import Array, Integers, Kept, Potentials, compiled, released
from skd_lightning.crf.kernels.messages import Messages, empty_messages, kept_messages
from skd_lightning.crf.kernels.sweeps import (
    LOWEST,
    pair_marginals,
    pair_normaliser,
    restore_marginals,
    sweep,
)
from skd_lightning.crf.kernels.vectors import Transitions, add_products, exponentiated, padded


@compiled
def _forward_backward(
    unary: Array,
    transitions: Transitions,
    m: Messages,
    log_marginals: Potentials,
    marginals: Potentials,
    pairs: Potentials,
    each_pair: bool,
) -> tuple[float, bool]:
    words = unary.shape[0]
    tags, size = transitions.scores.shape[0], transitions.exponentials.shape[0]
    log_partition, was_careful = sweep(unary, transitions, m)
    prefix, arriving, suffix = m.prefix, m.arriving, m.suffix
    posterior, log_posterior, exponentials = m.posterior, m.log_posterior, transitions.exponentials
    for i in range(words):
        for j in range(tags):
            log_marginals[i, j] = log_posterior[i, j]
        for j in range(tags):
            marginals[i, j] = posterior[i, j]

    pair = np.empty((tags, tags))
    if each_pair:
        for i in range(1, words):
            pair_marginals(i, transitions, m, pair)
            for j in range(tags):
                for k in range(tags):
                    pairs[i - 1, j, k] = pair[j, k]
        return log_partition, was_careful
    products, scaled = np.zeros((size, size)), m.log_posterior  # what this held has been copied
    for i in range(1, words):
        normaliser = pair_normaliser(i, arriving, suffix)
        if normaliser >= LOWEST:
            for j in range(size):
                scaled[i, j] = suffix[i, j] / normaliser
        else:
            pair_marginals(i, transitions, m, pair)
            for j in range(tags):
                for k in range(tags):
                    pairs[0, j, k] += pair[j, k]
            for j in range(size):
                scaled[i, j] = 0.0
    add_products(prefix[: words - 1], scaled[1:words], products)
    for j in range(tags):
        for k in range(tags):
            pairs[0, j, k] += products[j, k] * exponentials[j, k]
    return log_partition, was_careful


@released
def forward_backward(
    begin: int,
    end: int,
    unary: Potentials,
    transitions: Potentials,
    lengths: Integers,
    log_partition: Potentials,
    log_marginals: Potentials,
    marginals: Potentials,
    pairs: Potentials,
    kept: Kept,
    each_pair: bool,
) -> None:
    """Fill log-partitions (batch,), (log-)marginals (batch, words, tags) and pair marginals, the last into zeros.

    ``pairs`` is (batch, words - 1, tags, tags) with ``each_pair``, else (batch, 1, tags, tags), summed over words.
    ``kept`` (4, batch, words, padded tags) receives messages for the adjoint, unless it is empty; NaN at the first
    place of a sentence says that they are of no use to it.
    """
    prepared = exponentiated(transitions)
    room = empty_messages(unary.shape[1], prepared.width)
    size = prepared.exponentials.shape[0]
    for b in range(begin, end):
        for i in range(lengths[b], unary.shape[1]):
            for j in range(unary.shape[2]):
                log_marginals[b, i, j] = -math.inf
                marginals[b, i, j] = 0.0
        if lengths[b] > 0:
            sentence, messages = padded(unary, b, lengths[b]), room
            if kept.shape[1] > 0:
                messages = kept_messages(b, lengths[b], size, kept, room)
            log_partition[b], was_careful = _forward_backward(
                sentence, prepared, messages, log_marginals[b], marginals[b], pairs[b], each_pair
            )
            if kept.shape[1] > 0 and was_careful:
                kept[0, b, 0, 0] = math.nan


@compiled
def _adjoint(
    words: int,
    transitions: Transitions,
    m: Messages,
    grad_partition: float,
    grad_log_marginals: Potentials,
    grad_marginals: Potentials,
    grad_pairs: Potentials,
    grad_unary: Potentials,
    grad_transitions: Array,
) -> None:
    tags, width = transitions.scores.shape[0], transitions.width

    of_forward, of_backward, of_unary = (
        np.zeros((words, width)),
        np.zeros((words, width)),
        np.zeros((words, width)),
    )
    of_transitions = np.zeros((tags, tags))
    of_partition = grad_partition
    prefix, posterior, log_posterior = m.prefix, m.posterior, m.log_posterior
    for i in range(words):
        of_partition -= take_grads(
            i, grad_log_marginals, grad_marginals, posterior, log_posterior, of_forward, of_backward
        )
    if grad_pairs.shape[0] > 0:
        pair = np.empty((tags, tags))
        for i in range(1, words):
            pair_marginals(i, transitions, m, pair)
            row = i - 1 if grad_pairs.shape[0] > 1 else 0
            for j in range(tags):
                for k in range(tags):
                    if pair[j, k] > 0.0:
                        flow = pair[j, k] * grad_pairs[row, j, k]
                        of_forward[i - 1, j] += flow
                        of_backward[i, k] += flow
                        of_unary[i, k] += flow
                        of_transitions[j, k] += flow
                        of_partition -= flow

    total = 0.0
    for j in range(tags):
        total += prefix[words - 1, j]
    for j in range(tags):
        of_forward[words - 1, j] += of_partition * prefix[words - 1, j] / total
    forward_adjoint(words, transitions, m, of_forward, of_transitions)
    backward_adjoint(words, transitions, m, of_backward, of_unary, of_transitions)
    for i in range(words):
        for j in range(tags):
            grad_unary[i, j] = of_forward[i, j] + of_unary[i, j]
    for j in range(tags):
        for k in range(tags):
            grad_transitions[j, k] = of_transitions[j, k]


@released
def forward_backward_adjoint(
    begin: int,
    end: int,
    unary: Potentials,
    transitions: Potentials,
    lengths: Integers,
    kept: Kept,
    grad_partition: Potentials,
    grad_log_marginals: Potentials,
    grad_marginals: Potentials,
    grad_pairs: Potentials,
    grad_unary: Potentials,
    grad_transitions: Array,
) -> None:
    """Fill the gradients of the potentials from those of what :func:`forward_backward` gives.

    Each sweep is walked against its direction; the log-partition is the last log-sum of the forward sweep. Messages
    that were not ``kept`` are computed again. Gradients of (log-)marginals may have no words, those of pairs
    (batch, p, tags, tags) no pair: they then count as zero; p is 1 for the sum over words, words - 1 for each pair.
    ``grad_transitions`` (batch, tags, tags) is one matrix a sentence, for the caller to sum.
    """
    prepared = exponentiated(transitions)
    room = empty_messages(unary.shape[1], prepared.width)
    size = prepared.exponentials.shape[0]
    for b in range(begin, end):
        words = lengths[b]
        if words == 0:
            continue
        messages = room
        if kept.shape[1] > 0 and not math.isnan(kept[0, b, 0, 0]):
            messages = kept_messages(b, words, size, kept, room)
            restore_marginals(words, messages)
        else:
            log_partition, _ = sweep(padded(unary, b, words), prepared, messages)
            if log_partition == -math.inf:
                continue  # no path: nothing that a change of the potentials would change
        _adjoint(
            words,
            prepared,
            messages,
            float(grad_partition[b]),
            grad_log_marginals[b],
            grad_marginals[b],
            grad_pairs[b],
            grad_unary[b],
            grad_transitions[b],
        )
