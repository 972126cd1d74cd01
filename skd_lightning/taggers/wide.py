"""The wide path: a linear-chain CRF of sparse features beside the network."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from skd_lightning.crf import LinearChainCRF
from skd_lightning.encoders.bag_sums import bag_sums
from skd_lightning.encoders.wide_features import WideFeaturizer
from skd_lightning.errors import UserError
from skd_lightning.features.word_hashes import BAGS, REACH
from skd_lightning.taggers.head import ChainHead, Decoder
from skd_lightning.taggers.opinion_pool import EQUAL
from skd_lightning.tags import TagSet


@dataclass(frozen=True)
class Wide:
    """Settings of a wide path, a CRF of sparse features (Lafferty et al. 2001) beside the network.

    It is fitted to the annotated training sentences before the first epoch and stays as it is; see
    :mod:`skd_lightning.taggers.wide_fit`.

    Attributes:
        l2: strength λ of the regularisation λ‖w‖², against the likelihood summed over all sentences.
        of_languages: each feature also has a weight in every language, beside the one that all languages share.
        l2_of_languages: the same λ for the weights of languages; where it is larger, more is shared.
        iterations: of L-BFGS, at most; several languages take 150 to 300 to the optimum, and one about 120.
        of_text: a student's features are also fitted to what its teachers say about unlabelled text, of each language
            as much as an epoch has; None for students of a language that has nothing but text.
    """

    l2: float = 0.03
    of_languages: bool = False
    l2_of_languages: float = 0.03
    iterations: int = 300
    of_text: bool | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be fitted."""
        for name, strength in (("l2", self.l2), ("l2_of_languages", self.l2_of_languages)):
            if strength <= 0:
                raise UserError(f"wide: {name} is {strength}, it must be above 0")
        if self.iterations < 1:
            raise UserError(f"wide: iterations is {self.iterations}, it must be at least 1")


class WidePath(nn.Module):
    """A linear-chain CRF whose emissions are sums of the weights of a word's features.

    The features of word i are its own and those that words i − 2 … i + 2 show to it; what a word shows depends on
    the word alone: emissions_i = bias + Σ_d V_d(word i + d), V_d(word) = Σ weights of the features in its bag d.

    Args:
        settings: of the path.
        tag_set: the tags.
        decoder: ``crf`` or ``softmax``.
        constrain: never predict what the tag scheme forbids.

    Attributes:
        featurizer: makes the inputs of :meth:`forward`.
        keys: (features,) int64 hashes of the known features, the place of each its row of ``weight``.
        l2: (features, 1) strength of the regularisation of each.
        weight: (features, tags) scores in nats.
        head: bias, transitions, start and end scores.
        share: (1,) its weight beside a network, see :mod:`skd_lightning.taggers.opinion_pool`.
    """

    keys: Tensor
    share: Tensor

    def __init__(
        self, settings: Wide, tag_set: TagSet, decoder: Decoder = "crf", constrain: bool = True
    ) -> None:
        super().__init__()
        self.settings = settings
        self.featurizer = WideFeaturizer(settings.of_languages)
        self.head = ChainHead(0, tag_set, decoder, constrain)
        nn.init.zeros_(self.head.emissions.bias)
        chain = (self.head.transitions, self.head.start, self.head.end)
        self.learned = [self.head.emissions.bias, *(weight for weight in chain if weight.requires_grad)]
        self.register_buffer("share", torch.tensor([EQUAL]))
        self.requires_grad_(False)  # no part of what an epoch trains
        self.use_features(torch.zeros(0, dtype=torch.int64))

    def use_features(self, keys: Tensor) -> None:
        """Change the known features, all with weights 0.

        Args:
            keys: (features,) int64 hashes.
        """
        self.register_buffer("keys", keys)
        self.l2 = torch.full((len(keys), 1), self.settings.l2)
        tags = self.head.emissions.out_features
        self.weight = nn.Parameter(torch.zeros(len(keys), tags, device=keys.device), requires_grad=False)
        if not keys.is_meta:
            self.featurizer.use_features(keys.cpu().numpy().view("uint64"))

    def learn_features(self, sentences: Sequence[Sequence[str]], languages: Sequence[str]) -> None:
        """Take in the features of training sentences.

        Args:
            sentences: lists of words.
            languages: of each sentence.
        """
        keys, shared = self.featurizer.learn(sentences, languages)
        self.use_features(torch.from_numpy(keys.view("int64")))
        self.l2[shared:] = self.settings.l2_of_languages

    def description(self) -> dict[str, Any]:
        """Return the settings and the number of features as plain values."""
        return {"settings": dataclasses.asdict(self.settings), "features": len(self.keys)}

    def emissions(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return (batch, words, tags) scores in nats from what the featurizer collates."""
        place = inputs["place"]
        batch, words = place.shape
        bags = bag_sums(self.weight, inputs["rows"], inputs["bags"])
        around = functional.pad(place, (REACH, REACH))  # with the edge, which is distinct word 0
        seen = torch.stack([around[:, d : d + words] * BAGS + d for d in range(BAGS)], dim=-1)
        starts = torch.arange(0, seen.numel(), BAGS, device=seen.device)
        sums = bag_sums(bags, seen.flatten(), starts).view(batch, words, -1)
        return sums + self.head.emissions.bias

    def forward(self, inputs: Mapping[str, Tensor], lengths: Tensor) -> LinearChainCRF:
        """Return the distributions of a batch.

        Args:
            inputs: what the featurizer collated.
            lengths: (batch,) words of each sentence.
        """
        return self.head.chain(self.emissions(inputs), lengths)
