"""Forward-backward of a batch's sentences, and its adjoint."""

from __future__ import annotations

import math

import numpy as np

from skd_lightning.crf.kernels.adjoints import backward_adjoint, forward_adjoint
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
    b: int,
    words: int,
    unary: Potentials,
    transitions: Array,
    exponentials: Array,
    transposed: Array,
    largest: float,
    log_partition: Potentials,
    marginals: Potentials,
    pairs: Potentials,
    each_pair: bool,
) -> None:
    tags, size = transitions.shape[0], exponentials.shape[0]
    sentence = padded(unary, b, words)
    forward, prefix, arriving = np.zeros_like(sentence), np.zeros_like(sentence), np.zeros_like(sentence)
    backward, after, suffix, leaving = (
        np.zeros_like(sentence),
        np.zeros_like(sentence),
        np.zeros_like(sentence),
        np.zeros_like(sentence),
    )
    log_partition[b] = forward_sweep(sentence, transitions, transposed, largest, forward, prefix, arriving)
    backward_sweep(sentence, transitions, exponentials, largest, backward, after, suffix, leaving)
    log_marginals(forward, backward, prefix, leaving, marginals[b])

    pair = np.empty((tags, tags))
    if each_pair:
        for i in range(1, words):
            pair_marginals(i, transitions, exponentials, forward, after, prefix, suffix, arriving, pair)
            for j in range(tags):
                for k in range(tags):
                    pairs[b, i - 1, j, k] = pair[j, k]
        return
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
                    pairs[b, 0, j, k] += pair[j, k]
                suffix[i, j] = 0.0
    add_products(prefix[:-1], suffix[1:], products)
    for j in range(tags):
        for k in range(tags):
            pairs[b, 0, j, k] += products[j, k] * exponentials[j, k]


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
            _forward_backward(
                b,
                lengths[b],
                unary,
                scores,
                exponentials,
                transposed,
                largest,
                log_partition,
                marginals,
                pairs,
                each_pair,
            )


@compiled
def _adjoint(
    b: int,
    words: int,
    unary: Potentials,
    transitions: Array,
    exponentials: Array,
    transposed: Array,
    largest: float,
    grad_partition: Potentials,
    grad_marginals: Potentials,
    grad_pairs: Potentials,
    grad_unary: Potentials,
    grad_transitions: Array,
) -> None:
    tags = transitions.shape[0]
    sentence = padded(unary, b, words)
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
    of_partition = float(grad_partition[b])
    for i in range(words):
        for j in range(tags):
            if forward[i, j] + backward[i, j] > -math.inf:
                grad = float(grad_marginals[b, i, j])
                of_forward[i, j] = grad
                of_backward[i, j] = grad
                of_partition -= grad
    if grad_pairs.shape[1] > 0:
        pair = np.empty((tags, tags))
        for i in range(1, words):
            pair_marginals(i, transitions, exponentials, forward, after, prefix, suffix, arriving, pair)
            row = i - 1 if grad_pairs.shape[1] > 1 else 0
            for j in range(tags):
                for k in range(tags):
                    if pair[j, k] > 0.0:
                        flow = pair[j, k] * grad_pairs[b, row, j, k]
                        of_forward[i - 1, j] += flow
                        of_backward[i, k] += flow
                        grad_unary[b, i, k] += flow
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
            grad_unary[b, i, j] += of_forward[i, j] + of_unary[i, j]
    for j in range(tags):
        for k in range(tags):
            grad_transitions[b, j, k] = of_transitions[j, k]


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
                b,
                lengths[b],
                unary,
                scores,
                exponentials,
                transposed,
                largest,
                grad_partition,
                grad_marginals,
                grad_pairs,
                grad_unary,
                grad_transitions,
            )
