"""Cached predictions of several teachers, read for the sentences of a batch, in the student's tags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from skd_lightning.distillation.objectives import TeacherTargets
from skd_lightning.errors import UserError
from skd_lightning.ragged import cells
from skd_lightning.tags import TagSet


def map_tags(teacher: TagSet, student: TagSet, where: str) -> np.ndarray:
    """(teacher's tags,): place of each tag of the teacher among the student's, by name.

    Raises:
        UserError: the student lacks a tag, or the same names mean something else (IOB2 against BIOES).
    """
    if teacher.scheme != student.scheme:
        raise UserError(
            f"{where}: the teacher tags in scheme {teacher.scheme}, the student in {student.scheme}; "
            "train both with the same --data.scheme"
        )
    unknown = [name for name in teacher.names if name not in student.names]
    if unknown:
        raise UserError(
            f"{where}: the student does not know the teacher's tags {', '.join(unknown)}; "
            f"it knows {', '.join(student.names)}"
        )
    return np.array([student.index(name) for name in teacher.names], dtype=np.int64)


@dataclass
class TeacherWords:
    """What one teacher said, on all its sentences; what is not needed is None.

    Attributes:
        lengths: (sentences,) words of each of its sentences.
        columns: (teacher's tags,) as :func:`map_tags` gives it.
        emissions: (words, teacher's tags) nats; those of all sentences joined.
        marginals: (words, teacher's tags) posterior probabilities.
        paths: (words, k) its k best sequences.
        log_probs: (sentences, k) log p of these.
    """

    lengths: np.ndarray
    columns: np.ndarray
    emissions: np.ndarray | None = None
    marginals: np.ndarray | None = None
    paths: np.ndarray | None = None
    log_probs: np.ndarray | None = None

    def __post_init__(self) -> None:
        self.starts = np.cumsum(self.lengths) - self.lengths


class CachedTargets:
    """Reads what the teachers said, by a sentence's place in its dataset.

    Args:
        teachers: one for each language.
        owner: (sentences,) which teacher speaks on a sentence.
        place: (sentences,) which of that teacher's sentences it is.
        tags: size of the student's tag set.
    """

    def __init__(
        self, teachers: Sequence[TeacherWords], owner: np.ndarray, place: np.ndarray, tags: int
    ) -> None:
        self.teachers, self.owner, self.place, self.tags = teachers, owner, place, tags

    def read(self, indices: Sequence[int], words: int) -> TeacherTargets:
        """Targets of a batch of sentences, padded to ``words`` words; index -1 is an empty sentence."""
        filled = self._empty(len(indices), words)
        sentences = np.asarray(indices)
        spoken = np.where(sentences >= 0, self.owner[sentences], -1)
        for number in np.unique(spoken[spoken >= 0]):
            teacher = self.teachers[number]
            rows = np.flatnonzero(spoken == number)
            place = self.place[sentences[rows]]
            lengths = teacher.lengths[place]
            # Which sentence and word of the batch, and which word of the teacher's, each word is.
            sentence, word = cells(lengths)
            row, source = rows[sentence], teacher.starts[place][sentence] + word
            if teacher.paths is not None and teacher.log_probs is not None:
                filled["paths"][row, :, word] = teacher.columns[teacher.paths[source]]
                filled["log_probs"][rows] = teacher.log_probs[place]
            where = row[:, None], word[:, None], teacher.columns
            if teacher.emissions is not None:
                filled["emissions"][row, word] = -np.inf
                filled["emissions"][where] = teacher.emissions[source]
            if teacher.marginals is not None:
                filled["marginals"][where] = teacher.marginals[source]
        return TeacherTargets(**{name: torch.from_numpy(array) for name, array in filled.items()})

    def _empty(self, batch: int, words: int) -> dict[str, np.ndarray]:
        filled = {}
        for teacher in self.teachers[:1]:  # all teachers said the same kinds of things
            for name in ("emissions", "marginals"):
                if getattr(teacher, name) is not None:  # 0 at padding: the softmax of -inf alone would be NaN
                    filled[name] = np.zeros((batch, words, self.tags), dtype=np.float32)
            if teacher.paths is not None:
                k = teacher.paths.shape[1]
                filled["paths"] = np.zeros((batch, k, words), dtype=np.int64)
                filled["log_probs"] = np.full((batch, k), -np.inf, dtype=np.float32)
                filled["log_probs"][:, 0] = 0.0  # an empty sentence has one path, of probability 1
        return filled
