"""The adjoint of forward-backward: from gradients of its results to gradients of the potentials."""

from __future__ import annotations

import math

import numpy as np

from skd_lightning.crf.kernels.cpu.compiler import Doubles, Floats, Integers, compiled, released
from skd_lightning.crf.kernels.cpu.forward_backward import fill_messages
from skd_lightning.crf.kernels.cpu.message_adjoints import (
    accumulate_marginal_gradients,
    backward_adjoint,
    forward_adjoint,
)
from skd_lightning.crf.kernels.cpu.messages import Messages, empty_messages, kept_messages
from skd_lightning.crf.kernels.cpu.pair_marginals import pair_marginals
from skd_lightning.crf.kernels.cpu.potentials import Transitions, padded_unary, prepare_transitions
from skd_lightning.crf.kernels.cpu.rows import weigh


@compiled
def restore_marginals(words: int, messages: Messages) -> None:
    """Fill ``posterior`` from kept messages; ``log_posterior`` gets 0 where it is positive, else -inf."""
    prefix, leaving = messages.prefix, messages.leaving
    posterior, log_posterior = messages.posterior, messages.log_posterior
    for i in range(words):
        weigh(i, prefix, leaving, posterior)
    for i in range(words):
        for j in range(posterior.shape[1]):
            log_posterior[i, j] = 0.0 if posterior[i, j] > 0.0 else -math.inf


@compiled
def _sentence_adjoint(
    words: int,
    transitions: Transitions,
    messages: Messages,
    grad_partition: float,
    grad_log_marginals: Floats,
    grad_marginals: Floats,
    grad_pairs: Floats,
    grad_unary: Floats,
    grad_transitions: Doubles,
) -> None:
    """Fill the gradients of one sentence's potentials."""
    tags, width = transitions.scores.shape[0], transitions.width
    of_forward, of_backward = np.zeros((words, width)), np.zeros((words, width))
    of_unary = np.zeros((words, width))
    of_transitions = np.zeros((tags, tags))
    of_partition = grad_partition
    prefix, posterior, log_posterior = messages.prefix, messages.posterior, messages.log_posterior
    for i in range(words):
        of_partition -= accumulate_marginal_gradients(
            i, grad_log_marginals, grad_marginals, posterior, log_posterior, of_forward, of_backward
        )
    if grad_pairs.shape[0] > 0:
        pair = np.empty((tags, tags))
        for i in range(1, words):
            pair_marginals(i, transitions, messages, pair)
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
    forward_adjoint(words, transitions, messages, of_forward, of_transitions)
    backward_adjoint(words, transitions, messages, of_backward, of_unary, of_transitions)
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
    unary: Floats,
    transitions: Floats,
    lengths: Integers,
    kept: Doubles,
    grad_partition: Floats,
    grad_log_marginals: Floats,
    grad_marginals: Floats,
    grad_pairs: Floats,
    grad_unary: Floats,
    grad_transitions: Doubles,
) -> None:
    """Fill the gradients of the potentials from those of the results of ``forward_backward``.

    Each recursion is walked against its direction; the log-partition is the last log-sum of the forward recursion.
    Messages that were not ``kept`` are computed again. Gradients of (log-)marginals may have no words, those of pairs
    (batch, p, tags, tags) no pair: they then count as zero; p is 1 for the sum over words, words - 1 for each pair.
    ``transitions`` is (1, tags, tags) for all sentences or (batch, tags, tags); ``grad_transitions`` is always (batch,
    tags, tags), for the caller to sum. Sentences ``begin`` to ``end`` are done.
    """
    prepared = prepare_transitions(transitions[0])
    workspace = empty_messages(unary.shape[1], prepared.width)
    size = prepared.exponentials.shape[0]
    for b in range(begin, end):
        words = lengths[b]
        if words == 0:
            continue
        if transitions.shape[0] > 1:
            prepared = prepare_transitions(transitions[b])
        messages = workspace
        if kept.shape[1] > 0 and not math.isnan(kept[0, b, 0, 0]):
            messages = kept_messages(b, words, size, kept, workspace)
            restore_marginals(words, messages)
        else:
            log_partition, _ = fill_messages(padded_unary(unary, b, words), prepared, messages)
            if log_partition == -math.inf:
                continue  # no path: no change of the potentials would change anything
        _sentence_adjoint(
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
