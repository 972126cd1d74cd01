"""Exact k-best decoding of a linear chain in plain torch: Viterbi with k hypotheses a tag."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class KBest(NamedTuple):
    """The k best tag sequences of every sentence, best first.

    Attributes:
        paths: (batch, k, words) int64; 0 at padding and in rows that hold no path.
        scores: (batch, k) unnormalised scores in nats; -inf in rows that hold no path.

    A softmax of the scores renormalises the probabilities over the k best paths (Wang et al. 2020, eq. 9).
    """

    paths: Tensor
    scores: Tensor


@torch.no_grad()
def kbest(emissions: Tensor, transitions: Tensor, lengths: Tensor, k: int) -> KBest:
    """Return the k best paths; O(words · tags² · k) additions and one selection a word.

    Keeping k hypotheses for every tag is exact: whatever the k best paths are, each prefix of them is among
    the k best of those that end in its tag. The k hypotheses of one tag come from distinct (tag, rank) pairs,
    so no path is returned twice, also where scores tie.

    Args:
        emissions: (words, batch, tags), finite at padding.
        transitions: (words - 1 or 1, batch or 1, tags, tags) ``[from, to]``.
        lengths: (batch,) words of each sentence.
        k: number of paths, at least 1.

    Source: Schwartz and Chow 1990 (The N-best algorithm); Huang and Chiang 2005 (Better k-best parsing), algorithm 0.

    >>> emissions = torch.tensor([[0.0, 1.0], [3.0, 0.0]]).unsqueeze(1)  # two words of one sentence
    >>> kbest(emissions, torch.zeros(1, 1, 2, 2), lengths=torch.tensor([2]), k=2)
    KBest(paths=tensor([[[1, 0],
             [0, 0]]]), scores=tensor([[4., 3.]]))
    """
    words, batch, tags = emissions.shape
    emissions, transitions = (
        torch.where(scores.isnan(), -torch.inf, scores) for scores in (emissions, transitions)
    )
    into = transitions.transpose(-1, -2).unsqueeze(-1).contiguous()  # [to, from, rank]
    absent = emissions.new_full((batch, tags, k - 1), -torch.inf)
    best = torch.cat([emissions[0].unsqueeze(-1), absent], dim=-1)  # (batch, tags, k) of prefixes by last tag
    finals, backpointers = [best], []
    shifts = emissions.new_zeros(words, batch)
    for i in range(1, words):
        candidates = best.unsqueeze(1) + into[i - 1 if into.shape[0] > 1 else 0]
        scores, pointers = _largest(candidates.flatten(2), k)
        best = scores + emissions[i].unsqueeze(-1)
        # Prefix scores grow with the sentence; kept small, float32 still tells close ones apart at its end.
        shifts[i] = best[..., 0].amax(-1).clamp(min=torch.finfo(best.dtype).min)
        best = best - shifts[i, :, None, None]
        finals.append(best)
        backpointers.append(pointers.flatten(1))  # (batch, tags * k), pointing at from * k + rank

    last = (lengths - 1).clamp(min=0)
    ends = torch.stack(finals)[last, torch.arange(batch, device=last.device)].flatten(1)
    scores, ends = _largest(ends, k)
    inside = torch.arange(words, device=lengths.device).unsqueeze(1) < lengths
    constant = torch.where(inside, shifts, 0.0).sum(0, dtype=torch.double)
    scores = (scores.double() + constant.unsqueeze(1)).to(scores.dtype)
    empty = lengths == 0  # one path, of no words and of score 0
    scores = torch.where(empty.unsqueeze(1), torch.full_like(scores, -torch.inf), scores)
    scores[:, 0].masked_fill_(empty, 0.0)

    state = ends.new_zeros(batch, k)
    states = [state] * words
    for i in range(words - 1, -1, -1):
        if i < words - 1:
            state = backpointers[i].gather(1, state)
        state = torch.where((last == i).unsqueeze(1), ends, state)
        states[i] = state
    paths = torch.stack(states, dim=-1) // k
    return KBest(paths * (inside.t().unsqueeze(1) & ~torch.isneginf(scores).unsqueeze(-1)), scores)


def _largest(values: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the k largest along the last axis, sorted; padded with -inf where there are fewer than k."""
    if k == 1:  # several times faster than topk
        return values.max(dim=-1, keepdim=True)
    found, where = values.topk(min(k, values.shape[-1]), dim=-1)
    missing = k - found.shape[-1]
    if missing:
        found = torch.nn.functional.pad(found, (0, missing), value=-torch.inf)
        where = torch.nn.functional.pad(where, (0, missing))
    return found, where
