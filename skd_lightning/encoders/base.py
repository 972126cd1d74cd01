"""What an encoder has to offer; the rest of the house knows no more about it than this."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn import Parameter


class Featurizer(ABC):
    """Turns words into the tensors that one encoder reads. Picklable: loader workers carry it."""

    @abstractmethod
    def index(self, sentences: Sequence[Sequence[str]], keep: bool = False) -> list[Any]:
        """Once a dataset: each sentence as something compact that :meth:`collate` understands, mostly an array.

        Args:
            sentences: lists of words.
            keep: they will come again, in another run; what was expensive about them is worth keeping on disk.
        """

    @abstractmethod
    def collate(self, items: Sequence[Any], words: int) -> dict[str, Tensor]:
        """Once a batch: the encoder's inputs for indexed sentences, padded to ``words`` words.

        An empty array of any type stands for an empty sentence.
        """


class Encoder(nn.Module, ABC):
    """words -> vectors, in context.

    Attributes:
        output_size: length of the vector of a word.
        featurizer: makes the inputs of :meth:`forward`.
    """

    output_size: int
    featurizer: Featurizer

    @abstractmethod
    def forward(self, inputs: Mapping[str, Tensor], lengths: Tensor) -> Tensor:
        """(batch, words, output_size); what stands at padding has no meaning and no influence."""

    @abstractmethod
    def config(self) -> dict[str, Any]:
        """The constructor's arguments, as plain values that a checkpoint can hold."""

    def identity(self) -> str:
        """What its vectors depend on beside its configuration and its weights; nothing, for most encoders."""
        return ""

    def use_languages(self, languages: Sequence[str]) -> None:
        """Told which languages the tagger is for, before anything is encoded; most encoders do not care."""

    def pretrained_parameters(self) -> list[Parameter]:
        """Those that come from a pretrained model and have a learning rate of their own; none, for most."""
        return []

    def learn_vocabulary(self, words: Sequence[str]) -> None:
        """Take in the words of the training data, before training; encoders without a word list ignore it."""
