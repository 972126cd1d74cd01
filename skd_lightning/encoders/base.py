"""The interface of embedders and of their featurizers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn import Parameter, functional


class Featurizer(ABC):
    """Turns words into the tensors that one embedder reads. It is picklable: loader workers carry it."""

    @abstractmethod
    def index(
        self,
        sentences: Sequence[Sequence[str]],
        keep: bool = False,
        languages: Sequence[str] | None = None,
    ) -> list[Any]:
        """Prepare sentences, once a dataset: one compact item for each, which :meth:`collate` understands.

        Nothing is remembered of a call that raises. Several threads may call it at the same time.

        Args:
            sentences: lists of words.
            keep: the sentences will come again, in other batches or in another run; keep what was made for them.
            languages: of each sentence, "" where it is unknown; None if all are.
        """

    @abstractmethod
    def collate(self, items: Sequence[Any], words: int) -> dict[str, Tensor]:
        """Make the embedder's inputs for a batch of indexed sentences, padded to ``words`` words.

        An empty array of any type stands for an empty sentence.
        """


class Embedder(nn.Module, ABC):
    """Words to vectors.

    Constructor arguments are settings. The list of words that have vectors of their own is learnt from data: it is
    state, see :meth:`use_vocabulary`.

    Attributes:
        output_size: length of the vector of a word.
        featurizer: makes the inputs of :meth:`forward`.
        min_count: occurrences in the training data from which on a word gets a vector of its own; None for an
            embedder without a word list.
        cache: folder on disk in which vectors are kept; None for an embedder that keeps none.
    """

    output_size: int
    featurizer: Featurizer
    min_count: int | None = None
    cache: str | None = None

    @abstractmethod
    def forward(self, inputs: Mapping[str, Tensor], lengths: Tensor) -> Tensor:
        """Return (batch, words, output_size). Vectors at padding have no meaning and no influence.

        Args:
            inputs: what the featurizer collated.
            lengths: (batch,) words of each sentence.
        """

    @abstractmethod
    def config(self) -> dict[str, Any]:
        """Return the settings as plain values that a checkpoint can hold; the place of a cache is none of them."""

    @classmethod
    def reads(cls, settings: Mapping[str, Any]) -> str:
        """Name the files or models outside of a tagger's own folder that these settings would read; "" for none."""
        return ""

    def description(self) -> dict[str, Any]:
        """Return ``name`` and ``settings``. A class from outside of this package is named with its module."""
        own = type(self)
        inside = own.__module__.split(".")[0] == __name__.split(".")[0]
        name = own.__name__ if inside else f"{own.__module__}.{own.__qualname__}"
        return {"name": name, "settings": self.config()}

    def identity(self) -> str:
        """Return a fingerprint of external inputs (such as a vector file) held in neither settings nor weights."""
        return ""

    def use_languages(self, languages: Sequence[str]) -> None:
        """Take note of the tagger's languages, before anything is encoded; most embedders need not."""

    def pretrained_parameters(self) -> list[Parameter]:
        """Return the parameters of a pretrained model, which have a learning rate of their own."""
        return []

    def use_vocabulary(self, words: Sequence[str]) -> None:
        """Give these words new vectors of their own; embedders without a word list ignore it."""


def at_places(vectors: Tensor, places: Tensor) -> Tensor:
    """Return (*places, size) the vectors of distinct words at all places where the words stand.

    The gradient is the same each time. In that of indexing, threads add a word's places in the order in which they
    arrive.

    Args:
        vectors: (words, size).
        places: int64 rows of ``vectors``, any shape.
    """
    return functional.embedding(places, vectors)
