"""Averages over the members of a mixture of distributions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from skd_lightning.crf import LinearChainCRF


def mixed(
    value: Callable[[LinearChainCRF], Tensor], crfs: Sequence[LinearChainCRF], weights: Sequence[float]
) -> Tensor:
    """Return Σ_m w_m value(p_m).

    Args:
        value: of one member.
        crfs: the members' distributions on the same words.
        weights: of the members, which sum to 1.
    """
    if len(crfs) == 1:
        return value(crfs[0])
    return sum(weight * value(crf) for weight, crf in zip(weights, crfs, strict=True))  # type: ignore[return-value]
