"""Averages over the members of a mixture of distributions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from skd_lightning.crf import LinearChainCRF

Weights = Sequence[float] | Sequence[Tensor]
"""Weights of the members of a mixture: they sum to 1, a number each, or (batch,) where not all speak on a sentence."""


def mixed(
    value: Callable[[LinearChainCRF], Tensor], crfs: Sequence[LinearChainCRF], weights: Weights
) -> Tensor:
    """Return Σ_m w_m value(p_m).

    Args:
        value: of one member.
        crfs: the members' distributions on the same words.
        weights: of the members.
    """
    if len(crfs) == 1:
        return value(crfs[0])
    terms = [_times(weight, value(crf)) for weight, crf in zip(weights, crfs, strict=True)]
    return sum(terms[1:], start=terms[0])


def _times(weight: Any, value: Tensor) -> Tensor:
    """Return a weight times a value (batch, …)."""
    return weight.view(-1, *(value.dim() - 1) * [1]) * value if isinstance(weight, Tensor) else weight * value
