"""Answers of teachers that are no chains: weighted tag sequences, and spans that are scored independently."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch

from skd_lightning.crf.semi_markov import SemiMarkovCRF
from skd_lightning.crf.weighted_paths import WeightedPaths
from skd_lightning.distillation.cache.entry import EmissionPrecision
from skd_lightning.ragged import cells, ranges


@dataclass(frozen=True)
class WeightedSequences:
    """Tag sequences of all sentences, each with a weight.

    Attributes:
        sizes: (sentences,) how many each has; 0 where the teacher said nothing.
        log_weights: (sequences,) nats, sentence by sentence.
        sequences: (their words,) tags, sequence by sequence.
        tag_count: (1,) the number of tags.
        known: (sentences,) bool, see :class:`Spoken`.
    """

    part: ClassVar[str] = "sequences"
    offers: ClassVar[frozenset[str]] = frozenset({"pairs"})
    nature: ClassVar[str] = "tag sequences with weights"

    sizes: np.ndarray
    log_weights: np.ndarray
    sequences: np.ndarray
    tag_count: np.ndarray
    known: np.ndarray

    @property
    def tags(self) -> int:
        """Return the number of tags."""
        return int(self.tag_count[0])

    def stored(self, precision: EmissionPrecision) -> dict[str, np.ndarray]:
        """Return the arrays from which it is made again, of which none loses precision."""
        return dict(vars(self))

    def in_tags(self, columns: np.ndarray, tags: int) -> WeightedSequences:
        """Return the same sequences in other tags, see :meth:`Potentials.in_tags`."""
        return replace(self, sequences=columns[self.sequences], tag_count=np.array([tags]))

    def chain(self, sentences: np.ndarray, lengths: np.ndarray, starts: np.ndarray) -> WeightedPaths:
        """Return the distributions on some sentences, see :meth:`Potentials.chain`."""
        own, sizes = lengths[sentences], self.sizes[sentences]
        firsts = np.cumsum(self.sizes) - self.sizes
        words_before = np.cumsum(self.sizes * lengths) - self.sizes * lengths
        row, number = cells(sizes)
        which = ranges(firsts[sentences], sizes)
        most = max(1, sizes.max(initial=0))
        log_weights = np.full((len(sentences), most), -np.inf, dtype=np.float32)
        log_weights[row, number] = self.log_weights[which]
        paths = np.zeros((len(sentences), most, own.max(initial=0)), dtype=np.int64)
        sequence, word = cells(own[row])
        begin = words_before[sentences[row]] + number * own[row]
        paths[row[sequence], number[sequence], word] = self.sequences[ranges(begin, own[row])]
        lengths_of = torch.from_numpy(own)
        return WeightedPaths(torch.from_numpy(paths), torch.from_numpy(log_weights), lengths_of, self.tags)


@dataclass(frozen=True)
class SpanScores:
    """Spans of all sentences, scored independently.

    Attributes:
        sizes: (sentences,) how many each has.
        spans: (spans, 3) first word, last word and type, sentence by sentence.
        scores: (spans,) nats against no span.
        coding: (types, 4) tags of the words of a span, see :class:`SemiMarkovCRF`.
        outside: (1,) tag of a word outside of all spans.
        tag_count: (1,) the number of tags.
        known: (sentences,) bool, see :class:`Spoken`.
    """

    part: ClassVar[str] = "spans"
    offers: ClassVar[frozenset[str]] = frozenset()
    nature: ClassVar[str] = "spans with scores"

    sizes: np.ndarray
    spans: np.ndarray
    scores: np.ndarray
    coding: np.ndarray
    outside: np.ndarray
    tag_count: np.ndarray
    known: np.ndarray

    @property
    def tags(self) -> int:
        """Return the number of tags."""
        return int(self.tag_count[0])

    def stored(self, precision: EmissionPrecision) -> dict[str, np.ndarray]:
        """Return the arrays from which it is made again, of which none loses precision."""
        return dict(vars(self))

    def in_tags(self, columns: np.ndarray, tags: int) -> SpanScores:
        """Return the same distributions over other tags, see :meth:`Potentials.in_tags`."""
        coding, outside = columns[self.coding], columns[self.outside]
        return replace(self, coding=coding, outside=outside, tag_count=np.array([tags]))

    def chain(self, sentences: np.ndarray, lengths: np.ndarray, starts: np.ndarray) -> SemiMarkovCRF:
        """Return the distributions on some sentences, see :meth:`Potentials.chain`."""
        sizes = self.sizes[sentences]
        which = ranges((np.cumsum(self.sizes) - self.sizes)[sentences], sizes)
        row = np.repeat(np.arange(len(sentences)), sizes)
        spans = np.concatenate([row[:, None], self.spans[which]], axis=1)
        given = (spans, np.array(self.scores[which]), lengths[sentences], np.array(self.coding))
        of_spans, scores, own, coding = (torch.from_numpy(array) for array in given)
        return SemiMarkovCRF(of_spans, scores, own, coding, int(self.outside[0]), self.tags)
