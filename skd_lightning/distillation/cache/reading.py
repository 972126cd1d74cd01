"""Targets of batches, read from the cached answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from skd_lightning.distillation.cache.entry import Potentials
from skd_lightning.distillation.cache.sparse import SparseRows
from skd_lightning.distillation.objective import Needs
from skd_lightning.distillation.path_sets import PackedPairs
from skd_lightning.distillation.targets import TeacherTargets
from skd_lightning.ragged import cells, ranges


@dataclass
class LanguageAnswers:
    """Answers on all sentences of one language; a field that is not needed is None.

    Attributes:
        lengths: (sentences,) words of each of its sentences.
        columns: (teacher's tags,) place of each of its tags among the student's.
        potentials: of the teacher, or of a product of teachers.
        marginals: posterior probabilities, a row a word.
        transition_counts: expected numbers of each pair of tags, a row a sentence.
        paths: (words, k) the k best sequences.
        log_probs: (sentences, k) log p of these in nats.
        path_sets: pairs of the paths in S, of each word.
        taught: (sentences,) bool, False for those on which nobody listens.
        expectations: returns marginals and transition counts, whatever the objective needs.
    """

    lengths: np.ndarray
    columns: np.ndarray
    potentials: Potentials | None = None
    marginals: SparseRows | None = None
    transition_counts: SparseRows | None = None
    paths: np.ndarray | None = None
    log_probs: np.ndarray | None = None
    path_sets: PackedPairs | None = None
    taught: np.ndarray | None = None
    expectations: Callable[[], tuple[SparseRows, SparseRows]] | None = None

    def __post_init__(self) -> None:
        self.starts = np.cumsum(self.lengths) - self.lengths
        self.one_to_one = len(np.unique(self.columns)) == len(self.columns)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the function, for loader workers that are other processes: they read what the objective needs."""
        return {**vars(self), "expectations": None}

    def put(self, array: np.ndarray, at: tuple[np.ndarray, ...], values: np.ndarray) -> None:
        """Put values over the student's tags into an array of zeros; teacher's tags that are one there add up.

        Args:
            array: of any shape.
            at: the places, an index for each axis.
            values: of the places.
        """
        if self.one_to_one:
            array[at] = values
        else:
            np.add.at(array, at, values)  # twenty times slower


class CachedTargets:
    """Targets of batches from the teachers' cached answers, found by a sentence's place in its dataset.

    Args:
        teachers: one for each part of the dataset.
        owner: (sentences,) the number of the teacher that speaks on a sentence.
        place: (sentences,) the number of the sentence among that teacher's sentences.
        tags: size of the student's tag set.
        needs: fields that the objective reads.
    """

    def __init__(
        self,
        teachers: Sequence[LanguageAnswers],
        owner: np.ndarray,
        place: np.ndarray,
        tags: int,
        needs: Needs,
    ) -> None:
        self.teachers, self.owner, self.place = teachers, owner, place
        self.tags, self.needs = tags, needs

    def read(self, indices: Sequence[int], words: int) -> TeacherTargets:
        """Return the targets of a batch of sentences, padded to ``words`` words.

        Args:
            indices: places of the sentences in the dataset; -1 stands for an empty sentence.
            words: of the longest sentence.
        """
        filled = self._empty(len(indices), words)
        sentences = np.asarray(indices)
        spoken = np.where(sentences >= 0, self.owner[sentences], -1)
        for number in np.unique(spoken[spoken >= 0]):
            rows = np.flatnonzero(spoken == number)
            self._fill(filled, self.teachers[number], rows, self.place[sentences[rows]])
        return TeacherTargets(**{name: torch.from_numpy(array) for name, array in filled.items()})

    def expectations(self) -> CachedTargets:
        """Return the same teachers' marginals and transition counts, whatever the objective needs."""
        teachers = []
        for teacher in self.teachers:
            assert teacher.expectations is not None
            marginals, counts = teacher.expectations()
            own = LanguageAnswers(teacher.lengths, teacher.columns, taught=teacher.taught)
            own.marginals, own.transition_counts = marginals, counts
            teachers.append(own)
        needs = Needs(marginals=1.0, transition_counts=1.0)
        return CachedTargets(teachers, self.owner, self.place, self.tags, needs)

    def about(self, sentences: Sequence[int]) -> CachedTargets:
        """Return what the teachers say about some sentences of the dataset, in this order."""
        chosen = np.asarray(sentences, dtype=np.int64)
        return CachedTargets(self.teachers, self.owner[chosen], self.place[chosen], self.tags, self.needs)

    def _fill(
        self, filled: dict[str, np.ndarray], teacher: LanguageAnswers, rows: np.ndarray, place: np.ndarray
    ) -> None:
        """Fill in one teacher's answers.

        Args:
            filled: targets of the batch.
            teacher: whose answers they are.
            rows: (n,) sentences of the batch on which it speaks.
            place: (n,) their numbers among its sentences.
        """
        columns, lengths = teacher.columns, teacher.lengths[place]
        # Which sentence and word of the batch, and which word of the teacher's, each word is.
        sentence, word = cells(lengths)
        row, source = rows[sentence], ranges(teacher.starts[place], lengths)
        if teacher.paths is not None and teacher.log_probs is not None:
            filled["paths"][row, :, word] = columns[teacher.paths[source]]
            filled["log_probs"][rows] = teacher.log_probs[place]
            if not teacher.one_to_one:
                filled["log_probs"][rows] = _added_up(filled["paths"][rows], teacher.log_probs[place])
        if teacher.potentials is not None:
            self._fill_potentials(filled, teacher, rows, row, word, source, lengths)
        if teacher.marginals is not None:
            which, tag, value = teacher.marginals.take(source)
            teacher.put(filled["marginals"], (row[which], word[which], columns[tag]), value)
        if teacher.transition_counts is not None:
            which, pair, value = teacher.transition_counts.take(place)
            before, tag = np.divmod(pair.astype(np.int64), len(columns))
            teacher.put(filled["transition_counts"], (rows[which], columns[before], columns[tag]), value)
        if teacher.path_sets is not None:
            pairs = teacher.path_sets.take(source, len(columns))
            at = (row[:, None, None], word[:, None, None], columns[:, None], columns)
            teacher.put(filled["pairs"], at, pairs)
        if teacher.taught is not None:
            filled["taught"][rows] = teacher.taught[place]

    def _fill_potentials(
        self,
        filled: dict[str, np.ndarray],
        teacher: LanguageAnswers,
        rows: np.ndarray,
        row: np.ndarray,
        word: np.ndarray,
        source: np.ndarray,
        lengths: np.ndarray,
    ) -> None:
        assert teacher.potentials is not None
        potentials, columns = teacher.potentials, teacher.columns
        emissions = np.full((len(source), self.tags), -np.inf, dtype=np.float32)
        emissions[:, columns] = potentials.emissions[source]
        if self.needs.emissions:
            filled["emissions"][row, word] = emissions
        if self.needs.chain:
            filled["unary"][row, word] = emissions
            there = np.flatnonzero(lengths)
            for scores, at in ((potentials.start, np.zeros_like(lengths)), (potentials.end, lengths - 1)):
                filled["unary"][rows[there, None], at[there, None], columns] += scores
            filled["transitions"][rows] = -np.inf
            filled["transitions"][rows[:, None, None], columns[:, None], columns] = potentials.transitions

    def _empty(self, batch: int, words: int) -> dict[str, np.ndarray]:
        """Return the targets of sentences on which nobody has spoken yet."""
        needs, tags, filled = self.needs, self.tags, {}

        def zeros(*shape: int) -> np.ndarray:
            return np.zeros((batch, *shape), dtype=np.float32)

        if needs.emissions:  # 0 at padding: the softmax of -inf alone would be NaN
            filled["emissions"] = zeros(words, tags)
        if needs.chain:
            filled |= {"unary": zeros(words, tags), "transitions": zeros(tags, tags)}
        if needs.marginals is not None:
            filled["marginals"] = zeros(words, tags)
        if needs.transition_counts is not None:
            filled["transition_counts"] = zeros(tags, tags)
        if needs.k:
            filled["paths"] = np.zeros((batch, needs.k, words), dtype=np.int64)
            filled["log_probs"] = np.full((batch, needs.k), -np.inf, dtype=np.float32)
            filled["log_probs"][:, 0] = 0.0  # an empty sentence has one path, of probability 1
        if needs.path_set is not None:
            filled["pairs"] = np.zeros((batch, words, tags, tags), dtype=bool)
        if any(teacher.taught is not None for teacher in self.teachers):
            filled["taught"] = np.ones(batch, dtype=bool)
        return filled


def _added_up(paths: np.ndarray, log_probs: np.ndarray) -> np.ndarray:
    """Return log-probabilities of sequences of which some are the same by now: the first has them all, the others none.

    Args:
        paths: (sentences, k, words) tags.
        log_probs: (sentences, k) nats, best first.
    """
    same = (paths[:, :, None] == paths[:, None]).all(-1) & ~np.isneginf(log_probs)[:, None]
    first = same.argmax(-1) == np.arange(paths.shape[1])
    sums = np.logaddexp.reduce(np.where(same, log_probs[:, None], -np.inf), axis=-1)
    return np.where(first & ~np.isneginf(log_probs), sums, -np.inf)
