"""Exact sums over all paths of two distributions on the same words; formulas in :class:`LinearChainCRF`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from skd_lightning.crf.shapes import by_sentence_and_word

if TYPE_CHECKING:
    from skd_lightning.crf.chain import LinearChainCRF


def cross_entropy(p: LinearChainCRF, q: LinearChainCRF) -> Tensor:
    """Return −Σ_y p(y|x) log q(y|x), (batch,) nats."""
    unary = _expectation(p.marginals, q.unary).sum(dim=(1, 2))
    if q.transitions.dim() < 4:
        pairs = _expectation(p.transition_counts, q.transitions).sum(dim=(1, 2))
    else:
        pairs = _expectation(p.pair_marginals, q.transitions).sum(dim=(1, 2, 3))
    return q.log_partition - unary - pairs


def renyi(p: LinearChainCRF, q: LinearChainCRF, alpha: float) -> Tensor:
    """Return Rényi's divergence of order alpha, 0 < alpha < 1, (batch,) nats."""
    log_mix = _mix(p, q, alpha).log_partition
    divergence = (alpha * p.log_partition + (1.0 - alpha) * q.log_partition - log_mix) / (1.0 - alpha)
    return divergence.masked_fill(torch.isneginf(log_mix), torch.inf)


def _mix(p: LinearChainCRF, q: LinearChainCRF, alpha: float) -> LinearChainCRF:
    """Return the chain ∝ p(y|x)^alpha q(y|x)^{1 − alpha}.

    Where p or q forbids, so does the mix: both weights are positive, so nothing is 0 · inf, nor is a gradient.
    """
    transitions = p.transitions, q.transitions
    if any(matrices.dim() == 4 for matrices in transitions):
        transitions = by_sentence_and_word(transitions[0]), by_sentence_and_word(transitions[1])
    unary = alpha * p.unary + (1.0 - alpha) * q.unary
    return type(p)(unary, alpha * transitions[0] + (1.0 - alpha) * transitions[1], p.lengths)


def _expectation(probability: Tensor, value: Tensor) -> Tensor:
    """Return probability · value, where 0 · (-inf) = 0 in the product and in its gradient."""
    possible = probability > 0
    return torch.where(possible, probability * torch.where(possible, value, 0.0), 0.0)
