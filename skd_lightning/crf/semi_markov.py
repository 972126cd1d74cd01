"""Spans that are scored independently, as a distribution over segmentations: a semi-Markov chain of order 0.

Sarawagi and Cohen 2004 (NIPS), here without scores between neighbouring segments: a sentence is cut into words outside
of all spans, of score 0, and spans (i, j, r) of type r from word i to word j, of score s(i, j, r). With F(m), the
log-sum over all ways to cut the first m words, and B(m), over all ways to cut the words from m on,

    F(m) = log [exp F(m - 1) + Σ_{i, r} exp(F(i) + s(i, m - 1, r))],
    p(i, j, r) = exp(F(i) + s(i, j, r) + B(j + 1) - log Z),

and log Z = F(n). Spans never overlap, whatever was scored.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from skd_lightning.crf.kbest import KBest
from skd_lightning.ragged import ranges

SINGLE, FIRST, INSIDE, LAST = range(4)
"""Columns of a coding: how a word's tag tells its place in its span."""

NOTHING = -1
"""Stands for a span where a word is outside of all."""


class SemiMarkovCRF:
    """p(segmentation | x) ∝ exp of the sum of its spans' scores, and what follows for tags; a batch of sentences.

    Tags are a function of the segmentation, but no Markov chain: the score of a span depends on both of its ends.

    Args:
        spans: (n, 4) int64: sentence, first word, last word, type.
        scores: (n,) nats, against 0 for words outside: the logit of an independent classifier of spans.
        lengths: (batch,) words of each sentence.
        coding: (types, 4) int64 the tag of the only word of a span, of its first, of one inside, and of its last.
        outside: tag of a word outside of all spans.
        tags: how many there are.

    >>> span = torch.tensor([[0, 0, 1, 0]])  # the first two of three words
    >>> bioes = torch.tensor([[4, 1, 2, 3]])  # O, B, I, E, S
    >>> crf = SemiMarkovCRF(span, torch.tensor([1.0]), torch.tensor([3]), bioes, outside=0, tags=5)
    >>> crf.span_marginals  # e / (1 + e)
    tensor([0.7311], dtype=torch.float64)
    >>> crf.transition_counts[0, 3, 0]  # from E to O
    tensor(0.7311)
    """

    def __init__(
        self, spans: Tensor, scores: Tensor, lengths: Tensor, coding: Tensor, outside: int, tags: int
    ) -> None:
        self.lengths, self.tags = lengths, tags
        self._given = spans, scores, coding, outside
        self._sentence, self._start, self._end, kind = spans.numpy().T
        self._scores = scores.double().numpy()
        self._coding, self._outside = coding.numpy()[kind], outside
        self._words = int(lengths.max()) if len(lengths) else 0
        alone = self._start == self._end
        self._opening = np.where(alone, self._coding[:, SINGLE], self._coding[:, FIRST])
        self._closing = np.where(alone, self._coding[:, SINGLE], self._coding[:, LAST])

    @cached_property
    def _forward(self) -> tuple[np.ndarray, np.ndarray]:
        """Return F (words + 1, batch), and its parts by the tag of the last word (words + 1, batch, tags)."""
        total = np.full((self._words + 1, len(self.lengths)), -np.inf)
        total[0] = 0.0
        parts = np.full((*total.shape, self.tags), -np.inf)
        order = np.argsort(self._end, kind="stable")
        cut = np.searchsorted(self._end[order], np.arange(self._words + 1))
        for m in range(1, self._words + 1):
            parts[m, :, self._outside] = total[m - 1]
            own = order[cut[m - 1] : cut[m]]
            values = total[self._start[own], self._sentence[own]] + self._scores[own]
            np.logaddexp.at(parts[m], (self._sentence[own], self._closing[own]), values)
            total[m] = np.logaddexp.reduce(parts[m], axis=1)
        return total, parts

    @cached_property
    def _backward(self) -> tuple[np.ndarray, np.ndarray]:
        """Return B (words + 1, batch), and its parts by the tag of the first word (words + 1, batch, tags)."""
        lengths = self.lengths.numpy()
        total = np.full((self._words + 1, len(lengths)), -np.inf)
        parts = np.full((*total.shape, self.tags), -np.inf)
        order = np.argsort(self._start, kind="stable")
        cut = np.searchsorted(self._start[order], np.arange(self._words + 1))
        total[self._words, lengths == self._words] = 0.0
        for m in range(self._words - 1, -1, -1):
            parts[m, :, self._outside] = total[m + 1]
            own = order[cut[m] : cut[m + 1]]
            values = self._scores[own] + total[self._end[own] + 1, self._sentence[own]]
            np.logaddexp.at(parts[m], (self._sentence[own], self._opening[own]), values)
            total[m] = np.where(lengths == m, 0.0, np.logaddexp.reduce(parts[m], axis=1))
        return total, parts

    @cached_property
    def _log_partition(self) -> np.ndarray:
        z: np.ndarray = self._forward[0][self.lengths.numpy(), np.arange(len(self.lengths))]
        return z

    @property
    def log_partition(self) -> Tensor:
        """(batch,) log Z in nats; 0 for a sentence without spans."""
        return torch.from_numpy(self._log_partition)

    @cached_property
    def _span_marginals(self) -> np.ndarray:
        forward = self._forward[0][self._start, self._sentence]
        backward = self._backward[0][self._end + 1, self._sentence]
        found: np.ndarray = np.exp(forward + self._scores + backward - self._log_partition[self._sentence])
        return found

    @property
    def span_marginals(self) -> Tensor:
        """(n,) float64 probability of each span."""
        return torch.from_numpy(self._span_marginals)

    @cached_property
    def marginals(self) -> Tensor:
        """(batch, words, tags) float32 p(y_i | x), 0 at padding."""
        forward, backward = self._forward[0], self._backward[0]
        found = np.zeros((len(self.lengths), self._words, self.tags))
        found[:, :, self._outside] = np.exp(forward[:-1] + backward[1:] - self._log_partition).T
        size = self._end - self._start + 1
        span = np.repeat(np.arange(len(size)), size)
        word = ranges(self._start, size)
        place = np.where(word == self._end[span], LAST, np.where(word == self._start[span], FIRST, INSIDE))
        tag = self._coding[span, np.where(size[span] == 1, SINGLE, place)]
        np.add.at(found, (self._sentence[span], word, tag), self._span_marginals[span])
        return torch.from_numpy(found.astype(np.float32))

    @cached_property
    def transition_counts(self) -> Tensor:
        """(batch, tags, tags) float32 expected number of times that one tag follows another ``[from, to]``."""
        found = np.zeros((len(self.lengths), self.tags, self.tags))
        (forward, ending), (backward, beginning) = self._forward, self._backward
        lengths = self.lengths.numpy()
        for m in range(1, self._words):  # a cut before word m
            rows = np.flatnonzero(lengths > m)
            cut = np.exp(forward[m, rows] + backward[m, rows] - self._log_partition[rows])
            before = np.exp(ending[m, rows] - forward[m, rows, None])
            after = np.exp(beginning[m, rows] - backward[m, rows, None])
            found[rows] += cut[:, None, None] * before[:, :, None] * after[:, None, :]
        size = self._end - self._start + 1
        for longer, before_, after_, times in (
            (size == 2, FIRST, LAST, 1),
            (size > 2, FIRST, INSIDE, 1),
            (size > 2, INSIDE, LAST, 1),
            (size > 3, INSIDE, INSIDE, size - 3),
        ):
            own = np.flatnonzero(longer)
            pairs = self._sentence[own], self._coding[own, before_], self._coding[own, after_]
            np.add.at(found, pairs, (times * self._span_marginals)[own])
        return torch.from_numpy(found.astype(np.float32))

    def tempered(self, temperature: float) -> SemiMarkovCRF:
        """Return the distribution of scores that are divided by a temperature."""
        spans, scores, coding, outside = self._given
        return SemiMarkovCRF(spans, scores / temperature, self.lengths, coding, outside, self.tags)

    def kbest(self, k: int) -> KBest:
        """Return the tag sequences of the k best segmentations, with unnormalised scores; see :class:`LinearChainCRF`.

        The k best of the first m words end outside of all spans, or with one of the spans that end there; each goes on
        from one of the k best where it begins.
        """
        lengths = self.lengths.tolist()
        paths = np.full((len(lengths), k, self._words), 0, dtype=np.int64)
        scores = np.full((len(lengths), k), -np.inf)
        order = np.lexsort((self._end, self._sentence))
        cut = np.searchsorted(self._sentence[order], np.arange(len(lengths) + 1))
        for row, words in enumerate(lengths):
            ending: list[list[int]] = [[] for _ in range(words)]
            for span in order[cut[row] : cut[row + 1]].tolist():
                ending[self._end[span]].append(span)
            best: list[list[_Ending]] = [[_Ending(0.0, 0, 0, NOTHING)]]
            for word in range(words):
                found = [_Ending(one.score, word, rank, NOTHING) for rank, one in enumerate(best[word])]
                for span in ending[word]:
                    first, own = int(self._start[span]), float(self._scores[span])
                    found += [
                        _Ending(own + one.score, first, rank, span) for rank, one in enumerate(best[first])
                    ]
                best.append(sorted(found, key=lambda one: -one.score)[:k])
            for rank, one in enumerate(best[words]):
                scores[row, rank] = one.score
                self._write(paths[row, rank], best, words, one)
        return KBest(torch.from_numpy(paths), torch.from_numpy(scores))

    def _write(self, path: np.ndarray, best: list[list[_Ending]], end: int, last: _Ending) -> None:
        """Write the tags of a segmentation, from its last segment back to the first."""
        while end > 0:
            if last.span == NOTHING:
                path[last.first] = self._outside
            else:
                coding = self._coding[last.span]
                path[last.first : end] = coding[INSIDE]
                path[last.first] = self._opening[last.span]
                path[end - 1] = self._closing[last.span]
            end, last = last.first, best[last.first][last.rank]


class _Ending(NamedTuple):
    """A segmentation of the first words of a sentence: score, its last segment, and which one it carries on."""

    score: float
    first: int
    rank: int
    span: int
