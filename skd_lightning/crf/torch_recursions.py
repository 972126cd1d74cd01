"""Sums over paths, k-best paths and path scores in plain torch: the reference, on every device and dtype."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from skd_lightning.crf.forward_recursion import forward_recursion
from skd_lightning.crf.kbest import KBest, kbest
from skd_lightning.crf.shapes import by_sentence_and_word


class TorchRecursions:
    """The recursions in log space, one operation of torch a word, for all sentences at once.

    Args:
        unary: (batch, words, tags) nats, 0 at padding.
        transitions: (tags, tags), (batch, tags, tags) or (batch, words - 1, tags, tags) nats ``[from, to]``, finite at
            padding.
        lengths: (batch,) words.
        mask: (batch, words) bool, False at padding.

    Attributes:
        transitions: (batch or 1, words - 1 or 1, tags, tags) nats, an axis of length 1 where all share them.
    """

    def __init__(self, unary: Tensor, transitions: Tensor, lengths: Tensor, mask: Tensor) -> None:
        self.unary, self.lengths, self.mask = unary, lengths, mask
        self.transitions = by_sentence_and_word(transitions)

    def _word_first(self) -> tuple[Tensor, Tensor]:
        """Return unary (words, batch, tags) and transitions (words - 1 or 1, batch or 1, tags, tags)."""
        return self.unary.transpose(0, 1), self.transitions.transpose(0, 1)

    def _word_first_reversed(self) -> tuple[Tensor, Tensor]:
        """Return the same for the chain read from each sentence's end to its start."""
        unary = _reverse(self.unary, self.lengths).transpose(0, 1)
        transitions = self.transitions.transpose(-1, -2)
        if transitions.shape[1] > 1:
            transitions = _reverse(transitions, self.lengths - 1)
        return unary, transitions.transpose(0, 1)

    @cached_property
    def forward(self) -> Tensor:
        """(batch, words, tags): log-sum over all prefixes, without the word's own emission, up to a constant."""
        messages, shifts = forward_recursion(*self._word_first())
        self._shifts = shifts.transpose(0, 1)
        return messages.transpose(0, 1)

    @cached_property
    def backward(self) -> Tensor:
        """(batch, words, tags): log-sum over all suffixes, without the word's own emission, up to a constant."""
        if "forward" in self.__dict__:
            backward = forward_recursion(*self._word_first_reversed())[0].transpose(0, 1)
        else:  # both directions in one loop: half as many steps
            both = zip(self._word_first(), self._word_first_reversed(), strict=True)
            messages, shifts = forward_recursion(*(torch.stack(pair, dim=1) for pair in both))
            self.__dict__["forward"] = messages[:, 0].transpose(0, 1)
            self._shifts = shifts[:, 0].transpose(0, 1)
            backward = messages[:, 1].transpose(0, 1)
        return _reverse(backward, self.lengths)

    @cached_property
    def log_partition(self) -> Tensor:
        """(batch,) nats."""
        if self.unary.shape[1] == 0:
            return self.unary.sum(dim=(1, 2))
        last = (self.lengths - 1).clamp(min=0)[:, None, None].expand(-1, 1, self.unary.shape[2])
        ends = (self.forward + self.unary).gather(1, last).squeeze(1)
        nowhere = torch.isneginf(ends.amax(-1))  # no path: a log-sum of nothing, whose gradient would be NaN
        log_sum = torch.logsumexp(ends.masked_fill(nowhere.unsqueeze(-1), 0.0), dim=-1)
        log_sum = log_sum.masked_fill(nowhere, -torch.inf)
        constant = torch.where(self.mask, self._shifts, 0.0).sum(1, dtype=torch.double)
        return torch.where(self.lengths > 0, (log_sum.double() + constant).to(log_sum.dtype), 0.0)

    @cached_property
    def log_marginals(self) -> Tensor:
        """(batch, words, tags); -inf at padding and where forbidden."""
        backward = self.backward  # first, so that both directions share one loop
        return _log_normalised(self.forward + self.unary + backward, self.mask)

    @cached_property
    def marginals(self) -> Tensor:
        """(batch, words, tags); 0 at padding and where forbidden."""
        return self.log_marginals.exp()

    @cached_property
    def pair_marginals(self) -> Tensor:
        """(batch, words - 1, tags, tags); 0 at padding."""
        backward = self.backward
        prefix = (self.forward + self.unary)[:, :-1]
        suffix = (backward + self.unary)[:, 1:]
        log_pairs = prefix.unsqueeze(-1) + self.transitions + suffix.unsqueeze(-2)
        return _log_normalised(log_pairs.flatten(2), self.mask[:, 1:]).exp().view_as(log_pairs)

    @property
    def transition_counts(self) -> Tensor:
        """(batch, tags, tags) expected number of times that one tag follows another, the pair marginals' sum."""
        return self.pair_marginals.sum(1)

    def restricted_log_partition(self, pairs: Tensor) -> Tensor:
        """(batch,) nats, over the paths of pairs (batch, words, tags, tags) bool alone."""
        first = self.unary[:, :1].masked_fill(~pairs[:, :1].any(2), -torch.inf)
        first = torch.where(self.mask[:, :1, None], first, 0.0)
        between = self.transitions.masked_fill(~pairs[:, 1:], -torch.inf)
        between = torch.where(self.mask[:, 1:, None, None], between, 0.0)
        unary = torch.cat([first, self.unary[:, 1:]], dim=1)
        return TorchRecursions(unary, between, self.lengths, self.mask).log_partition

    def score(self, paths: Tensor) -> Tensor:
        """(batch, k) nats, of paths (batch, k, words)."""
        tags = self.unary.shape[2]
        paths = paths.masked_fill(~self.mask.unsqueeze(1), 0)
        by_word = self.unary.gather(2, paths.transpose(1, 2))  # (batch, words, k)
        by_word = torch.where(self.mask.unsqueeze(-1), by_word, 0.0).sum(1)
        flat = paths[..., :-1] * tags + paths[..., 1:]  # (batch, k, words - 1)
        cells = self.transitions.flatten(2)
        if cells.shape[1] > 1:
            by_pair = cells.gather(2, flat.transpose(1, 2)).transpose(1, 2)
        else:
            by_pair = cells.flatten(1).expand(len(flat), -1).gather(1, flat.flatten(1)).view_as(flat)
        return by_word + torch.where(self.mask[:, None, 1:], by_pair, 0.0).sum(-1)

    def kbest(self, k: int) -> KBest:
        """Return the k best paths."""
        batch, words, _ = self.unary.shape
        if words == 0:
            scores = self.unary.new_full((batch, k), -torch.inf)
            scores[:, 0] = 0.0
            return KBest(torch.zeros(batch, k, 0, dtype=torch.long, device=scores.device), scores)
        return kbest(*self._word_first(), self.lengths, k)


def _log_normalised(scores: Tensor, mask: Tensor) -> Tensor:
    """Return log-softmax along the last axis; -inf outside the mask and where everything is -inf (no NaN there)."""
    counts = (mask & ~torch.isneginf(scores.amax(-1))).unsqueeze(-1)
    normalised = torch.log_softmax(torch.where(counts, scores, 0.0), dim=-1)
    return normalised.masked_fill(~counts, -torch.inf)


def _reverse(values: Tensor, lengths: Tensor) -> Tensor:
    """Reverse the first ``lengths`` steps of each row of (batch, steps, ...); leave the rest in place."""
    step = torch.arange(values.shape[1], device=values.device)
    mirrored = lengths.unsqueeze(1) - 1 - step
    index = torch.where(mirrored >= 0, mirrored, step)
    return values.gather(1, index.view(*index.shape, *[1] * (values.dim() - 2)).expand_as(values))
