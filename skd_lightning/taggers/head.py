"""From vectors to a distribution over tag sequences."""

from __future__ import annotations

import warnings
from typing import Literal

import torch
from torch import Tensor, nn

from skd_lightning.crf import LinearChainCRF
from skd_lightning.tags import TagSet

Decoder = Literal["crf", "softmax"]


class ChainHead(nn.Module):
    """Linear layer for the emissions, and the transition scores of a linear-chain CRF.

    A ``softmax`` decoder is the CRF whose transitions are all 0 and stay so: its words are independent, its
    marginals are the softmax of its emissions. Everything downstream then knows a single kind of distribution.

    Args:
        input_size: length of a word's vector.
        tag_set: the tags.
        decoder: ``crf`` or ``softmax``.
        constrain: never predict what the tag scheme forbids (crf only). The mask is a buffer beside the parameters,
            so no huge number is ever trained, averaged or decayed.

    Attributes:
        well_formed: True if tag sequences that the scheme forbids have no probability.
    """

    forbidden: Tensor
    forbidden_start: Tensor
    forbidden_end: Tensor

    def __init__(
        self, input_size: int, tag_set: TagSet, decoder: Decoder = "crf", constrain: bool = True
    ) -> None:
        super().__init__()
        tags = len(tag_set)
        with warnings.catch_warnings():  # a tagger without a network has the bias alone
            warnings.filterwarnings("ignore", "Initializing zero-element tensors")
            self.emissions = nn.Linear(input_size, tags)
        learned = decoder == "crf"
        self.well_formed = constrain and learned
        self.transitions = nn.Parameter(torch.zeros(tags, tags), requires_grad=learned)
        self.start = nn.Parameter(torch.zeros(tags), requires_grad=learned)
        self.end = nn.Parameter(torch.zeros(tags), requires_grad=learned)
        free = [torch.zeros(shape, dtype=torch.bool) for shape in ((tags, tags), (tags,), (tags,))]
        masks = [torch.from_numpy(mask) for mask in tag_set.forbidden()] if self.well_formed else free
        for name, mask in zip(("forbidden", "forbidden_start", "forbidden_end"), masks, strict=True):
            self.register_buffer(name, mask)

    def scores(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return transitions (tags, tags) ``[from, to]``, start (tags,), end (tags,) in nats, -inf where forbidden."""
        return (
            self.transitions.masked_fill(self.forbidden, -torch.inf),
            self.start.masked_fill(self.forbidden_start, -torch.inf),
            self.end.masked_fill(self.forbidden_end, -torch.inf),
        )

    def forward(self, states: Tensor) -> Tensor:
        """Return (batch, words, tags) emissions in nats; float32 under autocast, too.

        Args:
            states: (batch, words, input_size) vectors.
        """
        with torch.autocast(states.device.type, enabled=False):  # bfloat16 would round a score of 10 by 0.03
            return self.emissions(states.to(self.emissions.weight.dtype))  # type: ignore[no-any-return]

    def chain(self, emissions: Tensor, lengths: Tensor) -> LinearChainCRF:
        """Return the distributions over the tag sequences of a batch.

        Args:
            emissions: (batch, words, tags) scores in nats.
            lengths: (batch,) words of each sentence.
        """
        transitions, start, end = self.scores()
        return LinearChainCRF(emissions, transitions, lengths, start, end)
