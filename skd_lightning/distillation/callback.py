"""The callback that lets every teacher speak once, before the student's first epoch."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import numpy as np
import pytorch_lightning as pl
from pytorch_lightning.utilities.rank_zero import rank_zero_warn
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from skd_lightning.data.batches import SentenceDataset
from skd_lightning.distillation.cache.entry import EmissionPrecision
from skd_lightning.distillation.cache.reading import CachedTargets, TeacherWords
from skd_lightning.distillation.objective import Objective
from skd_lightning.distillation.teachers import TeacherSet
from skd_lightning.distillation.teachers.asking import Asking, Found, Text
from skd_lightning.distillation.teachers.pools import Kind, Weighting
from skd_lightning.distillation.teachers.roles import Learner
from skd_lightning.errors import UserError


class DistillationCallback(pl.Callback):
    """Fills the cache of teacher predictions and hands it to the training dataset.

    The student's objective says what it needs of the teachers; a module without objective needs none. Under DDP the
    languages are shared out over the processes; one teacher at a time is on a device.

    Args:
        teachers: folder that holds one run folder a language, such as ``runs/demo/teachers``; or run folders, or a
            file; see :meth:`TeacherSet.named`.
        cache: folder of the cache; entries are keyed by content, so all tasks and runs may share one.
        precision: in which emissions are stored (bytes per word and tag: 4 or 2).
        outside: allow teachers to read vector files or models outside of their own run folder, such as fastText files.
        pool: how several teachers of a language become one: ``mixture`` or ``product``.
        weights: of the teachers in a pool: ``uniform``; ``dev`` to learn them on annotated dev sentences; or
            ``similarity`` of the text to what each teacher learned from, for languages that nobody annotated.
        most_disagreement: nats a word; the student does not learn from unlabelled sentences on which the members of a
            pool disagree more: Σ_m w_m KL(product ‖ p_m). None for all sentences.

    Raises:
        UserError: no teachers are named, ``most_disagreement`` is negative or no number, or the file of teachers cannot
            be read.
    """

    def __init__(
        self,
        teachers: list[str] | str,
        cache: str = "runs/cache",
        precision: EmissionPrecision = "float16",
        outside: bool = False,
        pool: Kind = "mixture",
        weights: Weighting = "uniform",
        most_disagreement: float | None = None,
    ) -> None:
        if most_disagreement is not None and not most_disagreement >= 0:  # NaN is neither
            raise UserError(f"--distillation.most_disagreement is {most_disagreement}, it must be at least 0")
        if not teachers:
            raise UserError("--distillation.teachers is empty; name a folder with one run folder a language")
        self.teachers = TeacherSet.named(teachers, pool, weights)
        self.most_disagreement = most_disagreement
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
        self.teachers.require(languages)
        asking = self._asking(module)
        for language in languages:
            asking.check(language)

    def _asking(
        self,
        module: pl.LightningModule,
        show: bool = False,
        texts: Mapping[str, Sequence[Sequence[str]]] = MappingProxyType({}),
    ) -> Asking:
        student = cast("Learner", module)
        assert student.objective is not None
        return Asking(
            student,
            self.teachers,
            student.objective.needs,
            self.cache,
            self.precision,
            self.outside,
            self.most_disagreement,
            show,
            texts,
        )

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Ask every teacher about its language's training sentences, unless the cache knows the answers.

        Raises:
            UserError: a language has no teacher, or a teacher's tags are not the student's.
        """
        objective: Objective | None = getattr(pl_module, "objective", None)  # only students have one
        if objective is None:
            return
        began = time.perf_counter()
        data = cast("Any", trainer).datamodule
        dataset: SentenceDataset = data.train_dataset
        members = _members(dataset)
        texts = [_text(dataset, name, positions) for name, positions in members.items()]
        languages = sorted({text.language for text in texts})
        self.teachers.require(languages)
        annotated = {text.language: text.sentences for text in texts if text.labelled}
        asking = self._asking(pl_module, trainer.is_global_zero, annotated)
        mine = languages[trainer.global_rank :: trainer.world_size]
        spoken: dict[str, TeacherWords] = {}
        for turn in (mine, [language for language in languages if language not in mine]):
            for text in sorted(texts, key=lambda text: text.language):
                if text.language not in turn:
                    continue
                dev = data.sentences["dev"].get(text.language, [])
                spoken[text.name], found = asking.answers(text, dev)
                self.found.append(found)
            trainer.strategy.barrier()  # what other processes predicted is on disk from here on
        owner, place = np.zeros(len(dataset), np.int64), np.zeros(len(dataset), np.int64)
        for number, positions in enumerate(members.values()):
            owner[positions] = number
            place[positions] = np.arange(len(positions))
        answers = [spoken[text.name] for text in texts]
        tags = len(asking.student.tag_set)
        dataset.targets = CachedTargets(answers, owner, place, tags, objective.needs)
        self.seconds = time.perf_counter() - began
        for folder in dict.fromkeys(
            name for row in self.found for part in row.parts for name in part.rebuilt
        ):
            rank_zero_warn(f"{folder} was damaged and has been made again")
        if trainer.is_global_zero:
            self._report(objective.needs.k)

    def _report(self, k: int) -> None:
        """Print a row for each text, in at most 80 columns."""
        console = Console()
        console.print(
            f"teacher cache {self.cache} ({self.seconds:.1f} s)",
            style="italic",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
        table = Table()
        some = [f"mass of {k} best"] * (k > 0) + ["taught"] * any(row.taught < 1 for row in self.found)
        headings = ["teacher", "sentences", "words", "MiB", "cache", *some]
        for heading in headings:
            table.add_column(heading, justify="left" if heading == "teacher" else "right")
        for row in sorted(self.found, key=lambda row: row.text.name):
            cells = [
                escape(row.text.name) + (f" ×{len(row.members)}" if len(row.members) > 1 else ""),
                f"{len(row.text.sentences):,}",
                f"{row.text.lengths.sum():,}",
                f"{sum(part.bytes() for part in row.parts) / 2**20:.1f}",
                "hit" if row.hit else "miss",
            ]
            if k:
                cells.append("–" if row.mass is None else f"{row.mass:.1%}")
            if "taught" in some:
                cells.append(f"{row.taught:.1%}")
            table.add_row(*cells)
        hits = sum(row.hit for row in self.found)
        table.caption = f"{hits} hits, {len(self.found) - hits} misses"
        console.print(table)


def _members(dataset: SentenceDataset) -> dict[str, np.ndarray]:
    """Return {name of a text: positions of its sentences in the dataset}.

    Annotated and unlabelled sentences have a cache entry each, so that more text, or none, leaves what is known about
    the others in place.
    """
    found: dict[str, list[int]] = {}
    for i, (sentence, labelled) in enumerate(zip(dataset.sentences, dataset.labelled, strict=True)):
        found.setdefault(sentence.language if labelled else f"{sentence.language} unlabelled", []).append(i)
    return {name: np.array(positions) for name, positions in found.items()}


def _text(dataset: SentenceDataset, name: str, positions: np.ndarray) -> Text:
    sentences = [dataset.sentences[i] for i in positions]
    words = [sentence.words for sentence in sentences]
    return Text(name, sentences[0].language, words, bool(dataset.labelled[positions[0]]))
