"""Targets of a batch: what the teachers say about its sentences, in the student's tags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from skd_lightning.crf import LinearChainCRF
from skd_lightning.errors import UserError
from skd_lightning.ragged import cells
from skd_lightning.tags import TagSet

if TYPE_CHECKING:
    from skd_lightning.distillation.objective import Objective


@dataclass
class TeacherTargets:
    """The teachers' answers on the sentences of a batch, in the student's tags; a field that is not needed is None.

    Attributes:
        emissions: (batch, words, tags) nats; -inf for tags that the teacher does not know, 0 at padding.
        marginals: (batch, words, tags) posterior probabilities; 0 at padding.
        paths: (batch, k, words) the teacher's k best tag sequences.
        log_probs: (batch, k) log p_t of these sequences in nats, best first; -inf where there are fewer than k, but
            there is always one (that of an empty sentence has probability 1).
    """

    emissions: Tensor | None = None
    marginals: Tensor | None = None
    paths: Tensor | None = None
    log_probs: Tensor | None = None

    @classmethod
    def of(cls, teacher: LinearChainCRF, objective: Objective) -> TeacherTargets:
        """Return the targets that an objective needs, from any distribution over the student's tags.

        No gradient flows to the teacher.
        """
        needs, targets = objective.needs, cls()
        if needs.emissions:
            targets.emissions = teacher.emissions.detach()
        if needs.marginals is not None:
            softened = teacher if needs.marginals == 1.0 else teacher.tempered(needs.marginals)
            targets.marginals = softened.marginals.detach()
        if needs.k:
            best = teacher.kbest(needs.k)
            targets.paths = best.paths
            targets.log_probs = (best.scores - teacher.log_partition.unsqueeze(1)).detach()
        return targets


def given(target: Tensor | None, name: str) -> Tensor:
    """Return a field of the targets.

    Raises:
        ValueError: the field is None.
    """
    if target is None:
        raise ValueError(f"this objective needs the teacher's {name}; the batch carries none")
    return target


def map_tags(teacher: TagSet, student: TagSet, where: str) -> np.ndarray:
    """Return (teacher's tags,) the place of each tag of the teacher among the student's, by name.

    Args:
        teacher: its tags.
        student: its tags.
        where: the teacher's folder, for messages.

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
    """One teacher's answers on all its sentences; a field that is not needed is None.

    Attributes:
        lengths: (sentences,) words of each of its sentences.
        columns: (teacher's tags,) as :func:`map_tags` gives it.
        emissions: (words, teacher's tags) nats; those of all sentences joined.
        marginals: (words, teacher's tags) posterior probabilities.
        paths: (words, k) its k best sequences.
        log_probs: (sentences, k) log p of these in nats.
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
    """Targets of batches from the teachers' cached answers, found by a sentence's place in its dataset.

    Args:
        teachers: one for each part of the dataset.
        owner: (sentences,) the number of the teacher that speaks on a sentence.
        place: (sentences,) the number of the sentence among that teacher's sentences.
        tags: size of the student's tag set.
    """

    def __init__(
        self, teachers: Sequence[TeacherWords], owner: np.ndarray, place: np.ndarray, tags: int
    ) -> None:
        self.teachers, self.owner, self.place, self.tags = teachers, owner, place, tags

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
        for teacher in self.teachers[:1]:  # all teachers answered the same questions
            for name in ("emissions", "marginals"):
                if getattr(teacher, name) is not None:  # 0 at padding: the softmax of -inf alone would be NaN
                    filled[name] = np.zeros((batch, words, self.tags), dtype=np.float32)
            if teacher.paths is not None:
                k = teacher.paths.shape[1]
                filled["paths"] = np.zeros((batch, k, words), dtype=np.int64)
                filled["log_probs"] = np.full((batch, k), -np.inf, dtype=np.float32)
                filled["log_probs"][:, 0] = 0.0  # an empty sentence has one path, of probability 1
        return filled
