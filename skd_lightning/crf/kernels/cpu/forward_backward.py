"""Forward-backward of a batch's sentences.

The recursions on scaled exponentials come first; a sentence in which a sum underflows (potentials that differ by
hundreds of nats, or tags that nothing allowed leads to) is done again in log space. No result depends on which of the
two made it, but for rounding.

Source: Baum et al. 1970 in the form of Rabiner 1989; Wang et al. 2020, section 3.2.
"""

from __future__ import annotations

import math

import numpy as np

from skd_lightning.crf.kernels.cpu import log_space_recursions as log_space
from skd_lightning.crf.kernels.cpu.compiler import Doubles, Floats, Integers, compiled, released
from skd_lightning.crf.kernels.cpu.messages import Messages, empty_messages, kept_messages
from skd_lightning.crf.kernels.cpu.pair_marginals import SMALLEST_PAIR_SUM, pair_marginals, pair_normaliser
from skd_lightning.crf.kernels.cpu.potentials import Transitions, padded_unary, prepare_transitions
from skd_lightning.crf.kernels.cpu.rows import add_products
from skd_lightning.crf.kernels.cpu.scaled_recursions import scaled_recursions


@compiled
def fill_messages(unary: Doubles, transitions: Transitions, messages: Messages) -> tuple[float, bool]:
    """Fill a sentence's messages; return its log-partition, and True if the recursions in log space were needed."""
    log_partition = scaled_recursions(unary, transitions, messages)
    if not math.isnan(log_partition):
        return log_partition, False
    log_partition = log_space.forward_recursion(unary, transitions, messages)
    log_space.backward_recursion(unary, transitions, messages)
    log_space.fill_marginals(unary.shape[0], transitions.scores.shape[0], messages)
    return log_partition, True


@compiled
def _sentence(
    unary: Doubles,
    transitions: Transitions,
    messages: Messages,
    log_marginals: Floats,
    marginals: Floats,
    pairs: Floats,
    each_pair: bool,
) -> tuple[float, bool]:
    """Fill the marginals of one sentence; the results are those of :func:`fill_messages`."""
    words = unary.shape[0]
    tags, size = transitions.scores.shape[0], transitions.exponentials.shape[0]
    log_partition, in_log_space = fill_messages(unary, transitions, messages)
    prefix, arriving, suffix = messages.prefix, messages.arriving, messages.suffix
    posterior, log_posterior = messages.posterior, messages.log_posterior
    exponentials = transitions.exponentials
    for i in range(words):
        for j in range(tags):
            log_marginals[i, j] = log_posterior[i, j]
        for j in range(tags):
            marginals[i, j] = posterior[i, j]

    pair = np.empty((tags, tags))
    if each_pair:
        for i in range(1, words):
            pair_marginals(i, transitions, messages, pair)
            for j in range(tags):
                for k in range(tags):
                    pairs[i - 1, j, k] = pair[j, k]
        return log_partition, in_log_space
    products, scaled = np.zeros((size, size)), messages.log_posterior  # its numbers have been copied
    for i in range(1, words):
        normaliser = pair_normaliser(i, arriving, suffix)
        if normaliser >= SMALLEST_PAIR_SUM:
            for j in range(size):
                scaled[i, j] = suffix[i, j] / normaliser
        else:
            pair_marginals(i, transitions, messages, pair)
            for j in range(tags):
                for k in range(tags):
                    pairs[0, j, k] += pair[j, k]
            for j in range(size):
                scaled[i, j] = 0.0
    add_products(prefix[: words - 1], scaled[1:words], products)
    for j in range(tags):
        for k in range(tags):
            pairs[0, j, k] += products[j, k] * exponentials[j, k]
    return log_partition, in_log_space


@released
def forward_backward(
    begin: int,
    end: int,
    unary: Floats,
    transitions: Floats,
    lengths: Integers,
    log_partition: Floats,
    log_marginals: Floats,
    marginals: Floats,
    pairs: Floats,
    kept: Doubles,
    each_pair: bool,
) -> None:
    """Fill log-partitions (batch,), (log-)marginals (batch, words, tags) and pair marginals, the last into zeros.

    ``transitions`` is (1, tags, tags) for all sentences, prepared once, or (batch, tags, tags).
    ``pairs`` is (batch, words - 1, tags, tags) with ``each_pair``, else (batch, 1, tags, tags), summed over words.
    ``kept`` (4, batch, words, padded tags) receives messages for the adjoint, unless it is empty; NaN at the first
    place of a sentence tells the adjoint to compute that sentence's messages anew. Sentences ``begin`` to ``end`` are
    done.
    """
    prepared = prepare_transitions(transitions[0])
    workspace = empty_messages(unary.shape[1], prepared.width)
    size = prepared.exponentials.shape[0]
    for b in range(begin, end):
        if transitions.shape[0] > 1:
            prepared = prepare_transitions(transitions[b])
        for i in range(lengths[b], unary.shape[1]):
            for j in range(unary.shape[2]):
                log_marginals[b, i, j] = -math.inf
                marginals[b, i, j] = 0.0
        if lengths[b] > 0:
            sentence, messages = padded_unary(unary, b, lengths[b]), workspace
            if kept.shape[1] > 0:
                messages = kept_messages(b, lengths[b], size, kept, workspace)
            log_partition[b], in_log_space = _sentence(
                sentence, prepared, messages, log_marginals[b], marginals[b], pairs[b], each_pair
            )
            if kept.shape[1] > 0 and in_log_space:
                kept[0, b, 0, 0] = math.nan
