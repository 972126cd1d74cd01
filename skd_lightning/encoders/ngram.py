"""An embedder that needs no download: hashed word forms and character n-grams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from skd_lightning.encoders.base import Embedder, at_places
from skd_lightning.encoders.ngram_features import NgramFeaturizer
from skd_lightning.errors import UserError

DEVIATION = 2.0
"""Standard deviation of the vectors at the start.

Smaller vectors hardly move an LSTM and have to grow, those of rare features most: the tagger then learns its training
sentences by heart. From 0.1 to 2 the dev F1 of a tagger of 1,000 sentences rises by 8 points, beyond it falls.
"""


class NgramEmbedder(Embedder):
    """A bag of character features and a bag of word forms, concatenated.

    With ``word_embedding_size`` it also has a vector for each word of its vocabulary: knowledge of one language,
    which a multilingual student does without (the asymmetry of Wang et al. 2020, section 4.1).

    Args:
        embedding_size: length of each bag's vector.
        buckets: rows of the hashed embedding table.
        word_embedding_size: length of the vector of a known word; 0 for none.
        min_count: occurrences in the training data from which on a word is known.
        form_dropout: probability with which training hides the forms of a word, so that its characters must do.
        dropout: dropout of the joined vectors.
        sparse: update only the rows of the tables that a batch uses (lazy AdamW); a step then costs the same however
            many buckets there are. Not for several GPUs, whose NCCL does not sum sparse gradients.
    """

    featurizer: NgramFeaturizer

    def __init__(
        self,
        embedding_size: int = 64,
        buckets: int = 32768,
        word_embedding_size: int = 0,
        min_count: int = 2,
        form_dropout: float = 0.25,
        dropout: float = 0.33,
        sparse: bool = False,
    ) -> None:
        super().__init__()
        self._config = {
            "embedding_size": embedding_size,
            "buckets": buckets,
            "word_embedding_size": word_embedding_size,
            "min_count": min_count,
            "form_dropout": form_dropout,
            "dropout": dropout,
            "sparse": sparse,
        }
        for name, least in (("embedding_size", 1), ("buckets", 1), ("word_embedding_size", 0)):
            if int(self._config[name]) < least:
                raise UserError(f"embedder: {name} is {self._config[name]}, it must be at least {least}")
        self.word_embedding_size = word_embedding_size
        self.min_count = min_count if word_embedding_size else None
        self.form_dropout, self.sparse = form_dropout, sparse
        self.grams = nn.EmbeddingBag(buckets, embedding_size, mode="mean", sparse=sparse)
        self.forms = nn.EmbeddingBag(buckets, embedding_size, mode="mean", sparse=sparse)
        for table in (self.grams, self.forms):
            nn.init.normal_(table.weight, std=DEVIATION)
        self.dropout = nn.Dropout(dropout)
        self.featurizer = NgramFeaturizer(buckets)
        self.words: nn.Embedding | None = None
        self.output_size = 2 * embedding_size + word_embedding_size

    def use_vocabulary(self, words: Sequence[str]) -> None:
        """Give these words new vectors of their own; all others share one."""
        rows, device = len(words) + 1, self.grams.weight.device
        empty = self.words is not None and rows == len(self.words.weight) == 1
        if not self.word_embedding_size or empty:  # a table drawn twice would move all later draws
            return
        self.words = nn.Embedding(rows, self.word_embedding_size, sparse=self.sparse, device=device)
        self.words.weight.data.mul_(DEVIATION)
        self.featurizer.use_vocabulary(words)

    def config(self) -> dict[str, Any]:
        """Return the settings as plain values."""
        return dict(self._config)

    def forward(self, inputs: Mapping[str, Tensor], lengths: Tensor) -> Tensor:
        """Return (batch, words, output_size) from what :class:`NgramFeaturizer` collates."""
        bags = [self.grams(inputs["grams"], inputs["offsets"])]
        keep = torch.ones(len(inputs["offsets"]), 1, device=lengths.device)
        if self.training:  # a word as a whole: seen and unseen words then look as they do in use
            keep = (torch.rand_like(keep) >= self.form_dropout).float()
        bags.append(self.forms(inputs["forms"]) * keep)
        if self.words is not None:
            bags.append(self.words(inputs["known"]) * keep)
        return at_places(self.dropout(torch.cat(bags, dim=-1)), inputs["place"])
