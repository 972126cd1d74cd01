"""Sums over paths, k-best paths and path scores by compiled kernels, for transitions that are the same at all words."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from skd_lightning.crf import operators
from skd_lightning.crf.kbest import KBest


class CompiledRecursions:
    """The recursions by the kernels of :mod:`skd_lightning.crf.operators`; the properties of ``TorchRecursions``.

    Args:
        unary: (batch, words, tags) nats; anything at padding.
        transitions: (tags, tags) nats ``[from, to]`` for all sentences, or (batch, tags, tags).
        lengths: (batch,) words.
    """

    def __init__(self, unary: Tensor, transitions: Tensor, lengths: Tensor) -> None:
        self._potentials = (unary, transitions, lengths)
        self._sums: tuple[Tensor, ...] | None = None

    def _all_sums(self, through_marginals: bool) -> tuple[Tensor, ...]:
        """Return the results of forward-backward, ready for a gradient through marginals if that is wanted first."""
        if self._sums is None:
            unary, transitions, _ = self._potentials
            differentiable = torch.is_grad_enabled() and (unary.requires_grad or transitions.requires_grad)
            keep = through_marginals and differentiable
            self._sums = operators.forward_backward(*self._potentials, False, keep)
        return self._sums

    @property
    def log_partition(self) -> Tensor:
        """(batch,) nats."""
        return self._all_sums(through_marginals=False)[0]

    @property
    def log_marginals(self) -> Tensor:
        """(batch, words, tags); -inf at padding and where forbidden."""
        return self._all_sums(through_marginals=True)[1]

    @property
    def marginals(self) -> Tensor:
        """(batch, words, tags); 0 at padding and where forbidden."""
        return self._all_sums(through_marginals=True)[2]

    @property
    def transition_counts(self) -> Tensor:
        """(batch, tags, tags) expected number of times that one tag follows another, the pair marginals' sum."""
        return self._all_sums(through_marginals=True)[3].squeeze(1)

    @cached_property
    def pair_marginals(self) -> Tensor:
        """(batch, words - 1, tags, tags); 0 at padding."""
        return operators.forward_backward(*self._potentials, True, False)[3]  # type: ignore[no-any-return]

    def restricted_log_partition(self, pairs: Tensor) -> Tensor:
        """(batch,) nats, over the paths of pairs (batch, words, tags, tags) bool alone; on the CPU."""
        return operators.restricted_sums(*self._potentials, pairs)[0]  # type: ignore[no-any-return]

    def score(self, paths: Tensor) -> Tensor:
        """(batch, k) nats, of paths (batch, k, words)."""
        return operators.path_scores(*self._potentials, paths.long())  # type: ignore[no-any-return]

    def kbest(self, k: int) -> KBest:
        """Return the k best paths."""
        return KBest(*operators.kbest(*self._potentials, k))
