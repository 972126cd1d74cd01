"""An encoder that needs no download: hashed word forms and character n-grams under a BiLSTM."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from skd_lightning.encoders.base import Encoder
from skd_lightning.encoders.features import NgramFeaturizer
from skd_lightning.errors import UserError


class NgramEncoder(Encoder):
    """Bag of character features and bag of word forms, concatenated, then a bidirectional LSTM.

    With ``word_embedding_size`` it also has an embedding of each word of its training data: knowledge of one
    language, which a multilingual student does without (the asymmetry of Wang et al. 2020, section 4.1).

    Args:
        embedding_size: length of each bag's vector.
        hidden_size: LSTM units in each direction.
        layers: BiLSTM layers.
        buckets: rows of the hashed embedding table.
        word_embedding_size: length of the vector of a known word; 0 for none.
        min_count: occurrences in the training data from which on a word is known.
        form_dropout: probability with which training hides the forms of a word, so that its characters must do.
        dropout: dropout of the LSTM's input and output.
        vocabulary: the known words; filled by :meth:`learn_vocabulary`.
    """

    featurizer: NgramFeaturizer

    def __init__(
        self,
        embedding_size: int = 64,
        hidden_size: int = 128,
        layers: int = 1,
        buckets: int = 32768,
        word_embedding_size: int = 0,
        min_count: int = 2,
        form_dropout: float = 0.25,
        dropout: float = 0.33,
        vocabulary: list[str] | None = None,
    ) -> None:
        super().__init__()
        self._config = {
            "embedding_size": embedding_size,
            "hidden_size": hidden_size,
            "layers": layers,
            "buckets": buckets,
            "word_embedding_size": word_embedding_size,
            "min_count": min_count,
            "form_dropout": form_dropout,
            "dropout": dropout,
        }
        for name in ("embedding_size", "hidden_size", "layers", "buckets"):
            if int(self._config[name]) < 1:
                raise UserError(f"encoder: {name} is {self._config[name]}, it must be at least 1")
        self.form_dropout = form_dropout
        self.grams = nn.EmbeddingBag(buckets, embedding_size, mode="mean")
        self.forms = nn.EmbeddingBag(buckets, embedding_size, mode="mean")
        for table in (self.grams, self.forms):
            nn.init.normal_(table.weight, std=0.5)
        self.dropout = nn.Dropout(dropout)
        size = 2 * embedding_size + word_embedding_size
        # One LSTM for each direction, on mirrored sentences: three times faster on CPU than packed sequences,
        # and it exports. Padding stands at the end in both directions, so it has no influence.
        self.forward_lstms, self.backward_lstms = nn.ModuleList(), nn.ModuleList()
        for layer in range(layers):
            lstm_input = size if layer == 0 else 2 * hidden_size
            self.forward_lstms.append(nn.LSTM(lstm_input, hidden_size, batch_first=True))
            self.backward_lstms.append(nn.LSTM(lstm_input, hidden_size, batch_first=True))
        self.output_size = 2 * hidden_size
        self.featurizer = NgramFeaturizer(buckets)
        self.vocabulary: list[str] = []
        self.words: nn.Embedding | None = None
        self._use_vocabulary(vocabulary or [])

    def _use_vocabulary(self, vocabulary: list[str]) -> None:
        size = int(self._config["word_embedding_size"])
        self.vocabulary = vocabulary if size else []
        self.words = nn.Embedding(len(self.vocabulary) + 1, size) if size else None
        self.featurizer.use_vocabulary(self.vocabulary)

    def learn_vocabulary(self, words: Sequence[str]) -> None:
        """Give the words that occur often enough an embedding of their own."""
        if self.words is not None:
            counts = Counter(word.lower() for word in words)
            known = sorted(word for word, count in counts.items() if count >= self._config["min_count"])
            self._use_vocabulary(known)

    def config(self) -> dict[str, Any]:
        """The constructor's arguments, as plain values."""
        return {**self._config, "vocabulary": self.vocabulary}

    def forward(self, inputs: Mapping[str, Tensor], lengths: Tensor) -> Tensor:
        """(batch, words, 2 * hidden_size) from what :class:`NgramFeaturizer` collates."""
        bags = [self.grams(inputs["grams"], inputs["offsets"])]
        keep = torch.ones(len(inputs["offsets"]), 1, device=lengths.device)
        if self.training:  # a word as a whole: seen and unseen words then look as they do in use
            keep = (torch.rand_like(keep) >= self.form_dropout).float()
        bags.append(self.forms(inputs["forms"]) * keep)
        if self.words is not None:
            bags.append(self.words(inputs["known"]) * keep)
        states: Tensor = self.dropout(torch.cat(bags, dim=-1))[inputs["place"]]
        mirror = _mirror(states.shape[1], lengths)
        for forwards, backwards in zip(self.forward_lstms, self.backward_lstms, strict=True):
            left, _ = forwards(states)
            right, _ = backwards(_take(states, mirror))
            states = self.dropout(torch.cat([left, _take(right, mirror)], dim=-1))
        return states


def _mirror(words: int, lengths: Tensor) -> Tensor:
    """(batch, words): the positions of each sentence in reverse order, padding in place; its own inverse."""
    position = torch.arange(words, device=lengths.device)
    mirrored = lengths.unsqueeze(1) - 1 - position
    return torch.where(mirrored >= 0, mirrored, position)


def _take(states: Tensor, index: Tensor) -> Tensor:
    return states.gather(1, index.unsqueeze(-1).expand(-1, -1, states.shape[2]))
