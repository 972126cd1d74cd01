"""A distribution that is given as tag sequences with weights: a mixture of point masses."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from skd_lightning.crf.kbest import KBest


class WeightedPaths:
    """p(y | x) = weight of y, over the weights of all sequences of the sentence; 0 for all other sequences.

    It answers as :class:`LinearChainCRF` does. A sentence without a sequence has marginals and counts of 0, and the
    path of tag 0 alone.

    Args:
        paths: (batch, n, words) int64, different ones; anything at padding.
        log_weights: (batch, n) in nats, of any sum; -inf where a sentence has fewer sequences.
        lengths: (batch,) words of each sentence.
        tags: how many there are.

    >>> paths = torch.tensor([[[0, 1], [1, 1]]])
    >>> both = WeightedPaths(paths, torch.tensor([[3.0, 1.0]]).log(), torch.tensor([2]), tags=2)
    >>> both.marginals[0]
    tensor([[0.7500, 0.2500],
            [0.0000, 1.0000]])
    """

    def __init__(self, paths: Tensor, log_weights: Tensor, lengths: Tensor, tags: int) -> None:
        self.lengths, self.tags = lengths, tags
        self._paths, self._log_weights = (
            paths.masked_fill(~self._inside(paths.shape[2]).unsqueeze(1), 0),
            log_weights,
        )
        possible = ~torch.isneginf(log_weights)
        total = log_weights.masked_fill(~possible, torch.finfo(log_weights.dtype).min).logsumexp(
            1, keepdim=True
        )
        self._log_probs = (log_weights - total).masked_fill(~possible, -torch.inf)

    def _inside(self, words: int) -> Tensor:
        return torch.arange(words) < self.lengths.unsqueeze(1)

    @cached_property
    def mask(self) -> Tensor:
        """(batch, words) bool: False at padding."""
        return self._inside(self._paths.shape[2])

    @property
    def log_partition(self) -> Tensor:
        """(batch,) zeros: the scores of :meth:`kbest` are log-probabilities."""
        return self._log_probs.new_zeros(len(self.lengths))

    @cached_property
    def marginals(self) -> Tensor:
        """(batch, words, tags) p(y_i | x), 0 at padding."""
        batch, _, words = self._paths.shape
        found = self._log_probs.new_zeros(batch, words, self.tags)
        weights = self._log_probs.exp().unsqueeze(2).expand(-1, -1, words) * self.mask.unsqueeze(1)
        found.scatter_add_(2, self._paths.transpose(1, 2), weights.transpose(1, 2))
        return found

    @cached_property
    def pair_marginals(self) -> Tensor:
        """(batch, words - 1, tags, tags) p(y_i, y_{i+1} | x) ``[from, to]``, 0 at padding."""
        batch, _, words = self._paths.shape
        pairs = self._paths[:, :, :-1] * self.tags + self._paths[:, :, 1:]
        found = self._log_probs.new_zeros(batch, max(words - 1, 0), self.tags**2)
        weights = self._log_probs.exp().unsqueeze(2) * self.mask[:, None, 1:]
        found.scatter_add_(2, pairs.transpose(1, 2), weights.transpose(1, 2))
        return found.view(batch, max(words - 1, 0), self.tags, self.tags)

    @property
    def transition_counts(self) -> Tensor:
        """(batch, tags, tags) the expected number of times that one tag follows another ``[from, to]``."""
        return self.pair_marginals.sum(1)

    def tempered(self, temperature: float) -> WeightedPaths:
        """Return p^{1/T}, renormalised over the same sequences."""
        return WeightedPaths(self._paths, self._log_probs / temperature, self.lengths, self.tags)

    def kbest(self, k: int) -> KBest:
        """Return the k sequences of the largest weight, with log p in nats; see :class:`LinearChainCRF`."""
        n = min(k, self._log_probs.shape[1])
        scores, order = self._log_probs.topk(n, dim=1)
        paths = self._paths.gather(1, order.unsqueeze(-1).expand(-1, -1, self._paths.shape[2]))
        paths = paths * (scores > -torch.inf).unsqueeze(-1)
        missing = (len(scores), k - n)
        scores = torch.cat([scores, scores.new_full(missing, -torch.inf)], 1)
        scores[:, 0] = torch.where(torch.isneginf(scores[:, 0]), 0.0, scores[:, 0])
        return KBest(torch.cat([paths, paths.new_zeros(*missing, paths.shape[2])], 1), scores)

    def viterbi(self) -> Tensor:
        """Return (batch, words) the sequence of the largest weight."""
        return self.kbest(1).paths[:, 0]

    def log_prob(self, paths: Tensor) -> Tensor:
        """Return (batch, k) log p in nats of paths (batch, k, words); -inf for those that are none of these."""
        same = (paths.unsqueeze(2) == self._paths.unsqueeze(1)) | ~self.mask[:, None, None]
        found = self._log_probs.unsqueeze(1).masked_fill(~same.all(-1), -torch.inf)
        return found.logsumexp(-1)  # of one number and -inf, or of none
