"""An encoder that needs no download: hashed word forms and character n-grams under a BiLSTM."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from skd_lightning.encoders.base import Encoder
from skd_lightning.encoders.bilstm import BiLSTM
from skd_lightning.encoders.features import NgramFeaturizer
from skd_lightning.errors import UserError


class NgramEncoder(Encoder):
    """Bag of character features and bag of word forms, concatenated, then a bidirectional LSTM.

    With ``word_embedding_size`` it also has an embedding of each word of its training data: knowledge of one
    language, which a multilingual student does without (the asymmetry of Wang et al. 2020, section 4.1).

    Args:
        embedding_size: length of each bag's vector.
        hidden_size: LSTM units in each direction.
        layers: BiLSTM layers; 0 for the bags alone, in a :class:`ConcatenatedEncoder` say.
        buckets: rows of the hashed embedding table.
        word_embedding_size: length of the vector of a known word; 0 for none.
        min_count: occurrences in the training data from which on a word is known.
        form_dropout: probability with which training hides the forms of a word, so that its characters must do.
        dropout: dropout of the LSTM's input and output.
        sparse: update only the rows of the tables that a batch uses (lazy AdamW); a step then costs the same however
            many buckets there are. Not for several GPUs, whose NCCL does not sum sparse gradients.
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
        sparse: bool = False,
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
            "sparse": sparse,
        }
        for name, least in (("embedding_size", 1), ("hidden_size", 1), ("layers", 0), ("buckets", 1)):
            if int(self._config[name]) < least:
                raise UserError(f"encoder: {name} is {self._config[name]}, it must be at least {least}")
        self.form_dropout = form_dropout
        self.grams = nn.EmbeddingBag(buckets, embedding_size, mode="mean", sparse=sparse)
        self.forms = nn.EmbeddingBag(buckets, embedding_size, mode="mean", sparse=sparse)
        for table in (self.grams, self.forms):
            nn.init.normal_(table.weight, std=0.5)
        self.dropout = nn.Dropout(dropout)
        self.bilstm = BiLSTM(2 * embedding_size + word_embedding_size, hidden_size, layers, dropout)
        self.output_size = self.bilstm.output_size
        self.featurizer = NgramFeaturizer(buckets)
        self.vocabulary: list[str] = []
        self.words: nn.Embedding | None = None
        self._use_vocabulary(vocabulary or [])

    def _use_vocabulary(self, vocabulary: list[str]) -> None:
        size = int(self._config["word_embedding_size"])
        self.vocabulary = vocabulary if size else []
        self.words = None
        if size:
            self.words = nn.Embedding(len(self.vocabulary) + 1, size, sparse=bool(self._config["sparse"]))
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
        """(batch, words, output_size) from what :class:`NgramFeaturizer` collates."""
        bags = [self.grams(inputs["grams"], inputs["offsets"])]
        keep = torch.ones(len(inputs["offsets"]), 1, device=lengths.device)
        if self.training:  # a word as a whole: seen and unseen words then look as they do in use
            keep = (torch.rand_like(keep) >= self.form_dropout).float()
        bags.append(self.forms(inputs["forms"]) * keep)
        if self.words is not None:
            bags.append(self.words(inputs["known"]) * keep)
        states: Tensor = self.dropout(torch.cat(bags, dim=-1))[inputs["place"]]
        return self.bilstm(states, lengths)  # type: ignore[no-any-return]
