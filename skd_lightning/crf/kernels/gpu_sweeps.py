"""The recursions as Triton kernels; arguments and results are those of the operators.

One launch runs a batch's whole recursion: a program for every sentence and direction loops over the words, with the
transitions as one block in registers. What does not wait for the word before, the marginals and their adjoint, is
one more launch, a program for every few words. Read from its end with transposed transitions, a sentence's backward
sweep is a forward sweep, so one kernel does both:

    messages[0, :, i]  log-sum over all prefixes that end in a tag, its emission excluded; up to a constant
    messages[1, :, i]  log-sum over all suffixes that follow a tag, its emission excluded; up to a constant

All is in log space and in the precision of the potentials. At every word the messages are shifted to a largest entry
of 0, so they are rounded as the potentials are, however long the sentence; the shifts are added up in float64.
"""

from __future__ import annotations

import triton
import triton.language as tl

from skd_lightning.crf.kernels.gpu_decoding import finite, load_row, place, store_row

# In common: unary (batch, most, tags), transitions (tags, tags), lengths (batch,), messages (2, batch, most, tags),
# ``most`` the words of the longest sentence, ``size`` the padded number of tags. Transitions are a block
# [tag before, tag] of the direction's own: sums go over axis 0.


@triton.jit
def _cells(direction: tl.tensor, tags: tl.tensor, size: tl.constexpr) -> tuple[tl.tensor, tl.tensor]:
    """Offsets and mask of the transitions, transposed for the sweep from the sentence's end."""
    tag = tl.arange(0, size)
    rows, columns = tl.where(direction == 0, tags, 1), tl.where(direction == 0, 1, tags)
    return tag[:, None] * rows + tag[None, :] * columns, (tag < tags)[:, None] & (tag < tags)[None, :]


@triton.jit(do_not_specialize=["most"])
def sweep(
    unary: tl.tensor,
    transitions: tl.tensor,
    lengths: tl.tensor,
    messages: tl.tensor,
    log_partition: tl.tensor,
    most: tl.tensor,
    tags: tl.tensor,
    size: tl.constexpr,
) -> None:
    """Fill the messages of one sentence in one direction, and its log-partition."""
    sentence, direction = tl.program_id(0).to(tl.int64), tl.program_id(1)
    words = tl.load(lengths + sentence).to(tl.int32)
    step = 1 - 2 * direction
    first = tl.where(direction == 0, 0, words - 1)
    unary += place(sentence, most, tags)
    messages += place(direction * tl.num_programs(0) + sentence, most, tags)

    cells, known = _cells(direction, tags, size)
    scores = tl.load(transitions + cells, mask=known, other=-float("inf"))
    message = tl.zeros((size,), scores.dtype)
    # Without words, the log-sum of the one empty path is 0.
    total = tl.where(tl.arange(0, size) == 0, 0.0, -float("inf")).to(scores.dtype)
    constant = tl.sum(tl.zeros((size,), tl.float64), 0)
    for n in tl.range(0, words, num_stages=3):  # the next emissions are on their way meanwhile
        i = first + step * n
        store_row(messages, i, message, tags)
        total = message + load_row(unary, i, True, tags, size, -float("inf"))
        shift = finite(tl.max(total, 0))
        total -= shift
        constant += shift.to(tl.float64)
        joint = total[:, None] + scores
        largest = finite(tl.max(joint, 0))
        message = largest + tl.log(tl.sum(tl.exp(joint - largest[None, :]), 0))
    constant += tl.log(tl.sum(tl.exp(total), 0)).to(tl.float64)
    tl.store(log_partition + sentence, constant, mask=direction == 0)


@triton.jit
def _pair(prefix: tl.tensor, scores: tl.tensor, suffix: tl.tensor) -> tl.tensor:
    """p(tag before, tag); 0 where there is no path."""
    joint = prefix[:, None] + scores + suffix[None, :]
    joint = tl.exp(joint - finite(tl.max(tl.max(joint, 0), 0)))
    total = tl.sum(tl.sum(joint, 0), 0)
    return joint / tl.where(total == 0, 1.0, total)


