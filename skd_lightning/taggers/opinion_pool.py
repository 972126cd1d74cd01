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

NEARBY = 2
"""Neighbours to either side whose scores count for a weight as well. A small dev set makes single scores jump: with 30
entities, each is 3 points."""


def weighted_mean(network: Tensor, wide: Tensor, share: float | Tensor) -> Tensor:
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
        """Return the weight with the best scores nearby, and its own scores.

        A weight is as good as the mean over the macro means of itself and its neighbours, the outermost standing for
        those that are not there. Of several that are as good, the one nearest to equal weights is returned.
        """
        averages = [scores.compute()["average"] for scores in self.by_share.values()]
        padded = [averages[0]] * NEARBY + averages + [averages[-1]] * NEARBY
        sums = {share: sum(padded[i : i + 2 * NEARBY + 1]) for i, share in enumerate(SHARES)}
        share = max(SHARES, key=lambda share: (round(sums[share], 9), -abs(share - EQUAL)))
        return share, self.by_share[share]

    def reset(self) -> None:
        """Forget all counts."""
        for scores in self.by_share.values():
            scores.reset()
