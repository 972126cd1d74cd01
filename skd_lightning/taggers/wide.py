"""The wide path: sparse features of words straight to the scores of the tags."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from skd_lightning.encoders.bag_sums import bag_sums
from skd_lightning.encoders.wide_features import WideFeaturizer
from skd_lightning.encoders.word_hashes import BAGS, REACH
from skd_lightning.errors import UserError


@dataclass(frozen=True)
class Wide:
    """Settings of a wide path: a linear-chain CRF with the features of Lafferty et al. 2001, beside the network.

    Its weights are fitted before the first epoch, on the annotated training sentences, and stay as they are; see
    :mod:`skd_lightning.taggers.wide_fit`.

    Attributes:
        l2: strength of the regularisation λ‖w‖², against the likelihood summed over all sentences.
        of_languages: each feature also has a weight in every language, beside the one that all languages share.
        iterations: of L-BFGS, at most.
    """

    l2: float = 0.1
    of_languages: bool = False
    iterations: int = 80

    def __post_init__(self) -> None:
        """Refuse what cannot be fitted."""
        if self.l2 <= 0:
            raise UserError(f"wide: l2 is {self.l2}, it must be above 0")
        if self.iterations < 1:
            raise UserError(f"wide: iterations is {self.iterations}, it must be at least 1")


class WidePath(nn.Module):
    """The sum of the weights of a word's features, for each tag.

    The features of word i are its own and those that words i − 2 … i + 2 show to it; what a word shows depends on
    the word alone: emissions_i = Σ_d V_d(word i + d), V_d(word) = Σ weights of the features in its bag d.

    Args:
        settings: of the path.
        tags: number of tags.

    Attributes:
        featurizer: makes the inputs of :meth:`forward`.
        keys: (features,) int64 hashes of the known features, the place of each its row of ``weight``.
        weight: (features, tags) scores in nats.
    """

    keys: Tensor

    def __init__(self, settings: Wide, tags: int) -> None:
        super().__init__()
        self.settings, self.tags = settings, tags
        self.featurizer = WideFeaturizer(settings.of_languages)
        self.use_features(torch.zeros(0, dtype=torch.int64))

    def use_features(self, keys: Tensor) -> None:
        """Change the known features, all with weights 0.

        Args:
            keys: (features,) int64 hashes.
        """
        self.register_buffer("keys", keys)
        self.weight = nn.Parameter(torch.zeros(len(keys), self.tags, device=keys.device), requires_grad=False)
        if not keys.is_meta:
            self.featurizer.use_features(keys.cpu().numpy().view("uint64"))

    def learn_features(self, sentences: Sequence[Sequence[str]], languages: Sequence[str]) -> None:
        """Take in the features of training sentences.

        Args:
            sentences: lists of words.
            languages: of each sentence.
        """
        self.use_features(torch.from_numpy(self.featurizer.learn(sentences, languages).view("int64")))

    def description(self) -> dict[str, Any]:
        """Return the settings and the number of features as plain values."""
        return {"settings": dataclasses.asdict(self.settings), "features": len(self.keys)}

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return (batch, words, tags) scores in nats from what the featurizer collates."""
        place = inputs["place"]
        batch, words = place.shape
        bags = bag_sums(self.weight, inputs["rows"], inputs["bags"])
        around = functional.pad(place, (REACH, REACH))  # with the edge, which is distinct word 0
        seen = torch.stack([around[:, d : d + words] * BAGS + d for d in range(BAGS)], dim=-1)
        starts = torch.arange(0, seen.numel(), BAGS, device=seen.device)
        return bag_sums(bags, seen.flatten(), starts).view(batch, words, self.tags)
