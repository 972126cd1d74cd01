"""An embedder and the context network on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn import Parameter

from skd_lightning.encoders.base import Embedder, Featurizer
from skd_lightning.encoders.context import Context


class Encoder(nn.Module):
    """Words to vectors in context.

    Args:
        embedder: words to vectors.
        context: settings of the network that reads them.

    Attributes:
        embedder: as given.
        context: the network.
        output_size: length of the vector of a word in context.
        vocabulary: words with vectors of their own, in lower case and sorted.
    """

    def __init__(self, embedder: Embedder, context: Context) -> None:
        super().__init__()
        self.embedder = embedder
        self._context = context
        self.context = context.build(embedder.output_size)
        self.output_size = int(self.context.output_size)  # type: ignore[arg-type]
        self._made = [name for name, _ in self.named_parameters()]
        self.use_vocabulary([])

    @property
    def featurizer(self) -> Featurizer:
        """Return the embedder's featurizer."""
        return self.embedder.featurizer

    def forward(self, inputs: Mapping[str, Tensor], lengths: Tensor) -> Tensor:
        """Return (batch, words, output_size); vectors at padding have no meaning.

        Args:
            inputs: what the featurizer collated.
            lengths: (batch,) words of each sentence.
        """
        return self.context(self.embedder(inputs, lengths), lengths)  # type: ignore[no-any-return]

    def description(self) -> dict[str, Any]:
        """Return ``embedder``, ``context`` and ``vocabulary`` as plain values, without the weights."""
        return {
            "embedder": self.embedder.description(),
            "context": self._context.description(),
            "vocabulary": self.vocabulary,
        }

    def learn_vocabulary(self, words: Iterable[str]) -> None:
        """Give the words that occur often enough vectors of their own; before training.

        Args:
            words: of the training data, as often as they occur; upper and lower case are the same word.
        """
        least = self.embedder.min_count
        if least is not None:
            counts = Counter(word.lower() for word in words)
            self.use_vocabulary(sorted(word for word, count in counts.items() if count >= least))

    def use_vocabulary(self, words: Sequence[str]) -> None:
        """Give these words new vectors of their own; what was indexed before stays valid."""
        self.vocabulary = list(words) if self.embedder.min_count is not None else []
        self.embedder.use_vocabulary(self.vocabulary)

    def parameters_as_made(self) -> list[Parameter]:
        """Return all parameters in the order in which they came to be, those of the vocabulary last.

        An optimiser sums the norm of its gradients in the order of its parameters, and the last bit of a sum depends
        on the order.
        """
        named = dict(self.named_parameters())
        return [*(named.pop(name) for name in self._made), *named.values()]

    def pretrained_parameters(self) -> list[Parameter]:
        """Return the embedder's pretrained parameters."""
        return self.embedder.pretrained_parameters()

    def table_parameters(self) -> list[Parameter]:
        """Return the tables of vectors that start at random, one row a word or feature."""
        pretrained = {id(parameter) for parameter in self.pretrained_parameters()}
        return [
            weight
            for module in self.modules()
            if isinstance(module, nn.Embedding | nn.EmbeddingBag)
            for weight in module.parameters()
            if id(weight) not in pretrained
        ]

    def use_languages(self, languages: Sequence[str]) -> None:
        """Tell the embedder the tagger's languages, before anything is encoded."""
        self.embedder.use_languages(languages)

    def identity(self) -> str:
        """Return the embedder's fingerprint of external inputs."""
        return self.embedder.identity()