@triton.jit(do_not_specialize=["most"])
def marginals(
    unary: tl.tensor,
    transitions: tl.tensor,
    lengths: tl.tensor,
    messages: tl.tensor,
    log_marginals: tl.tensor,
    marginals: tl.tensor,
    pairs: tl.tensor,
    most: tl.tensor,
    tags: tl.tensor,
    size: tl.constexpr,
    chunk: tl.constexpr,
    each_pair: tl.constexpr,
) -> None:
    """Fill the marginals of a few words of one sentence.

    ``pairs`` is (batch, most - 1, tags, tags) with ``each_pair``, else (batch, chunks, tags, tags), their sums.
    """
    sentence, part = tl.program_id(0).to(tl.int64), tl.program_id(1)
    words = tl.load(lengths + sentence).to(tl.int32)
    backward = messages + place(tl.num_programs(0) + sentence, most, tags)
    here = place(sentence, most, tags)
    forward, unary = messages + here, unary + here
    log_marginals, marginals = log_marginals + here, marginals + here
    pairs += place(sentence, most - 1 if each_pair else tl.num_programs(1), tags * tags)

    cells, known = _cells(0, tags, size)
    scores = tl.load(transitions + cells, mask=known, other=-float("inf"))
    counts = tl.zeros((size, size), scores.dtype)
    for i in range(part * chunk, tl.minimum(part * chunk + chunk, words)):
        prefix = load_row(forward, i - 1, i > 0, tags, size, 0.0)
        prefix += load_row(unary, i - 1, i > 0, tags, size, -float("inf"))
        suffix = load_row(backward, i, True, tags, size, 0.0)
        suffix += load_row(unary, i, True, tags, size, -float("inf"))

        score = load_row(forward, i, True, tags, size, 0.0) + suffix
        score -= finite(tl.max(score, 0))
        likelihood = tl.exp(score)
        total = tl.sum(likelihood, 0)
        total = tl.where(total == 0, 1.0, total)  # no path: then all scores are -inf
        store_row(log_marginals, i, score - tl.log(total), tags)
        store_row(marginals, i, likelihood / total, tags)

        pair = _pair(prefix, scores, suffix)
        if each_pair:
            tl.store(pairs + (i - 1) * tags * tags + cells, pair, mask=known & (i > 0))
        else:
            counts += pair
    if not each_pair:
        tl.store(pairs + part * tags * tags + cells, counts, mask=known)


