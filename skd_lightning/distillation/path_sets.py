"""Sets of paths that teachers find likely, as the pairs of neighbouring tags that they are made of.

Source: Kurniawan et al. 2022 (NAACL, "Unsupervised cross-lingual transfer of structured predictors without source
data"), for linear chains.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from skd_lightning.crf import LinearChainCRF
from skd_lightning.distillation.mixtures import Weights, mixed


@dataclass(frozen=True)
class PackedPairs:
    """The pairs of a set of paths at each word, a bit each.

    Attributes:
        bits: (words, bytes) uint8; bit ``from · tags + to`` of a word tells if the pair may be there.
    """

    bits: np.ndarray

    def take(self, words: np.ndarray, tags: int) -> np.ndarray:
        """Return (words, tags, tags) bool, ``[from, to]``, of some words."""
        flat = np.unpackbits(self.bits[words], axis=1, count=tags * tags)
        return flat.reshape(len(words), tags, tags).astype(bool)


def path_set(crfs: Sequence[LinearChainCRF], weights: Weights, mass: float) -> Tensor:
    """Return the pairs of tags that the paths of S consist of, (batch, words, tags, tags) bool ``[from, to]``.

    At each word these are the fewest pairs (the tag before, the tag of the word) whose probability under the mixture
    Σ w_m p_m reaches ``mass``, and those of every member's best path. At the first word, which has none before it,
    every row is the same: all tags, or those that reach the mass where the sentence has no other word.

    Args:
        crfs: the members' distributions on the same words.
        weights: of the members, which sum to 1.
        mass: above 0, at most 1.
    """
    mask, lengths = crfs[0].mask, crfs[0].lengths
    pairs = mixed(lambda crf: crf.pair_marginals, crfs, weights)
    alone = mixed(lambda crf: crf.marginals[:, :1], crfs, weights)
    first = _fewest(alone, mass) | (lengths > 1)[:, None, None]
    kept = _fewest(pairs.flatten(2), mass).view_as(pairs)
    for crf, weight in zip(crfs, weights, strict=True):
        best = crf.viterbi()
        heard = (torch.as_tensor(weight, device=best.device) > 0).view(-1, 1, 1)
        first |= torch.zeros_like(first).scatter(2, best[:, :1, None], heard.expand(len(best), 1, 1))
        places = (best[:, :-1] * pairs.shape[-1] + best[:, 1:]).unsqueeze(-1)
        kept |= torch.zeros_like(kept.flatten(2)).scatter(2, places, heard.expand_as(places)).view_as(kept)
    whole = torch.cat([first.unsqueeze(2).expand(-1, -1, pairs.shape[-1], -1), kept], dim=1)
    return whole & mask[:, :, None, None]


def _fewest(probabilities: Tensor, mass: float) -> Tensor:
    """Return which of the probabilities (…, n) are the fewest that together reach the mass; all for a mass of 1."""
    if mass >= 1:  # which rounded sums reach too early
        return torch.ones_like(probabilities, dtype=torch.bool)
    ordered, order = probabilities.sort(dim=-1, descending=True)
    before = ordered.cumsum(-1) - ordered
    return torch.zeros_like(probabilities, dtype=torch.bool).scatter(-1, order, before < mass)
