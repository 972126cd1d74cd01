"""The k best paths and scores of given paths on a GPU, in float64, and how every kernel there reads its rows."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

# -- rows ---------------------------------------------------------------------------------------------------


def padded(tags: int) -> int:
    """The number of tags that blocks have: a power of two, as Triton asks for."""
    return max(8, triton.next_power_of_2(tags))


def warps(size: int, dtype: torch.dtype) -> int:
    """How many warps hold a block of all transitions: 128 bytes a thread, a quarter of the registers or less."""
    return min(max(size * size * dtype.itemsize // 4096, 1), 16)


@triton.jit
def place(sentence: tl.tensor, words: tl.tensor, tags: tl.tensor) -> tl.tensor:
    """Offset of a sentence in (batch, words, tags)."""
    return sentence.to(tl.int64) * words * tags


@triton.jit
def load_row(
    values: tl.tensor,
    i: tl.tensor,
    there: tl.tensor,
    tags: tl.tensor,
    size: tl.constexpr,
    other: tl.constexpr,
) -> tl.tensor:
    """values[i] (size,) of a sentence's (words, tags); ``other`` where no tag is, and everywhere if not ``there``."""
    tag = tl.arange(0, size)
    return tl.load(values + i * tags + tag, mask=tag < tl.where(there, tags, 0), other=other)


@triton.jit
def store_row(
    values: tl.tensor, i: tl.tensor, row: tl.tensor, tags: tl.tensor, there: tl.tensor = True
) -> None:
    """values[i] = row, of a sentence's (words, tags), if it is ``there``."""
    tag = tl.arange(0, row.shape[0])
    tl.store(values + i * tags + tag, row, mask=tag < tl.where(there, tags, 0))


@triton.jit
def finite(shift: tl.tensor) -> tl.tensor:
    """A largest score to subtract: 0 instead of -inf, which would leave no number."""
    return tl.where(shift == -float("inf"), 0.0, shift)


# -- k best -------------------------------------------------------------------------------------------------


@triton.jit
def _possible(scores: tl.tensor) -> tl.tensor:
    """Scores in float64; what is not a number is forbidden."""
    scores = scores.to(tl.float64)
    return tl.where(scores == scores, scores, -float("inf"))


@triton.jit(do_not_specialize=["most"])
def _viterbi(
    unary: tl.tensor,
    transitions: tl.tensor,
    lengths: tl.tensor,
    best: tl.tensor,
    most: tl.tensor,
    tags: tl.tensor,
    size: tl.constexpr,
) -> None:
    """Fill ``best`` (batch, most, tags), the score of the best prefix of one sentence that ends in a tag."""
    sentence = tl.program_id(0).to(tl.int64)
    words = tl.load(lengths + sentence).to(tl.int32)
    here = place(sentence, most, tags)
    tag = tl.arange(0, size)
    known = (tag < tags)[:, None] & (tag < tags)[None, :]
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


@triton.jit(do_not_specialize=["most", "k"])
def _search(
    best: tl.tensor,
    into: tl.tensor,
    lengths: tl.tensor,
    paths: tl.tensor,
    path_scores: tl.tensor,
    most: tl.tensor,
    tags: tl.tensor,
    k: tl.tensor,
    size: tl.constexpr,
    slots: tl.constexpr,
    block: tl.constexpr,
) -> None:
    """Read the k best paths of one sentence off backwards, each the best way of leaving an earlier one.

    ``into`` is the transitions [tag, tag before]. The list of the k best paths known so far is not sorted; a path
    that is done was no worse than any found later, so never the one to give way.
    """
    sentence = tl.program_id(0).to(tl.int64)
    words = tl.load(lengths + sentence).to(tl.int32)
    best += place(sentence, most, tags)
    paths += place(sentence, k, most)
    path_scores += sentence * k
    tags_there, slot = tl.arange(0, size), tl.arange(0, slots)

    # An origin is the path that was left, the word at which it was, and the other tag taken there, in one number.
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
                # What leaving costs is subtracted, not all summed anew: so the order of paths cannot be rounded away.
                others = tl.where(tags_there == tag, -float("inf"), score - (largest - reached))
                found, origins = _insert(others, (rank * most + i) * tags, found, origins)
                tl.store(path + i, tag)
                prefix = following


