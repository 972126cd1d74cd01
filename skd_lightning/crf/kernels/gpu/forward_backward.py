"""Forward-backward as Triton kernels.

One launch runs a batch's whole recursion: a program for every sentence and direction loops over the words, with the
transitions as one block in registers. The marginals, which do not wait for the word before, are one more launch, a
program for every few words. Read from its end with transposed transitions, a sentence's backward recursion is a forward
recursion, so one kernel does both:

    messages[0, :, i]  log-sum over all prefixes that end in a tag, its emission excluded; up to a constant
    messages[1, :, i]  log-sum over all suffixes that follow a tag, its emission excluded; up to a constant

All is in log space and in the precision of the potentials. At every word the messages are shifted to a largest entry
of 0, so they are rounded as the potentials are, however long the sentence; the shifts are added up in float64.
"""

from __future__ import annotations

import triton
import triton.language as tl

from skd_lightning.crf.kernels.gpu.blocks import (
    finite_or_zero,
    load_row,
    sentence_offset,
    store_row,
    transition_cells,
)


@triton.jit(do_not_specialize=["most", "own"])
def fill_messages(
    unary: tl.tensor,
    transitions: tl.tensor,
    lengths: tl.tensor,
    messages: tl.tensor,
    log_partition: tl.tensor,
    most: tl.tensor,
    tags: tl.tensor,
    own: tl.tensor,
    size: tl.constexpr,
) -> None:
    """Fill the messages of one sentence in one direction, and its log-partition."""
    sentence, direction = tl.program_id(0).to(tl.int64), tl.program_id(1)
    words = tl.load(lengths + sentence).to(tl.int32)
    step = 1 - 2 * direction
    first = tl.where(direction == 0, 0, words - 1)
    unary += sentence_offset(sentence, most, tags)
    messages += sentence_offset(direction * tl.num_programs(0) + sentence, most, tags)
    transitions += sentence_offset(sentence * own, tags, tags)

    cells, known = transition_cells(direction, tags, size)
    scores = tl.load(transitions + cells, mask=known, other=-float("inf"))
    message = tl.zeros((size,), scores.dtype)
    # Without words, the log-sum of the one empty path is 0.
    total = tl.where(tl.arange(0, size) == 0, 0.0, -float("inf")).to(scores.dtype)
    constant = tl.sum(tl.zeros((size,), tl.float64), 0)
    for n in tl.range(0, words, num_stages=3):  # the next emissions are on their way meanwhile
        i = first + step * n
        store_row(messages, i, message, tags)
        total = message + load_row(unary, i, True, tags, size, -float("inf"))
        shift = finite_or_zero(tl.max(total, 0))
        total -= shift
        constant += shift.to(tl.float64)
        joint = total[:, None] + scores
        largest = finite_or_zero(tl.max(joint, 0))
        message = largest + tl.log(tl.sum(tl.exp(joint - largest[None, :]), 0))
    constant += tl.log(tl.sum(tl.exp(total), 0)).to(tl.float64)
    tl.store(log_partition + sentence, constant, mask=direction == 0)


@triton.jit
def pair_posterior(prefix: tl.tensor, scores: tl.tensor, suffix: tl.tensor) -> tl.tensor:
    """Return p(tag before, tag); 0 where there is no path."""
    joint = prefix[:, None] + scores + suffix[None, :]
    joint = tl.exp(joint - finite_or_zero(tl.max(tl.max(joint, 0), 0)))
    total = tl.sum(tl.sum(joint, 0), 0)
    return joint / tl.where(total == 0, 1.0, total)


@triton.jit(do_not_specialize=["most", "own"])
def fill_marginals(
    unary: tl.tensor,
    transitions: tl.tensor,
    lengths: tl.tensor,
    messages: tl.tensor,
    log_marginals: tl.tensor,
    marginals: tl.tensor,
    pairs: tl.tensor,
    most: tl.tensor,
    tags: tl.tensor,
    own: tl.tensor,
    size: tl.constexpr,
    chunk: tl.constexpr,
    each_pair: tl.constexpr,
) -> None:
    """Fill the marginals of a few words of one sentence.

    ``pairs`` is (batch, most - 1, tags, tags) with ``each_pair``, else (batch, chunks, tags, tags), their sums.
    """
    sentence, part = tl.program_id(0).to(tl.int64), tl.program_id(1)
    words = tl.load(lengths + sentence).to(tl.int32)
    backward = messages + sentence_offset(tl.num_programs(0) + sentence, most, tags)
    here = sentence_offset(sentence, most, tags)
    forward, unary = messages + here, unary + here
    log_marginals, marginals = log_marginals + here, marginals + here
    transitions += sentence_offset(sentence * own, tags, tags)
    pairs += sentence_offset(sentence, most - 1 if each_pair else tl.num_programs(1), tags * tags)

    cells, known = transition_cells(0, tags, size)
    scores = tl.load(transitions + cells, mask=known, other=-float("inf"))
    counts = tl.zeros((size, size), scores.dtype)
    for i in range(part * chunk, tl.minimum(part * chunk + chunk, words)):
        prefix = load_row(forward, i - 1, i > 0, tags, size, 0.0)
        prefix += load_row(unary, i - 1, i > 0, tags, size, -float("inf"))
        suffix = load_row(backward, i, True, tags, size, 0.0)
        suffix += load_row(unary, i, True, tags, size, -float("inf"))

        score = load_row(forward, i, True, tags, size, 0.0) + suffix
        score -= finite_or_zero(tl.max(score, 0))
        likelihood = tl.exp(score)
        total = tl.sum(likelihood, 0)
        total = tl.where(total == 0, 1.0, total)  # no path: then all scores are -inf
        store_row(log_marginals, i, score - tl.log(total), tags)
        store_row(marginals, i, likelihood / total, tags)

        pair = pair_posterior(prefix, scores, suffix)
        if each_pair:
            tl.store(pairs + (i - 1) * tags * tags + cells, pair, mask=known & (i > 0))
        else:
            counts += pair
    if not each_pair:
        tl.store(pairs + part * tags * tags + cells, counts, mask=known)
