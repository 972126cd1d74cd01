"""The callback that lets every teacher speak once, before the student's first epoch."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pytorch_lightning as pl
from pytorch_lightning.utilities.rank_zero import rank_zero_warn
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from skd_lightning.data.batches import SentenceDataset
from skd_lightning.distillation.cache import CacheEntry, Potentials, Precision, content_key
from skd_lightning.distillation.objectives import NEEDS, Loss, Tempering
from skd_lightning.distillation.targets import CachedTargets, TeacherWords, map_tags
from skd_lightning.errors import UserError
from skd_lightning.tags import TagSet


class Teacher(Protocol):
    """What the callback needs of a trained tagger (see ``taggers.Tagger``)."""

    tag_set: TagSet
    head: Potentials

    def fingerprint(self) -> str: ...
    def predict_emissions(
        self, sentences: Sequence[Sequence[str]], advance: Callable[[int], object]
    ) -> np.ndarray: ...


@dataclass
class Found:
    """One row of the report: what a teacher said on one kind of text."""

    part: str
    """The language, and whether it is its unlabelled text."""
    entry: CacheEntry
    hit: bool
    mass: float | None
    """Mean probability that the teacher gives to its k best sequences together."""


class DistillationCallback(pl.Callback):
    """Fills the cache of teacher predictions and hands it to the training dataset.

    The student says what it needs: ``loss``, ``k``, ``temperature``, ``tempering`` and ``load_teacher``. Under
    DDP the languages are shared out over the processes; one teacher at a time is on a device.

    Args:
        teachers: folder that holds one run folder a language, such as ``runs/demo/teachers``.
        cache: folder of the cache; entries are keyed by content, so all tasks and runs may share one.
        precision: in which emissions are stored (bytes per word and tag: 4 or 2).
    """

    def __init__(self, teachers: str, cache: str = "runs/cache", precision: Precision = "float16") -> None:
        self.teachers = Path(teachers)
        self.cache = Path(cache)
        self.precision: Precision = precision
        self.seconds = 0.0
        """Time the cache took: predictions where they were missing, else opening it."""
        self.found: list[Found] = []

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Ask every teacher about its language's training sentences, unless the cache knows the answers."""
        loss: Loss = getattr(pl_module, "loss", "none")  # only students have one
        if not NEEDS[loss]:
            return
        began = time.perf_counter()
        dataset: SentenceDataset = trainer.datamodule.train_dataset  # type: ignore[attr-defined]
        languages: list[str] = trainer.datamodule.train_languages  # type: ignore[attr-defined]
        for language in languages:
            if not (self.teachers / language).is_dir():
                raise UserError(
                    f"no teacher for language '{language}' in {self.teachers}; "
                    f'train it with: make teachers LANGS="{language}" (with the same TASK and DATA)'
                )
        mine = languages[trainer.global_rank :: trainer.world_size]
        spoken: dict[str, TeacherWords] = {}
        members: dict[str, np.ndarray] = {}
        for turn in (mine, [language for language in languages if language not in mine]):
            for language in turn:
                parts = _parts(dataset, language)
                members |= parts
                spoken |= self._ask(language, dataset, parts, pl_module)
            trainer.strategy.barrier()  # what other processes predicted is on disk from here on
        owner, place = np.zeros(len(dataset), np.int64), np.zeros(len(dataset), np.int64)
        for number, part in enumerate(spoken):
            owner[members[part]] = number
            place[members[part]] = np.arange(len(members[part]))
        tags = len(pl_module.tag_set)  # type: ignore[arg-type]
        dataset.targets = CachedTargets(list(spoken.values()), owner, place, tags)
        self.seconds = time.perf_counter() - began
        if trainer.is_global_zero:
            self._report(pl_module)

    def _ask(
        self,
        language: str,
        dataset: SentenceDataset,
        parts: dict[str, np.ndarray],
        student: pl.LightningModule,
    ) -> dict[str, TeacherWords]:
        """What the language's teacher says on each part of its text."""
        teacher: Teacher = student.load_teacher(self.teachers / language)  # type: ignore[operator, assignment]
        columns = map_tags(teacher.tag_set, student.tag_set, str(self.teachers / language))  # type: ignore[arg-type]
        return {
            part: self._read(part, teacher, columns, dataset, members, student)
            for part, members in parts.items()
        }

    def _read(
        self,
        part: str,
        teacher: Teacher,
        columns: np.ndarray,
        dataset: SentenceDataset,
        members: np.ndarray,
        student: pl.LightningModule,
    ) -> TeacherWords:
        sentences = [dataset.sentences[i].words for i in members]
        lengths = dataset.lengths[members]
        key = content_key(teacher.fingerprint(), sentences, self.precision)
        entry = CacheEntry(self.cache / key, lengths, self.precision)

        def predict() -> tuple[np.ndarray, Potentials]:
            with Progress(transient=True, disable=not student.trainer.is_global_zero) as bar:
                task = bar.add_task(f"teacher {part}: {len(sentences)} sentences", total=len(sentences))
                emissions = teacher.predict_emissions(sentences, lambda n: bar.advance(task, n))
            return emissions, teacher.head

        arrays, hit = entry.emissions(predict)
        needs, mass = NEEDS[student.loss], None  # type: ignore[index]
        words = TeacherWords(lengths, columns)
        if "emissions" in needs:
            words.emissions = np.asarray(arrays["emissions"])  # a view of the mapped file
        if "marginals" in needs:
            tempering: Tempering = student.tempering  # type: ignore[assignment]
            words.marginals = entry.marginals(student.temperature if tempering == "potentials" else 1.0)  # type: ignore[arg-type]
        if "paths" in needs:
            best = entry.paths(student.k)  # type: ignore[arg-type]
            words.paths, words.log_probs = np.asarray(best["paths"]), np.asarray(best["log_probs"])
            mass = float(np.exp(words.log_probs).sum(1).mean()) if len(lengths) else None
        for part in entry.rebuilt:
            rank_zero_warn(f"{part} was damaged (truncated?) and has been made again")
        self.found.append(Found(part, entry, hit, mass))
        return words

    def _report(self, student: pl.LightningModule) -> None:
        table = Table(title=f"teacher cache {self.cache}  ({self.seconds:.1f} s)", title_justify="left")
        for heading in ("teacher", "sentences", "words", "MiB", "cache", f"mass of the {student.k} best"):
            table.add_column(heading, justify="left" if heading == "teacher" else "right")
        for row in sorted(self.found, key=lambda row: row.part):
            table.add_row(
                row.part,
                f"{len(row.entry.lengths):,}",
                f"{row.entry.words:,}",
                f"{row.entry.bytes() / 2**20:.1f}",
                "hit" if row.hit else "miss",
                "–" if row.mass is None else f"{row.mass:.1%}",
            )
        hits = sum(row.hit for row in self.found)
        table.caption = f"{hits} hits, {len(self.found) - hits} misses"
        Console().print(table)


def _parts(dataset: SentenceDataset, language: str) -> dict[str, np.ndarray]:
    """Positions of a language's sentences: annotated and unlabelled ones have a cache entry each, so that more
    text, or none, leaves what is known about the others in place."""
    own = np.array([sentence.language == language for sentence in dataset.sentences])
    parts = {language: own & dataset.labelled, f"{language} unlabelled": own & ~dataset.labelled}
    return {part: np.flatnonzero(members) for part, members in parts.items() if members.any()}
