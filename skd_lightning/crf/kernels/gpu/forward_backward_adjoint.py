"""The adjoint of forward-backward as Triton kernels.

Gradients of the marginals first become gradients of the messages, every few words by themselves; then each recursion is
walked against its direction.
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
from skd_lightning.crf.kernels.gpu.forward_backward import pair_posterior


@triton.jit(do_not_specialize=["most", "own", "rows"])
def marginal_adjoint(
    unary: tl.tensor,
    transitions: tl.tensor,
    lengths: tl.tensor,
    messages: tl.tensor,
    of_log_marginals: tl.tensor | None,
    of_marginals: tl.tensor | None,
    of_pairs: tl.tensor | None,
    from_marginals: tl.tensor,
    of_transitions: tl.tensor,
    most: tl.tensor,
    tags: tl.tensor,
    own: tl.tensor,
    rows: tl.tensor,
    size: tl.constexpr,
    chunk: tl.constexpr,
) -> None:
    """Fill the gradients that a few words' messages receive from their marginals, before they are passed on.

    Every word's marginals are a softmax, so these gradients sum to zero over the tags and fade on their way through
    the sentence; given to the log-partition instead, all of them would have to cancel out at the sentence's end.

    ``from_marginals[0]`` belongs to a word's emission and both its messages, ``from_marginals[1]`` to the emission and
    the message from before, ``from_marginals[2]`` to the emission and the message from behind; the last two come from
    ``of_pairs`` (batch, rows, tags, tags), ``rows`` 1 or most - 1. ``of_transitions`` is (batch, 2 + chunks, tags,
    tags).
    """
    sentence, part = tl.program_id(0).to(tl.int64), tl.program_id(1)
    words = tl.load(lengths + sentence).to(tl.int32)
    batch = tl.num_programs(0)
    backward = messages + sentence_offset(batch + sentence, most, tags)
    here = sentence_offset(sentence, most, tags)
    forward, unary = messages + here, unary + here
    transitions += sentence_offset(sentence * own, tags, tags)
    cells, known = transition_cells(0, tags, size)
    scores = tl.load(transitions + cells, mask=known, other=-float("inf"))
    counts = tl.zeros((size, size), scores.dtype)
    for i in range(part * chunk, tl.minimum(part * chunk + chunk, words)):
        suffix = load_row(backward, i, True, tags, size, 0.0)
        suffix += load_row(unary, i, True, tags, size, -float("inf"))
        score = load_row(forward, i, True, tags, size, 0.0) + suffix
        likelihood = tl.exp(score - finite_or_zero(tl.max(score, 0)))
        total = tl.sum(likelihood, 0)
        likelihood /= tl.where(total == 0, 1.0, total)
        given = tl.zeros((size,), scores.dtype)
        if of_log_marginals is not None:
            grad = load_row(of_log_marginals + here, i, True, tags, size, 0.0)
            given += tl.where(score > -float("inf"), grad, 0.0)
        if of_marginals is not None:
            grad = load_row(of_marginals + here, i, True, tags, size, 0.0)
            given += tl.where(likelihood > 0, likelihood * grad, 0.0)
        store_row(from_marginals + here, i, given - likelihood * tl.sum(given, 0), tags)

        if of_pairs is not None:
            prefix = load_row(forward, i - 1, i > 0, tags, size, 0.0)
            prefix += load_row(unary, i - 1, i > 0, tags, size, -float("inf"))
            pair = pair_posterior(prefix, scores, suffix)
            row = tl.where(rows == 1, 0, i - 1)
            grad = tl.load(
                of_pairs + sentence_offset(sentence * rows + row, tags, tags) + cells,
                mask=known & (i > 0),
                other=0.0,
            )
            flow = tl.where(pair > 0, pair * grad, 0.0)
            flow -= pair * tl.sum(tl.sum(flow, 0), 0)
            counts += flow
            from_before = from_marginals + sentence_offset(batch + sentence, most, tags)
            from_behind = from_marginals + sentence_offset(2 * batch + sentence, most, tags)
            store_row(from_before, i - 1, tl.sum(flow, 1), tags, i > 0)
            store_row(from_behind, i, tl.sum(flow, 0), tags)
    if of_pairs is not None:
        cells += (2 + part) * tags * tags
        of_transitions += sentence_offset(sentence, 2 + tl.num_programs(1), tags * tags)
        tl.store(of_transitions + cells, counts, mask=known)


@triton.jit(do_not_specialize=["most", "own", "parts"])
def recursion_adjoint(
    unary: tl.tensor,
    transitions: tl.tensor,
    lengths: tl.tensor,
    messages: tl.tensor,
    of_partition: tl.tensor,
    from_marginals: tl.tensor,
    of_totals: tl.tensor,
    of_transitions: tl.tensor,
    most: tl.tensor,
    tags: tl.tensor,
    own: tl.tensor,
    parts: tl.tensor,
    size: tl.constexpr,
    with_pairs: tl.constexpr,
) -> None:
    """Walk one recursion of one sentence against its direction.

    A log-sum passes the gradient that it receives on to its terms in the shares that they have of it: in the forward
    recursion p(tag before | tag, words so far). ``of_totals`` (2, batch, most, tags) receives the gradient of a word's
    message and emission together; ``of_transitions`` is (batch, parts, tags, tags), a part for each direction.
    """
    sentence, direction = tl.program_id(0).to(tl.int64), tl.program_id(1)
    words = tl.load(lengths + sentence).to(tl.int32)
    step = 1 - 2 * direction
    last = tl.where(direction == 0, words - 1, 0)
    batch = tl.num_programs(0)
    here = sentence_offset(sentence, most, tags)
    directed = sentence_offset(direction * batch + sentence, most, tags)
    unary, local, messages, of_totals = (
        unary + here,
        from_marginals + here,
        messages + directed,
        of_totals + directed,
    )
    transitions += sentence_offset(sentence * own, tags, tags)
    pairwise = from_marginals + sentence_offset((1 + direction) * batch + sentence, most, tags)

    cells, known = transition_cells(direction, tags, size)
    scores = tl.load(transitions + cells, mask=known, other=-float("inf"))
    counts = tl.zeros((size, size), scores.dtype)

    # The log-partition is the log-sum at the end of the forward recursion.
    total = load_row(unary, last, words > 0, tags, size, -float("inf"))
    total += load_row(messages, last, words > 0, tags, size, 0.0)
    share = tl.exp(total - finite_or_zero(tl.max(total, 0)))
    sum_of_shares = tl.sum(share, 0)
    grad = tl.load(of_partition + sentence, mask=direction == 0, other=0.0)
    carried = share * tl.where(sum_of_shares == 0, 0.0, grad / sum_of_shares)

    for n in tl.range(0, words, num_stages=3):
        i = last - step * n
        before = i - step
        if with_pairs:
            carried += load_row(pairwise, i, True, tags, size, 0.0)
        store_row(of_totals, i, carried, tags)
        received = carried + load_row(local, i, True, tags, size, 0.0)
        prefix = load_row(unary, before, n + 1 < words, tags, size, -float("inf"))
        prefix += load_row(messages, before, n + 1 < words, tags, size, 0.0)
        joint = prefix[:, None] + scores
        shares = tl.exp(joint - finite_or_zero(tl.max(joint, 0))[None, :])
        sums = tl.sum(shares, 0)
        flow = shares * tl.where(sums == 0, 0.0, received / sums)[None, :]
        counts += flow
        carried = tl.sum(flow, 1)
    of_transitions += sentence_offset(sentence * parts + direction, tags, tags)
    tl.store(of_transitions + cells, counts, mask=known)
