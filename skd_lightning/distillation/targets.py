"""Cached predictions of several teachers, read for the sentences of a batch, in the student's tags."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from skd_lightning.distillation.objectives import TeacherTargets
from skd_lightning.errors import UserError
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


class TeacherWords:
    """Cached arrays of one teacher.

    Args:
        lengths: (sentences,) words of each of its sentences.
        arrays: those of ``emissions`` (words, tags), ``marginals`` (words, tags), ``paths`` (words, k) and
            ``log_probs`` (sentences, k) that the objective needs.
        columns: (teacher's tags,) as :func:`map_tags` gives it.
    """

    def __init__(self, lengths: np.ndarray, arrays: dict[str, np.ndarray], columns: np.ndarray) -> None:
        self.starts = np.concatenate([[0], np.cumsum(lengths)])
        self.arrays = {name: np.asarray(array) for name, array in arrays.items()}  # views of the mapped files
        self.columns = columns


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
        self.fields = set(teachers[0].arrays) if teachers else set()

    def read(self, indices: Sequence[int], words: int) -> TeacherTargets:
        """Targets of a batch of sentences, padded to ``words`` words; index -1 is an empty sentence."""
        batch = len(indices)
        by_tag = {
            "emissions": np.full((batch, words, self.tags), -np.inf, dtype=np.float32),
            "marginals": np.zeros((batch, words, self.tags), dtype=np.float32),
        }
        filled = {name: array for name, array in by_tag.items() if name in self.fields}
        if "paths" in self.fields:
            k = self.teachers[0].arrays["paths"].shape[1]
            filled["paths"] = np.zeros((batch, k, words), dtype=np.int64)
            filled["log_probs"] = np.full((batch, k), -np.inf, dtype=np.float32)
        if "emissions" in filled:
            filled["emissions"][:, :, 0] = 0.0  # padding must not be all -inf: its softmax would be NaN
        for row, i in enumerate(indices):
            if i < 0:
                continue
            teacher, place = self.teachers[self.owner[i]], self.place[i]
            span = slice(teacher.starts[place], teacher.starts[place + 1])
            length = span.stop - span.start
            for name in by_tag.keys() & filled.keys():
                target = filled[name][row, :length]
                target[:, 0] = -np.inf if name == "emissions" else 0.0
                target[:, teacher.columns] = teacher.arrays[name][span]
            if "paths" in filled:
                filled["paths"][row, :, :length] = teacher.columns[teacher.arrays["paths"][span].T]
                filled["log_probs"][row] = teacher.arrays["log_probs"][place]
        return TeacherTargets(**{name: torch.from_numpy(array) for name, array in filled.items()})