@triton.jit(do_not_specialize=["most", "rows"])
def seeds(
    unary: tl.tensor,
    transitions: tl.tensor,
    lengths: tl.tensor,
    messages: tl.tensor,
    of_log_marginals: tl.tensor | None,
    of_marginals: tl.tensor | None,
    of_pairs: tl.tensor | None,
    seeds: tl.tensor,
    of_transitions: tl.tensor,
    most: tl.tensor,
    tags: tl.tensor,
    rows: tl.tensor,
    size: tl.constexpr,
    chunk: tl.constexpr,
) -> None:
    """What the gradients of a few words' marginals give to their messages, before it is passed on.

    Every word's marginals are a softmax, so what is given sums to zero over the tags and fades on its way through
    the sentence; given to the log-partition instead, all of it would have to cancel out at the sentence's end.

    ``seeds[0]`` is given to a word's emission and both its messages, ``seeds[1]`` to the emission and the message
    from before, ``seeds[2]`` to the emission and the message from behind; the last two by ``of_pairs``
    (batch, rows, tags, tags), ``rows`` 1 or most - 1. ``of_transitions`` is (batch, 2 + chunks, tags, tags).
    """
    sentence, part = tl.program_id(0).to(tl.int64), tl.program_id(1)
    words = tl.load(lengths + sentence).to(tl.int32)
    batch = tl.num_programs(0)
    backward = messages + place(batch + sentence, most, tags)
    here = place(sentence, most, tags)
    forward, unary = messages + here, unary + here
    cells, known = _cells(0, tags, size)
    scores = tl.load(transitions + cells, mask=known, other=-float("inf"))
    counts = tl.zeros((size, size), scores.dtype)
    for i in range(part * chunk, tl.minimum(part * chunk + chunk, words)):
        suffix = load_row(backward, i, True, tags, size, 0.0)
        suffix += load_row(unary, i, True, tags, size, -float("inf"))
        score = load_row(forward, i, True, tags, size, 0.0) + suffix
        likelihood = tl.exp(score - finite(tl.max(score, 0)))
        total = tl.sum(likelihood, 0)
        likelihood /= tl.where(total == 0, 1.0, total)
        given = tl.zeros((size,), scores.dtype)
        if of_log_marginals is not None:
            grad = load_row(of_log_marginals + here, i, True, tags, size, 0.0)
            given += tl.where(score > -float("inf"), grad, 0.0)
        if of_marginals is not None:
            grad = load_row(of_marginals + here, i, True, tags, size, 0.0)
            given += tl.where(likelihood > 0, likelihood * grad, 0.0)
        store_row(seeds + here, i, given - likelihood * tl.sum(given, 0), tags)

        if of_pairs is not None:
            prefix = load_row(forward, i - 1, i > 0, tags, size, 0.0)
            prefix += load_row(unary, i - 1, i > 0, tags, size, -float("inf"))
            pair = _pair(prefix, scores, suffix)
            row = tl.where(rows == 1, 0, i - 1)
            grad = tl.load(
                of_pairs + place(sentence * rows + row, tags, tags) + cells, mask=known & (i > 0), other=0.0
            )
            flow = tl.where(pair > 0, pair * grad, 0.0)
            flow -= pair * tl.sum(tl.sum(flow, 0), 0)
            counts += flow
            store_row(seeds + place(batch + sentence, most, tags), i - 1, tl.sum(flow, 1), tags, i > 0)
            store_row(seeds + place(2 * batch + sentence, most, tags), i, tl.sum(flow, 0), tags)
    if of_pairs is not None:
        cells += (2 + part) * tags * tags
        of_transitions += place(sentence, 2 + tl.num_programs(1), tags * tags)
        tl.store(of_transitions + cells, counts, mask=known)


@triton.jit(do_not_specialize=["most", "parts"])
def walk(
    unary: tl.tensor,
    transitions: tl.tensor,
    lengths: tl.tensor,
    messages: tl.tensor,
    of_partition: tl.tensor,
    seeds: tl.tensor,
    of_totals: tl.tensor,
    of_transitions: tl.tensor,
    most: tl.tensor,
    tags: tl.tensor,
    parts: tl.tensor,
    size: tl.constexpr,
    with_pairs: tl.constexpr,
) -> None:
    """Walk one sweep of one sentence against its direction.

    A log-sum passes on what it receives to its terms in the shares that they have of it: in the forward sweep
    p(tag before | tag, words so far). ``of_totals`` (2, batch, most, tags) is what a word's message and emission
    receive together; ``of_transitions`` is (batch, parts, tags, tags), a part for each direction.
    """
    sentence, direction = tl.program_id(0).to(tl.int64), tl.program_id(1)
    words = tl.load(lengths + sentence).to(tl.int32)
    step = 1 - 2 * direction
    last = tl.where(direction == 0, words - 1, 0)
    batch = tl.num_programs(0)
    here, own = place(sentence, most, tags), place(direction * batch + sentence, most, tags)
    unary, local, messages, of_totals = unary + here, seeds + here, messages + own, of_totals + own
    pairwise = seeds + place((1 + direction) * batch + sentence, most, tags)

    cells, known = _cells(direction, tags, size)
    scores = tl.load(transitions + cells, mask=known, other=-float("inf"))
    counts = tl.zeros((size, size), scores.dtype)

    # The log-partition is the log-sum at the end of the forward sweep.
    total = load_row(unary, last, words > 0, tags, size, -float("inf"))
    total += load_row(messages, last, words > 0, tags, size, 0.0)
    share = tl.exp(total - finite(tl.max(total, 0)))
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
        shares = tl.exp(joint - finite(tl.max(joint, 0))[None, :])
        sums = tl.sum(shares, 0)
        flow = shares * tl.where(sums == 0, 0.0, received / sums)[None, :]
        counts += flow
        carried = tl.sum(flow, 1)
    of_transitions += place(sentence * parts + direction, tags, tags)
    tl.store(of_transitions + cells, counts, mask=known)
