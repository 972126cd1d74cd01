"""The two recursions walked against their direction: from gradients of messages to gradients of potentials.

A log-sum passes the gradient that it receives on to its terms, in the shares that they have of it: here p(tag before |
tag, words so far) and p(next tag | tag, words to come).

Source: Eisner 2016 (Inside-outside and forward-backward algorithms are just backprop).
"""

from __future__ import annotations

import math

import numpy as np

from skd_lightning.crf.kernels.cpu.compiler import Doubles, Floats, compiled
from skd_lightning.crf.kernels.cpu.messages import Messages
from skd_lightning.crf.kernels.cpu.potentials import Transitions
from skd_lightning.crf.kernels.cpu.rows import TINY, add_products, log_sum, multiply, underflows


@compiled
def accumulate_marginal_gradients(
    i: int,
    grad_log_marginals: Floats,
    grad_marginals: Floats,
    posterior: Doubles,
    log_posterior: Doubles,
    of_forward: Doubles,
    of_backward: Doubles,
) -> float:
    """Pass gradients of word i's log-marginals, log prefix + log leaving - log-partition, on to the two messages.

    Return their sum. The gradient of a log-marginal of -inf is dropped.
    """
    tags = max(grad_log_marginals.shape[1], grad_marginals.shape[1])
    if grad_log_marginals.shape[0] > 0:
        for j in range(tags):
            of_forward[i, j] = grad_log_marginals[i, j]
    if grad_marginals.shape[0] > 0:
        for j in range(tags):
            of_forward[i, j] += grad_marginals[i, j] * posterior[i, j]
    total = 0.0
    for j in range(tags):
        grad = of_forward[i, j] if log_posterior[i, j] > -math.inf else 0.0
        of_backward[i, j] = grad
        total += grad
    for j in range(tags):
        of_forward[i, j] = of_backward[i, j]
    return total


@compiled
def divide_where_large(i: int, grads: Doubles, sums: Doubles, out: Doubles) -> None:
    """Set out[i] = grads[i] / sums[i], 0 where the sum is too small."""
    for j in range(sums.shape[1]):
        share = grads[i, j] / sums[i, j]
        out[i, j] = share if sums[i, j] >= TINY else 0.0


@compiled
def add_weighted(i: int, weights: Doubles, sent: Doubles, out: Doubles) -> None:
    """Add weights[i] · sent[0] to out[i]."""
    for j in range(sent.shape[1]):
        out[i, j] += weights[i, j] * sent[0, j]


@compiled
def forward_adjoint(
    words: int, transitions: Transitions, messages: Messages, of_forward: Doubles, of_transitions: Doubles
) -> None:
    """Complete the gradients of the forward messages, last word first; add those of the transitions."""
    prefix, arriving, forward = messages.prefix, messages.arriving, messages.forward
    scores, exponentials = transitions.scores, transitions.exponentials
    tags, size = scores.shape[0], exponentials.shape[0]
    shares, sent = np.empty((words, transitions.width)), np.zeros((1, transitions.width))
    for i in range(words - 1, 0, -1):
        divide_where_large(i, of_forward, arriving, shares)
        if underflows(i, arriving, tags):
            for j in range(tags):
                if arriving[i, j] < TINY and of_forward[i, j] != 0.0 and forward[i, j] > -math.inf:
                    normaliser = log_sum(forward[i - 1], scores[:, j])
                    for k in range(tags):
                        share = math.exp(forward[i - 1, k] + scores[k, j] - normaliser)
                        of_forward[i - 1, k] += of_forward[i, j] * share
                        of_transitions[k, j] += of_forward[i, j] * share
        multiply(exponentials, i, shares, 0, sent)
        add_weighted(i - 1, prefix, sent, of_forward)
    products = np.zeros((size, size))
    add_products(prefix[: words - 1], shares[1:], products)
    for j in range(tags):
        for k in range(tags):
            of_transitions[j, k] += products[j, k] * exponentials[j, k]


@compiled
def backward_adjoint(
    words: int,
    transitions: Transitions,
    messages: Messages,
    of_backward: Doubles,
    of_unary: Doubles,
    of_transitions: Doubles,
) -> None:
    """Complete the gradients of the backward messages, first word first; add those of unary and transitions."""
    suffix, leaving, after = messages.suffix, messages.leaving, messages.after
    scores, exponentials, transposed = transitions.scores, transitions.exponentials, transitions.transposed
    tags, size = scores.shape[0], exponentials.shape[0]
    shares, sent = np.empty((words, transitions.width)), np.zeros((1, transitions.width))
    for i in range(words - 1):
        divide_where_large(i, of_backward, leaving, shares)
        if underflows(i, leaving, tags):
            for j in range(tags):
                if leaving[i, j] < TINY and of_backward[i, j] != 0.0:
                    normaliser = log_sum(after[i + 1], scores[j])
                    if normaliser > -math.inf:
                        for k in range(tags):
                            share = math.exp(after[i + 1, k] + scores[j, k] - normaliser)
                            of_backward[i + 1, k] += of_backward[i, j] * share
                            of_unary[i + 1, k] += of_backward[i, j] * share
                            of_transitions[j, k] += of_backward[i, j] * share
        multiply(transposed, i, shares, 0, sent)
        add_weighted(i + 1, suffix, sent, of_backward)
        add_weighted(i + 1, suffix, sent, of_unary)
    products = np.zeros((size, size))
    add_products(shares[: words - 1], suffix[1:words], products)
    for j in range(tags):
        for k in range(tags):
            of_transitions[j, k] += products[j, k] * exponentials[j, k]
