"""Exact sums over all paths of two distributions on the same words; formulas in :class:`LinearChainCRF`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from skd_lightning.crf.shapes import by_sentence_and_word, check_same_words

if TYPE_CHECKING:
    from skd_lightning.crf.chain import LinearChainCRF


def cross_entropy(p: LinearChainCRF, q: LinearChainCRF) -> Tensor:
    """Return −Σ_y p(y|x) log q(y|x), (batch,) nats."""
    _check(p, q)
    return _or_infinite(q, q.log_partition - _expected_score(p, q.unary, q.transitions))


def kl(p: LinearChainCRF, q: LinearChainCRF) -> Tensor:
    """Return Σ_y p(y|x) log [p(y|x) / q(y|x)], (batch,) nats.

    One expectation, of the potentials' difference: cross-entropy and entropy are large where their difference is small.
    """
    _check(p, q)
    own, others = _alike(p.transitions, q.transitions)
    score = _expected_score(p, q.unary - p.unary, others - own)
    return _or_infinite(q, q.log_partition - p.log_partition - score)


def _or_infinite(q: LinearChainCRF, distance: Tensor) -> Tensor:
    """Return the distance, or inf where q allows no path at all: the difference of infinities would be NaN."""
    return distance.masked_fill(torch.isneginf(q.log_partition), torch.inf)


def _check(p: LinearChainCRF, q: LinearChainCRF) -> None:
    check_same_words(p.unary, q.unary, p.lengths, q.lengths)


def _expected_score(p: LinearChainCRF, unary: Tensor, transitions: Tensor) -> Tensor:
    """Return the mean score of a path, (batch,) nats, by such potentials; what they are where p is 0 never counts."""
    words = _expectation(p.marginals, unary).sum(dim=(1, 2))
    if transitions.dim() < 4:
        return words + _expectation(p.transition_counts, transitions).sum(dim=(1, 2))
    return words + _expectation(p.pair_marginals, transitions).sum(dim=(1, 2, 3))


def renyi(p: LinearChainCRF, q: LinearChainCRF, alpha: float) -> Tensor:
    """Return Rényi's divergence of order alpha, 0 < alpha < 1, (batch,) nats.

    In float64: three log-partitions of hundreds of nats are subtracted, and near 0 and 1 the rest is divided by little.
    """
    _check(p, q)
    p_wide, q_wide = (type(crf)(crf.unary.double(), crf.transitions.double(), crf.lengths) for crf in (p, q))
    log_mix = _mix(p_wide, q_wide, alpha).log_partition
    divergence = (alpha * p_wide.log_partition + (1.0 - alpha) * q_wide.log_partition - log_mix) / (
        1.0 - alpha
    )
    return divergence.masked_fill(torch.isneginf(log_mix), torch.inf).to(q.unary.dtype)


def _mix(p: LinearChainCRF, q: LinearChainCRF, alpha: float) -> LinearChainCRF:
    """Return the chain ∝ p(y|x)^alpha q(y|x)^{1 − alpha}.

    Where p or q forbids, so does the mix: both weights are positive, so nothing is 0 · inf, nor is a gradient.
    """
    own, others = _alike(p.transitions, q.transitions)
    unary = alpha * p.unary + (1.0 - alpha) * q.unary
    return type(p)(unary, alpha * own + (1.0 - alpha) * others, p.lengths)


def _alike(own: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """Return two chains' transitions so that they broadcast against each other."""
    if max(own.dim(), others.dim()) == 4:
        return by_sentence_and_word(own), by_sentence_and_word(others)
    return own, others


def _expectation(probability: Tensor, value: Tensor) -> Tensor:
    """Return probability · value, where 0 · (-inf) = 0 in the product and in its gradient."""
    return probability * torch.where(probability > 0, value, 0.0)
