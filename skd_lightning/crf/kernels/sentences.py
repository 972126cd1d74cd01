"""Forward-backward of a batch's sentences, and its adjoint."""

from __future__ import annotations

import math

import numpy as np

from skd_lightning.crf.kernels.adjoints import backward_adjoint, forward_adjoint, take_grads
from skd_lightning.crf.kernels.compiler import Array, Integers, Potentials, compiled, released
from skd_lightning.crf.kernels.sweeps import (
    TINY,
    add_products,
    backward_sweep,
    exponentiated,
    forward_sweep,
    log_marginals,
    padded,
    pair_marginals,
    pair_normaliser,
)


@compiled
def _forward_backward(
    sentence: Array,
    transitions: Array,
    exponentials: Array,
    transposed: Array,
    largest: float,
    marginals: Potentials,
    pairs: Potentials,
    each_pair: bool,
) -> float:
    tags, size = transitions.shape[0], exponentials.shape[0]
    words = sentence.shape[0]
    forward, prefix, arriving = np.zeros_like(sentence), np.zeros_like(sentence), np.zeros_like(sentence)
    backward, after, suffix, leaving = (
        np.zeros_like(sentence),
        np.zeros_like(sentence),
        np.zeros_like(sentence),
        np.zeros_like(sentence),
    )
    log_partition = forward_sweep(sentence, transitions, transposed, largest, forward, prefix, arriving)
    backward_sweep(sentence, transitions, exponentials, largest, backward, after, suffix, leaving)
    log_marginals(forward, backward, prefix, leaving, marginals)

    pair = np.empty((tags, tags))
    if each_pair:
        for i in range(1, words):
            pair_marginals(i, transitions, exponentials, forward, after, prefix, suffix, arriving, pair)
            for j in range(tags):
                for k in range(tags):
                    pairs[i - 1, j, k] = pair[j, k]
        return float(log_partition)
    products = np.zeros((size, size))
    for i in range(1, words):
        normaliser = pair_normaliser(i, arriving, suffix)
        if normaliser >= TINY:
            for j in range(size):
                suffix[i, j] /= normaliser
        else:
            pair_marginals(i, transitions, exponentials, forward, after, prefix, suffix, arriving, pair)
            for j in range(tags):
                for k in range(tags):
                    pairs[0, j, k] += pair[j, k]
                suffix[i, j] = 0.0
    add_products(prefix[:-1], suffix[1:], products)
    for j in range(tags):
        for k in range(tags):
            pairs[0, j, k] += products[j, k] * exponentials[j, k]
    return float(log_partition)


@released
def forward_backward(
    begin: int,
    end: int,
    unary: Potentials,
    transitions: Potentials,
    lengths: Integers,
    log_partition: Potentials,
    marginals: Potentials,
    pairs: Potentials,
    each_pair: bool,
) -> None:
    """Fill log-partitions (batch,), log-marginals (batch, words, tags) and pair marginals, the last into zeros.

    ``pairs`` is (batch, words - 1, tags, tags) with ``each_pair``, else (batch, 1, tags, tags), summed over words.
    """
    scores, exponentials, transposed, largest = exponentiated(transitions)
    for b in range(begin, end):
        for i in range(lengths[b], unary.shape[1]):
            for j in range(unary.shape[2]):
                marginals[b, i, j] = -math.inf
        if lengths[b] > 0:
            log_partition[b] = _forward_backward(
                padded(unary, b, lengths[b]),
                scores,
                exponentials,
                transposed,
                largest,
                marginals[b],
                pairs[b],
                each_pair,
            )


@compiled
def _adjoint(
    sentence: Array,
    transitions: Array,
    exponentials: Array,
    transposed: Array,
    largest: float,
    grad_partition: float,
    grad_marginals: Potentials,
    grad_pairs: Potentials,
    grad_unary: Potentials,
    grad_transitions: Array,
) -> None:
    tags = transitions.shape[0]
    words = sentence.shape[0]
    forward, prefix, arriving = np.zeros_like(sentence), np.zeros_like(sentence), np.zeros_like(sentence)
    backward, after, suffix, leaving = (
        np.zeros_like(sentence),
        np.zeros_like(sentence),
        np.zeros_like(sentence),
        np.zeros_like(sentence),
    )
    if forward_sweep(sentence, transitions, transposed, largest, forward, prefix, arriving) == -math.inf:
        return  # no path: nothing that a change of the potentials would change
    backward_sweep(sentence, transitions, exponentials, largest, backward, after, suffix, leaving)

    of_forward, of_backward, of_unary = (
        np.zeros_like(sentence),
        np.zeros_like(sentence),
        np.zeros_like(sentence),
    )
    of_transitions = np.zeros((tags, tags))
    of_partition = grad_partition
    for i in range(words):
        of_partition -= take_grads(i, grad_marginals, forward, backward, of_forward, of_backward)
    if grad_pairs.shape[0] > 0:
        pair = np.empty((tags, tags))
        for i in range(1, words):
            pair_marginals(i, transitions, exponentials, forward, after, prefix, suffix, arriving, pair)
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
    forward_adjoint(transitions, exponentials, forward, prefix, arriving, of_forward, of_transitions)
    backward_adjoint(
        transitions, exponentials, transposed, after, suffix, leaving, of_backward, of_unary, of_transitions
    )
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
    grad_partition: Potentials,
    grad_marginals: Potentials,
    grad_pairs: Potentials,
    grad_unary: Potentials,
    grad_transitions: Array,
) -> None:
    """Fill the gradients of the potentials from those of what :func:`forward_backward` gives.

    Both sweeps are run again, then each is walked against its direction. The log-partition is the last log-sum of
    the forward sweep. ``grad_pairs`` is (batch, p, tags, tags), p one of 0 (none), 1 (for the sum over words),
    words - 1. ``grad_transitions`` (batch, tags, tags) is one matrix a sentence, for the caller to sum.
    """
    scores, exponentials, transposed, largest = exponentiated(transitions)
    for b in range(begin, end):
        if lengths[b] > 0:
            _adjoint(
                padded(unary, b, lengths[b]),
                scores,
                exponentials,
                transposed,
                largest,
                float(grad_partition[b]),
                grad_marginals[b],
                grad_pairs[b],
                grad_unary[b],
                grad_transitions[b],
            )
