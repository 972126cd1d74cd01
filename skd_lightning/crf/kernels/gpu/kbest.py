"""The k best paths on a GPU, in float64: the search of the CPU kernels.

Source: the backward search of Soong and Huang 1991, with the disjoint deviations of Lawler 1972.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from skd_lightning.crf.kernels.gpu.blocks import (
    block_size,
    load_row,
    matrices,
    sentence_offset,
    store_row,
    warps,
)


@triton.jit
def _possible(scores: tl.tensor) -> tl.tensor:
    """Return scores in float64; NaN counts as forbidden."""
    scores = scores.to(tl.float64)
    return tl.where(scores == scores, scores, -float("inf"))


@triton.jit(do_not_specialize=["most", "own"])
def _viterbi(
    unary: tl.tensor,
    transitions: tl.tensor,
    lengths: tl.tensor,
    best: tl.tensor,
    most: tl.tensor,
    tags: tl.tensor,
    own: tl.tensor,
    size: tl.constexpr,
) -> None:
    """Fill ``best`` (batch, most, tags), the score of the best prefix of one sentence that ends in a tag."""
    sentence = tl.program_id(0).to(tl.int64)
    words = tl.load(lengths + sentence).to(tl.int32)
    here = sentence_offset(sentence, most, tags)
    tag = tl.arange(0, size)
    known = (tag < tags)[:, None] & (tag < tags)[None, :]
    transitions += sentence_offset(sentence * own, tags, tags)
    cells = transitions + tag[:, None] * tags + tag[None, :]
    scores = _possible(tl.load(cells, mask=known, other=-float("inf")))
    arrival = tl.zeros((size,), tl.float64)
    for i in tl.range(0, words, num_stages=3):
        prefix = arrival + _possible(load_row(unary + here, i, True, tags, size, -float("inf")))
        store_row(best + here, i, prefix, tags)
        arrival = tl.max(prefix[:, None] + scores, 0)


@triton.jit
def _insert(
    scores: tl.tensor, origin: tl.tensor, found: tl.tensor, origins: tl.tensor
) -> tuple[tl.tensor, tl.tensor]:
    """Put the tags' scores that beat the worst of the list in the place of the worst, best first."""
    tag, slot = tl.arange(0, scores.shape[0]), tl.arange(0, found.shape[0])
    worst = tl.min(found, 0)
    scores = tl.where(scores > worst, scores, -float("inf"))
    largest = tl.max(scores, 0)
    while largest > worst:
        chosen, worst_slot = tl.argmax(scores, 0), tl.argmin(found, 0)
        found = tl.where(slot == worst_slot, largest, found)
        origins = tl.where(slot == worst_slot, origin + chosen, origins)
        scores = tl.where(tag == chosen, -float("inf"), scores)
        largest, worst = tl.max(scores, 0), tl.min(found, 0)
    return found, origins


@triton.jit(do_not_specialize=["most", "own", "k"])
def _search(
    best: tl.tensor,
    into: tl.tensor,
    lengths: tl.tensor,
    paths: tl.tensor,
    path_scores: tl.tensor,
    most: tl.tensor,
    tags: tl.tensor,
    own: tl.tensor,
    k: tl.tensor,
    size: tl.constexpr,
    slots: tl.constexpr,
    block: tl.constexpr,
) -> None:
    """Read the k best paths of one sentence off backwards, each the best way of leaving an earlier one.

    ``into`` is the transitions (1 or batch, tags, tags) as [tag, tag before]. The list of the k best paths known so far
    is not sorted; a path that is done was no worse than any found later, so never the one to give way.
    """
    sentence = tl.program_id(0).to(tl.int64)
    words = tl.load(lengths + sentence).to(tl.int32)
    best += sentence_offset(sentence, most, tags)
    paths += sentence_offset(sentence, k, most)
    path_scores += sentence * k
    into += sentence_offset(sentence * own, tags, tags)
    tags_there, slot = tl.arange(0, size), tl.arange(0, slots)

    # An origin is the path that was left, the word at which it was, and the other tag taken exists, in one number.
    found = tl.where(slot < k, -float("inf"), float("inf")).to(tl.float64)
    origins = tl.zeros((slots,), tl.int64)
    waiting = slot < k
    finals = load_row(best, words - 1, words > 0, tags, size, -float("inf"))
    found, origins = _insert(finals, (words - 1) * tags, found, origins)

    for rank in range(0, k):
        score = tl.max(tl.where(waiting, found, -float("inf")), 0)
        if score > -float("inf"):
            taken = slot == tl.argmax(tl.where(waiting, found, -float("inf")), 0)
            waiting = waiting & (taken == 0)
            origin = tl.sum(tl.where(taken, origins, 0), 0)
            tag = (origin % tags).to(tl.int32)
            left = ((origin // tags) % most).to(tl.int32)
            parent = paths + (origin // tags) // most * most
            path = paths + rank * most
            tl.store(path_scores + rank, score)

            tl.debug_barrier()  # other threads wrote the parent
            for start in range(left + 1, words, block):
                i = start + tl.arange(0, block)
                tl.store(path + i, tl.load(parent + i, mask=i < words, other=0), mask=i < words)
            tl.store(path + left, tag)

            prefix = load_row(best, left - 1, left > 0, tags, size, -float("inf"))
            for n in range(0, left):
                i = left - 1 - n
                following = load_row(best, i - 1, i > 0, tags, size, -float("inf"))
                reached = prefix + _possible(load_row(into, tag, True, tags, size, -float("inf")))
                largest, tag = tl.max(reached, 0, return_indices=True)
                # The cost of leaving is subtracted, not all summed anew: so the order of paths cannot be rounded away.
                others = tl.where(tags_there == tag, -float("inf"), score - (largest - reached))
                found, origins = _insert(others, (rank * most + i) * tags, found, origins)
                tl.store(path + i, tag)
                prefix = following


def kbest(unary: Tensor, transitions: Tensor, lengths: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the k best paths (batch, k, words) int64 and their scores (batch, k), best first.

    One recursion gives the best prefixes, then k paths are read off backwards. Where there are fewer paths, scores are
    -inf and paths 0.

    Args:
        unary: (batch, words, tags) nats, -inf where forbidden; anything at padding.
        transitions: (tags, tags) or (batch, tags, tags) nats ``[from, to]``, -inf where forbidden.
        lengths: (batch,) words, int64.
        k: number of paths.
    """
    batch, words, tags = unary.shape
    paths = lengths.new_zeros(batch, k, words)
    scores = unary.new_full((batch, k), -torch.inf)
    scores[:, :1].masked_fill_((lengths == 0).unsqueeze(1), 0.0)
    if unary.numel() == 0 or k == 0:
        return paths, scores
    unary, lengths = unary.contiguous(), lengths.contiguous()
    best = torch.empty(unary.shape, dtype=torch.double, device=unary.device)
    transitions, own = matrices(transitions, transitions.dtype)
    size, slots = block_size(tags), block_size(k)
    with torch.cuda.device_of(unary):
        _viterbi[batch,](
            *(unary, transitions, lengths, best, words, tags, own, size),
            num_warps=warps(size, torch.double),
        )
        _search[batch,](
            *(best, transitions.mT.contiguous(), lengths, paths, scores),
            *(words, tags, own, k, size, slots, 128),
            num_warps=1 if max(size, slots) <= 256 else 4,
        )
    return paths, scores
