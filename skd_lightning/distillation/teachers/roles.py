"""Teachers and students as distillation sees them: it imports no tagger."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import torch

from skd_lightning.distillation.cache.entry import Spoken
from skd_lightning.distillation.objective import Objective
from skd_lightning.tags import TagSet


class Speaker(Protocol):
    """The view of a teacher: a tagger trained here (``taggers.Tagger``), or one of another kind in this folder."""

    @property
    def tag_set(self) -> TagSet:
        """Return its tags."""

    @property
    def languages(self) -> list[str]:
        """Return the languages that it learned from; empty where nobody knows."""

    @property
    def speaks(self) -> type[Spoken]:
        """Return the kind of its answers."""

    @property
    def complete(self) -> bool:
        """Return True if it speaks on every sentence."""

    def fingerprint(self) -> str:
        """Return a hash of all that its answers depend on."""

    def speak(
        self, sentences: Sequence[Sequence[str]], advance: Callable[[int], object], language: str
    ) -> Spoken:
        """Return its answers on sentences in one language.

        Args:
            sentences: lists of words.
            advance: told the number of sentences done, for a progress bar.
            language: of the sentences.
        """


class Learner(Protocol):
    """The view of a student (``taggers.Student``)."""

    @property
    def tag_set(self) -> TagSet:
        """Return its tags."""

    @property
    def objective(self) -> Objective | None:
        """Return the distillation objective; None for the baseline."""

    @property
    def device(self) -> torch.device:
        """Return where its weights are."""

    def load_teacher(self, path: Path, outside: bool) -> Speaker:
        """Return the teacher of a run folder, on the student's device."""
