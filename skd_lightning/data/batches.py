"""Sentences as tensors: the dataset that loader workers read, and the batch that a step receives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from skd_lightning.data.sentence import Sentence
from skd_lightning.tags import TagSet


class SentenceFeaturizer(Protocol):
    """Everything that a dataset asks of an encoder (see ``encoders.Featurizer``)."""

    def index(
        self,
        sentences: Sequence[Sequence[str]],
        keep: bool = False,
        languages: Sequence[str] | None = None,
    ) -> list[Any]:
        """Return each sentence as a compact array."""

    def collate(self, items: Sequence[Any], words: int) -> dict[str, Tensor]:
        """Return the encoder's inputs of a batch."""


class Targets(Protocol):
    """The teachers' predictions on the sentences of a dataset, read by position (see ``distillation.cache``)."""

    def read(self, indices: Sequence[int], words: int) -> Any:
        """Return the targets of a batch, padded to so many words."""


@dataclass
class Batch:
    """The sentences of one step, as tensors.

    Attributes:
        inputs: the encoder's inputs.
        lengths: (batch,) words of each sentence; 0 for a sentence that only fills the batch.
        tags: (batch, words) int64 gold tags; 0 at padding and in unlabelled sentences.
        labelled: (batch,) bool, True for sentences with gold tags.
        languages: (batch,) int64 place of the sentence's language among the dataset's languages.
        indices: (batch,) int64 place of the sentence in its dataset; -1 for filling.
        targets: the teachers' predictions on these sentences, or None.
    """

    inputs: dict[str, Tensor]
    lengths: Tensor
    tags: Tensor
    labelled: Tensor
    languages: Tensor
    indices: Tensor
    targets: Any = None

    def __len__(self) -> int:
        return len(self.lengths)


class SentenceDataset(Dataset[Batch]):
    """Sentences of some languages, featurised once, handed out a batch at a time.

    Args:
        sentences: in any order; their tags (if any) belong to ``tag_set``.
        featurizer: turns words into the encoder's inputs.
        languages: all languages that may occur; ``Batch.languages`` points into it.
        tag_set: numbers the tags; None if nothing is labelled.
        keep: True if other runs will read the same sentences, see ``encoders.Featurizer.index``.
    """

    def __init__(
        self,
        sentences: Sequence[Sentence],
        featurizer: SentenceFeaturizer,
        languages: Sequence[str],
        tag_set: TagSet | None = None,
        keep: bool = False,
    ) -> None:
        self.sentences = list(sentences)
        self.featurizer = featurizer
        self.targets: Targets | None = None
        self.lengths = np.array([len(sentence.words) for sentence in sentences], dtype=np.int64)
        place = {language: i for i, language in enumerate(languages)}
        self.languages = np.array([place[sentence.language] for sentence in sentences], dtype=np.int64)
        self.labelled = np.array([sentence.tags is not None for sentence in sentences], dtype=bool)
        self._items = featurizer.index(
            [sentence.words for sentence in sentences], keep, [sentence.language for sentence in sentences]
        )
        self._tags = [
            None
            if sentence.tags is None or tag_set is None
            else np.array(tag_set.encode(sentence.tags), np.int64)
            for sentence in sentences
        ]

    def __len__(self) -> int:
        return len(self.sentences)

    def __getitem__(self, index: int) -> Batch:
        return self.__getitems__([index])

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """Return the batch of these sentences; index -1 stands for an empty sentence that fills it up."""
        lengths = np.array([self.lengths[i] if i >= 0 else 0 for i in indices], dtype=np.int64)
        words = max(1, int(lengths.max(initial=0)))  # recurrent layers want at least one word
        nothing = np.zeros(0, dtype=np.int32)
        tags = np.zeros((len(indices), words), dtype=np.int64)
        labelled = np.zeros(len(indices), dtype=bool)
        for row, i in enumerate(indices):
            gold = self._tags[i] if i >= 0 else None
            if gold is not None:
                tags[row, : len(gold)] = gold
                labelled[row] = True
        return Batch(
            inputs=self.featurizer.collate([self._items[i] if i >= 0 else nothing for i in indices], words),
            lengths=torch.from_numpy(lengths),
            tags=torch.from_numpy(tags),
            labelled=torch.from_numpy(labelled),
            languages=torch.from_numpy(np.array([self.languages[i] if i >= 0 else 0 for i in indices])),
            indices=torch.tensor(indices),
            targets=None if self.targets is None else self.targets.read(indices, words),
        )


def as_is(batch: Any) -> Any:
    """Return the batch unchanged: the collate function of a loader whose dataset makes whole batches."""
    return batch
