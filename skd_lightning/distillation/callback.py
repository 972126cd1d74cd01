"""The callback that lets every teacher speak once, before the student's first epoch."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
import pytorch_lightning as pl
from pytorch_lightning.utilities.rank_zero import rank_zero_warn
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from torch import Tensor

from skd_lightning.data.batches import SentenceDataset
from skd_lightning.distillation.cache import CacheEntry, EmissionPrecision, TransitionScores, content_key
from skd_lightning.distillation.objective import Objective
from skd_lightning.distillation.targets import CachedTargets, TeacherWords, map_tags
from skd_lightning.distillation.teachers import TeacherSet
from skd_lightning.tags import TagSet


class Speaker(Protocol):
    """The callback's view of a teacher (``taggers.Tagger``)."""

    @property
    def tag_set(self) -> TagSet:
        """Return its tags."""

    def scores(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return transitions, start and end scores in nats."""

    def fingerprint(self) -> str:
        """Return a hash of all that its predictions depend on."""

    def predict_emissions(
        self, sentences: Sequence[Sequence[str]], advance: Callable[[int], object], language: str
    ) -> np.ndarray:
        """Return (words of all sentences, tags) emissions in nats of sentences in one language."""


class Learner(Protocol):
    """The callback's view of a student (``taggers.Student``)."""

    @property
    def tag_set(self) -> TagSet:
        """Return its tags."""

    @property
    def objective(self) -> Objective | None:
        """Return the distillation objective; None for the baseline."""

    def load_teacher(self, path: Path, outside: bool) -> Speaker:
        """Return the teacher of a run folder, on the student's device."""


@dataclass
class Found:
    """One row of the report: the answers of a teacher on one part of the text.

    Attributes:
        part: the language, followed by "unlabelled" for its unlabelled text.
        entry: of the cache.
        hit: True if the cache had the answers.
        mass: mean probability that the teacher gives to its k best sequences together; None if nobody asked for them.
    """

    part: str
    entry: CacheEntry
    hit: bool
    mass: float | None


class DistillationCallback(pl.Callback):
    """Fills the cache of teacher predictions and hands it to the training dataset.

    The student's objective says what it needs of the teachers; a module without objective needs none. Under DDP the
    languages are shared out over the processes; one teacher at a time is on a device.

    Args:
        teachers: folder that holds one run folder a language, such as ``runs/demo/teachers``.
        cache: folder of the cache; entries are keyed by content, so all tasks and runs may share one.
        precision: in which emissions are stored (bytes per word and tag: 4 or 2).
        outside: allow teachers to read vector files or models outside of their own run folder, such as fastText files.
    """

    def __init__(
        self,
        teachers: str,
        cache: str = "runs/cache",
        precision: EmissionPrecision = "float16",
        outside: bool = False,
    ) -> None:
        self.teachers = TeacherSet(Path(teachers))
        self.cache = Path(cache)
        self.precision: EmissionPrecision = precision
        self.outside = outside
        self.seconds = 0.0
        """Time the cache took: predictions where they were missing, else opening it."""
        self.found: list[Found] = []
        """Rows of the report, one for each part of the text."""

    def check(self, module: pl.LightningModule, languages: Sequence[str]) -> None:
        """Refuse teachers that are missing, cannot be loaded or do not fit, before a training touches its folder.

        Args:
            module: that is to be trained; one without objective needs no teachers.
            languages: that it is trained on.

        Raises:
            UserError: a language has no teacher, or a teacher's tags are not the student's.
        """
        if getattr(module, "objective", None) is None:
            return
        student = cast("Learner", module)
        self.teachers.require(languages)
        for language in languages:
            for folder in self.teachers.of(language):
                map_tags(student.load_teacher(folder, self.outside).tag_set, student.tag_set, str(folder))

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Ask every teacher about its language's training sentences, unless the cache knows the answers.

        Raises:
            UserError: a language has no teacher, or a teacher's tags are not the student's.
        """
        objective: Objective | None = getattr(pl_module, "objective", None)  # only students have one
        if objective is None:
            return
        began = time.perf_counter()
        student = cast("Learner", pl_module)
        data = cast("Any", trainer).datamodule
        dataset: SentenceDataset = data.train_dataset
        languages: list[str] = data.train_languages
        self.teachers.require(languages)
        mine = languages[trainer.global_rank :: trainer.world_size]
        spoken: dict[str, TeacherWords] = {}
        members: dict[str, np.ndarray] = {}
        for turn in (mine, [language for language in languages if language not in mine]):
            for language in turn:
                parts = _parts(dataset, language)
                members |= parts
                spoken |= self._ask(language, dataset, parts, student, objective, trainer.is_global_zero)
            trainer.strategy.barrier()  # what other processes predicted is on disk from here on
        owner, place = np.zeros(len(dataset), np.int64), np.zeros(len(dataset), np.int64)
        for number, part in enumerate(spoken):
            owner[members[part]] = number
            place[members[part]] = np.arange(len(members[part]))
        dataset.targets = CachedTargets(list(spoken.values()), owner, place, len(student.tag_set))
        self.seconds = time.perf_counter() - began
        if trainer.is_global_zero:
            self._report(objective.needs.k)

    def _ask(
        self,
        language: str,
        dataset: SentenceDataset,
        parts: dict[str, np.ndarray],
        student: Learner,
        objective: Objective,
        show: bool,
    ) -> dict[str, TeacherWords]:
        """Return the answers of the language's teacher on each part of its text."""
        (folder,) = self.teachers.of(language)
        teacher = student.load_teacher(folder, self.outside)
        columns = map_tags(teacher.tag_set, student.tag_set, str(folder))
        answers: dict[str, TeacherWords] = {}
        for part, members in parts.items():
            sentences = [dataset.sentences[i].words for i in members]
            key = content_key(f"{teacher.fingerprint()} {language}", sentences, self.precision)
            entry = CacheEntry(self.cache / key, dataset.lengths[members], self.precision)
            answers[part] = self._read(part, entry, teacher, columns, sentences, language, objective, show)
        return answers

    def _read(
        self,
        part: str,
        entry: CacheEntry,
        teacher: Speaker,
        columns: np.ndarray,
        sentences: Sequence[Sequence[str]],
        language: str,
        objective: Objective,
        show: bool,
    ) -> TeacherWords:
        """Return what the objective needs from an entry of the cache, which is filled first where it is empty."""

        def predict() -> tuple[np.ndarray, TransitionScores]:
            with Progress(transient=True, disable=not show) as bar:
                task = bar.add_task(f"teacher {part}: {len(sentences)} sentences", total=len(sentences))
                emissions = teacher.predict_emissions(sentences, lambda n: bar.advance(task, n), language)
            return emissions, teacher

        arrays, hit = entry.emissions(predict)
        needs, mass = objective.needs, None
        words = TeacherWords(entry.lengths, columns)
        if needs.emissions:
            words.emissions = np.asarray(arrays["emissions"])  # a view of the mapped file
        if needs.marginals is not None:
            words.marginals = entry.marginals(needs.marginals)
        if needs.k:
            best = entry.paths(needs.k)
            words.paths, words.log_probs = np.asarray(best["paths"]), np.asarray(best["log_probs"])
            mass = float(np.exp(words.log_probs).sum(1).mean()) if len(entry.lengths) else None
        for folder in entry.rebuilt:
            rank_zero_warn(f"{folder} was damaged (truncated?) and has been made again")
        self.found.append(Found(part, entry, hit, mass))
        return words

    def _report(self, k: int) -> None:
        """Print a row for each part of the text, in at most 80 columns."""
        console = Console()
        console.print(
            f"teacher cache {self.cache} ({self.seconds:.1f} s)",
            style="italic",
            highlight=False,
            soft_wrap=True,
        )
        table = Table()
        headings = ["teacher", "sentences", "words", "MiB", "cache", *([f"mass of {k} best"] if k else [])]
        for heading in headings:
            table.add_column(heading, justify="left" if heading == "teacher" else "right")
        for row in sorted(self.found, key=lambda row: row.part):
            cells = [
                row.part,
                f"{len(row.entry.lengths):,}",
                f"{row.entry.words:,}",
                f"{row.entry.bytes() / 2**20:.1f}",
                "hit" if row.hit else "miss",
                "–" if row.mass is None else f"{row.mass:.1%}",
            ]
            table.add_row(*cells[: len(headings)])
        hits = sum(row.hit for row in self.found)
        table.caption = f"{hits} hits, {len(self.found) - hits} misses"
        console.print(table)


def _parts(dataset: SentenceDataset, language: str) -> dict[str, np.ndarray]:
    """Return {part: positions of its sentences in the dataset}.

    Annotated and unlabelled sentences have a cache entry each, so that more text, or none, leaves what is known about
    the others in place.
    """
    own = np.array([sentence.language == language for sentence in dataset.sentences])
    parts = {language: own & dataset.labelled, f"{language} unlabelled": own & ~dataset.labelled}
    return {part: np.flatnonzero(members) for part, members in parts.items() if members.any()}
