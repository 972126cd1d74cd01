"""The logarithmic opinion pool of a network and a wide path, and the choice of their weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from skd_lightning.metrics import TaggingScores
from skd_lightning.tags import TagSet

SHARES = tuple(tenths / 10 for tenths in range(1, 10))
"""Weights of the wide path that are tried; each expert keeps a say."""

EQUAL = 0.5
"""Weight of the wide path before any dev score."""


def mixed(network: Tensor, wide: Tensor, share: float | Tensor) -> Tensor:
    """Return the potentials of the pool, the weighted mean of the experts' in nats.

    The chain with mean potentials is p ∝ p_network^(1 − share) · p_wide^share (Smith et al. 2005, eq. 1). Both experts
    have to forbid the same, so that −inf meets −inf.
    """
    return (1 - share) * network + share * wide


class PoolScores(nn.Module):
    """Dev scores of a pool under each weight of its experts.

    Args:
        tag_set: the tags.
        languages: their codes.
    """

    def __init__(self, tag_set: TagSet, languages: Sequence[str]) -> None:
        super().__init__()
        self.by_share = {share: TaggingScores(tag_set, languages) for share in SHARES}
        self.modules_of_scores = nn.ModuleList(self.by_share.values())  # so that they move to the device

    def update(
        self, decoded: Callable[[float], Tensor], gold: Tensor, lengths: Tensor, languages: Tensor
    ) -> None:
        """Count a batch under each weight.

        Args:
            decoded: returns (batch, words) tags under a weight of the wide path.
            gold: see :meth:`TaggingScores.update`, as the others.
            lengths: of the sentences.
            languages: of the sentences.
        """
        for share, scores in self.by_share.items():
            scores.update(decoded(share), gold, lengths, languages)

    def best(self) -> tuple[float, TaggingScores]:
        """Return the weight with the best macro mean, of several the one nearest to equal weights, and its scores."""

        def merit(share: float) -> tuple[float, float]:
            return self.by_share[share].compute()["average"], -abs(share - EQUAL)

        share = max(SHARES, key=merit)
        return share, self.by_share[share]

    def reset(self) -> None:
        """Forget all counts."""
        for scores in self.by_share.values():
            scores.reset()