def kbest(unary: Tensor, transitions: Tensor, lengths: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k best paths (batch, k, words) int64 and their scores (batch, k), best first.

    The search of the CPU kernels, on the same float64 scores: a sweep for the best prefixes, then k paths read off
    backwards. Where there are fewer paths, scores are -inf and paths 0.

    Args:
        unary: (batch, words, tags) nats, -inf where forbidden; anything at padding.
        transitions: (tags, tags) nats ``[from, to]``, -inf where forbidden.
        lengths: (batch,) words, int64.
        k: how many.
    """
    batch, words, tags = unary.shape
    paths = lengths.new_zeros(batch, k, words)
    scores = unary.new_full((batch, k), -torch.inf)
    scores[:, :1].masked_fill_((lengths == 0).unsqueeze(1), 0.0)
    if unary.numel() == 0 or k == 0:
        return paths, scores
    unary, lengths = unary.contiguous(), lengths.contiguous()
    best = torch.empty(unary.shape, dtype=torch.double, device=unary.device)
    size, slots = padded(tags), padded(k)
    with torch.cuda.device_of(unary):
        _viterbi[batch,](
            *(unary, transitions.contiguous(), lengths, best, words, tags, size),
            num_warps=warps(size, torch.double),
        )
        _search[batch,](
            *(best, transitions.t().contiguous(), lengths, paths, scores, words, tags, k, size, slots, 128),
            num_warps=1 if max(size, slots) <= 256 else 4,
        )
    return paths, scores


# -- scores of paths: no recursion, plain torch ----------------------------------------------------------------


def _pairs(paths: Tensor, lengths: Tensor, tags: int) -> tuple[Tensor, Tensor, Tensor]:
    """Mask (batch, 1, words); paths, 0 at padding; their pairs of tags (batch, k, words - 1) as from · tags + to."""
    mask = (torch.arange(paths.shape[2], device=paths.device) < lengths.unsqueeze(1)).unsqueeze(1)
    paths = paths.masked_fill(~mask, 0)
    return mask, paths, paths[..., :-1] * tags + paths[..., 1:]


def path_scores(unary: Tensor, transitions: Tensor, lengths: Tensor, paths: Tensor) -> Tensor:
    """Scores (batch, k) of paths (batch, k, words); anything at padding.

    A tag that does not exist is an error of torch's indexing; on a GPU that ends the process, as everywhere in torch.
    """
    mask, paths, pairs = _pairs(paths, lengths, unary.shape[2])
    by_word = unary.gather(2, paths.transpose(1, 2)).transpose(1, 2)
    by_pair = transitions.flatten()[pairs]
    score = torch.where(mask, by_word, 0.0).sum(-1, dtype=torch.double)
    return (score + torch.where(mask[..., 1:], by_pair, 0.0).sum(-1, dtype=torch.double)).to(unary.dtype)


def path_scores_adjoint(grad: Tensor, lengths: Tensor, paths: Tensor, tags: int) -> tuple[Tensor, Tensor]:
    """Gradients of unary (batch, words, tags) and transitions (tags, tags) from those of the scores (batch, k)."""
    batch, _, words = paths.shape
    mask, paths, pairs = _pairs(paths, lengths, tags)
    weights = torch.where(mask, grad.double().unsqueeze(-1), 0.0)
    grad_unary = weights.new_zeros(batch, words, tags)
    grad_unary.scatter_add_(2, paths.transpose(1, 2), weights.transpose(1, 2))
    # One matrix a sentence: fewer threads add to the same cell.
    by_sentence = weights.new_zeros(batch, tags * tags)
    by_sentence.scatter_add_(1, pairs.flatten(1), weights[..., 1:].flatten(1))
    return grad_unary.to(grad.dtype), by_sentence.sum(0).view(tags, tags).to(grad.dtype)
