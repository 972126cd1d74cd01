"""The counts of a test: by language, by sentence, by pair of tags, and by how sure the tagger was; and its tags."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchmetrics.classification import MulticlassConfusionMatrix

from skd_lightning.crf import LinearChainCRF
from skd_lightning.data.batches import Batch
from skd_lightning.metrics import COLUMNS, TaggingScores
from skd_lightning.taggers.confidences import ConfidenceCounts
from skd_lightning.tags import TagSet


class TestedSentences(nn.Module):
    """Counts of a test; processes count their shares of the sentences.

    Args:
        tag_set: the tags.
        languages: those of the test.
        well_formed: True if the tagger gives ill-formed sequences no probability.

    Attributes:
        scores: counts of each language.
        sentences: (sentences, 9) counts of each sentence of the test dataset, see ``metrics.COLUMNS``; significance
            tests draw sentences.
        predicted: (words,) int32 decoded tags of the words of all these sentences, end to end; 0 for words that do
            not count.
        results: scores of a finished test, as :meth:`TaggingScores.compute` returns them.
        confusion: (tags, tags) words of a finished test, ``[gold, predicted]``.
        calibration: its counts by confidence, as :meth:`ConfidenceCounts.compute` returns them.
    """

    def __init__(self, tag_set: TagSet, languages: Sequence[str], well_formed: bool) -> None:
        super().__init__()
        self.scores = TaggingScores(tag_set, list(languages))
        self.begin(np.zeros(0, dtype=np.int64), torch.device("cpu"))
        # Counts of words, summed over processes; a word with the gold tag -1 does not count.
        self._confusion = MulticlassConfusionMatrix(len(tag_set), ignore_index=-1, validate_args=False)
        self._confidences = ConfidenceCounts(tag_set, languages, well_formed)
        self.results: dict[str, Any] = {}
        self.confusion = torch.zeros(len(tag_set), len(tag_set), dtype=torch.int64)
        self.calibration: dict[str, Any] = {}

    def begin(self, lengths: NDArray[np.int64], device: torch.device) -> None:
        """Make room for the counts and the tags of sentences of these (sentences,) numbers of words."""
        self.sentences = torch.zeros(len(lengths), len(COLUMNS), dtype=torch.int64, device=device)
        self.predicted = torch.zeros(int(lengths.sum()), dtype=torch.int32, device=device)
        self._starts = torch.from_numpy(np.cumsum(lengths) - lengths).to(device)

    def update(self, crf: LinearChainCRF, paths: Tensor, batch: Batch) -> None:
        """Count the words and entities of a batch that decoded paths get right, and how sure the tagger is of them.

        Args:
            crf: its distributions.
            paths: (batch, words) int64 tags.
            batch: with the gold tags.
        """
        lengths = labelled_lengths(batch)
        self.scores.update(paths, batch.tags, lengths, batch.languages)
        words = torch.arange(paths.shape[1], device=paths.device) < lengths.unsqueeze(1)
        self._confusion.update(paths, batch.tags.masked_fill(~words, -1))
        self._confidences.update(crf, paths, batch.tags, lengths, batch.languages)
        there = batch.indices >= 0
        self.sentences[batch.indices[there]] = self.scores.count(paths, batch.tags, lengths)[there]
        words &= there.unsqueeze(1)
        # The empty ones that fill a batch point at another place, from which nothing is taken.
        places = self._starts[batch.indices].unsqueeze(1) + torch.arange(paths.shape[1], device=paths.device)
        self.predicted[places[words]] = paths[words].to(torch.int32)

    def finish(self, reduce: Callable[..., Tensor]) -> dict[str, Any]:
        """Add up the counts of all processes, and return the scores.

        Args:
            reduce: returns the sum of a tensor over processes, given ``reduce_op="sum"``. Each process has counted its
                share of the sentences, and has 0 elsewhere.
        """
        self.results = self.scores.compute()
        self.confusion = self._confusion.compute().cpu()
        self.calibration = self._confidences.compute()
        for counts in (self.scores, self._confusion, self._confidences):
            counts.reset()
        self.sentences = reduce(self.sentences, reduce_op="sum").cpu()
        self.predicted = reduce(self.predicted, reduce_op="sum").cpu()
        return self.results


def labelled_lengths(batch: Batch) -> Tensor:
    """Return (batch,) words of each sentence, 0 where nobody annotated it: it does not count."""
    return torch.where(batch.labelled, batch.lengths, 0)
