"""Teachers and students as distillation sees them: it imports no tagger."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from torch import Tensor

from skd_lightning.distillation.objective import Objective
from skd_lightning.tags import TagSet


class Speaker(Protocol):
    """The view of a teacher (``taggers.Tagger``)."""

    @property
    def tag_set(self) -> TagSet:
        """Return its tags."""

    @property
    def languages(self) -> list[str]:
        """Return the languages that it learned from."""

    def scores(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return transitions, start and end scores in nats."""

    def fingerprint(self) -> str:
        """Return a hash of all that its predictions depend on."""

    def predict_emissions(
        self, sentences: Sequence[Sequence[str]], advance: Callable[[int], object], language: str
    ) -> np.ndarray:
        """Return (words of all sentences, tags) emissions in nats of sentences in one language."""


class Learner(Protocol):
    """The view of a student (``taggers.Student``)."""

    @property
    def tag_set(self) -> TagSet:
        """Return its tags."""

    @property
    def objective(self) -> Objective | None:
        """Return the distillation objective; None for the baseline."""

    def load_teacher(self, path: Path, outside: bool) -> Speaker:
        """Return the teacher of a run folder, on the student's device."""
