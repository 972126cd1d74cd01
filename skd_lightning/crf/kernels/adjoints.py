"""The two sweeps walked against their direction: from gradients of messages to gradients of potentials."""

from __future__ import annotations

import math

import numpy as np

from skd_lightning.crf.kernels.compiler import Array, Potentials, compiled
from skd_lightning.crf.kernels.sweeps import TINY, add_products, log_sum, multiply, underflows


@compiled
def take_grads(
    i: int, grads: Potentials, forward: Array, backward: Array, of_forward: Array, of_backward: Array
) -> float:
    """Gradients of word i's log-marginals, forward + backward - log-partition, given to the two messages.

    Returns their sum. What is given to a log-marginal of -inf is dropped.
    """
    total = 0.0
    for j in range(grads.shape[1]):
        grad = float(grads[i, j]) if forward[i, j] + backward[i, j] > -math.inf else 0.0
        of_forward[i, j] = grad
        total += grad
    for j in range(grads.shape[1]):
        of_backward[i, j] = of_forward[i, j]
    return total


@compiled
def share_out(i: int, grads: Array, sums: Array, out: Array) -> None:
    """out[i] = grads[i] / sums[i], 0 where the sum is too small."""
    for j in range(sums.shape[1]):
        share = grads[i, j] / sums[i, j]
        out[i, j] = share if sums[i, j] >= TINY else 0.0


@compiled
def add_weighted(i: int, weights: Array, sent: Array, out: Array) -> None:
    """out[i] += weights[i] · sent[0]."""
    for j in range(sent.shape[1]):
        out[i, j] += weights[i, j] * sent[0, j]


@compiled
def forward_adjoint(
    transitions: Array,
    exponentials: Array,
    forward: Array,
    prefix: Array,
    arriving: Array,
    of_forward: Array,
    of_transitions: Array,
) -> None:
    """Complete the gradients of the forward messages, last word first; add those of the transitions.

    A log-sum passes on what it receives to its terms in the shares that they have of it: here
    p(tag before | tag, words so far).
    """
    words, width = forward.shape
    tags, size = transitions.shape[0], exponentials.shape[0]
    shares, sent = np.empty((words, width)), np.zeros((1, width))
    for i in range(words - 1, 0, -1):
        share_out(i, of_forward, arriving, shares)
        for j in range(tags if underflows(i, arriving, tags) else 0):
            if arriving[i, j] < TINY and of_forward[i, j] != 0.0 and forward[i, j] > -math.inf:
                normaliser = log_sum(forward[i - 1], transitions[:, j])
                for k in range(tags):
                    flow = of_forward[i, j] * math.exp(forward[i - 1, k] + transitions[k, j] - normaliser)
                    of_forward[i - 1, k] += flow
                    of_transitions[k, j] += flow
        multiply(exponentials, i, shares, 0, sent)
        add_weighted(i - 1, prefix, sent, of_forward)
    products = np.zeros((size, size))
    add_products(prefix[:-1], shares[1:], products)
    for j in range(tags):
        for k in range(tags):
            of_transitions[j, k] += products[j, k] * exponentials[j, k]


@compiled
def backward_adjoint(
    transitions: Array,
    exponentials: Array,
    transposed: Array,
    after: Array,
    suffix: Array,
    leaving: Array,
    of_backward: Array,
    of_unary: Array,
    of_transitions: Array,
) -> None:
    """Complete the gradients of the backward messages, first word first; add those of unary and transitions."""
    words, width = after.shape
    tags, size = transitions.shape[0], exponentials.shape[0]
    shares, sent = np.empty((words, width)), np.zeros((1, width))
    for i in range(words - 1):
        share_out(i, of_backward, leaving, shares)
        for j in range(tags if underflows(i, leaving, tags) else 0):
            if leaving[i, j] < TINY and of_backward[i, j] != 0.0:
                normaliser = log_sum(after[i + 1], transitions[j])
                if normaliser > -math.inf:
                    for k in range(tags):
                        flow = of_backward[i, j] * math.exp(after[i + 1, k] + transitions[j, k] - normaliser)
                        of_backward[i + 1, k] += flow
                        of_unary[i + 1, k] += flow
                        of_transitions[j, k] += flow
        multiply(transposed, i, shares, 0, sent)
        add_weighted(i + 1, suffix, sent, of_backward)
        add_weighted(i + 1, suffix, sent, of_unary)
    products = np.zeros((size, size))
    add_products(shares[:-1], suffix[1:], products)
    for j in range(tags):
        for k in range(tags):
            of_transitions[j, k] += products[j, k] * exponentials[j, k]
