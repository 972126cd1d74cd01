"""The callback that lets every teacher speak once, before the student's first epoch."""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.strategies import Strategy
from pytorch_lightning.utilities.rank_zero import rank_zero_warn
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from skd_lightning.data.batches import SentenceDataset
from skd_lightning.data.folds import Fold, fold_of
from skd_lightning.display.formats import counted
from skd_lightning.distillation.cache.entry import EmissionPrecision
from skd_lightning.distillation.cache.reading import CachedTargets, LanguageAnswers
from skd_lightning.distillation.objective import Objective
from skd_lightning.distillation.teachers import TeacherSet
from skd_lightning.distillation.teachers.asking import Asking, Found, Text
from skd_lightning.distillation.teachers.pools import PoolKind, Weighting
from skd_lightning.distillation.teachers.roles import Learner
from skd_lightning.errors import UserError


class DistillationCallback(pl.Callback):
    """Fills the cache of teacher predictions and hands it to the training dataset.

    The student's objective says what it needs of the teachers; a module without objective needs none. Under DDP the
    languages are shared out over the processes; one teacher at a time is on a device.

    Args:
        teachers: folder that holds one run folder a language, such as ``runs/demo/teachers``; or run folders, token
            classifiers (``hf:owner/name``), files of predictions, or a file of teachers; see
            :meth:`TeacherSet.named`.
        cache: folder of the cache; entries are keyed by content, so all tasks and runs may share one.
        precision: in which emissions are stored (bytes per word and tag: 4 or 2).
        outside: allow teachers to read vector files or models outside of their own run folder, such as fastText files.
        pool: how several teachers of a language become one: ``mixture`` or ``product``.
        weights: of the teachers in a pool: ``uniform``; ``dev`` to learn them on annotated dev sentences; or
            ``similarity`` of the text to what each teacher learned from, for languages that nobody annotated.
        most_disagreement: nats a word; the student does not learn from unlabelled sentences on which the members of a
            pool disagree more: Σ_m w_m KL(product ‖ p_m). None for all sentences.
        most_entropy: nats a word; the student does not learn from unlabelled sentences on which a teacher, or a pool,
            is less sure: H(p), of a mixture Σ_m w_m H(p_m). None for all sentences.
        folds: ask each annotated sentence of a teacher that was trained without it, in ``<teachers>-fold1of5`` …;
            unlabelled text is asked of the usual teachers.

    Raises:
        UserError: no teachers are named, ``most_disagreement`` or ``most_entropy`` is negative or no number, the
            file of teachers cannot be read, or ``folds`` does not go with the teachers.
    """

    def __init__(
        self,
        teachers: list[str] | str,
        cache: str = "runs/cache",
        precision: EmissionPrecision = "float16",
        outside: bool = False,
        pool: PoolKind = "mixture",
        weights: Weighting = "uniform",
        most_disagreement: float | None = None,
        most_entropy: float | None = None,
        folds: int | None = None,
    ) -> None:
        for name, most in (("most_disagreement", most_disagreement), ("most_entropy", most_entropy)):
            if most is not None and not most >= 0:  # NaN is neither
                raise UserError(f"--distillation.{name} is {most}, it must be at least 0")
        if not teachers:
            raise UserError("--distillation.teachers is empty; name a folder with one run folder a language")
        self.teachers = TeacherSet.named(teachers, pool, weights, folds)
        self.most_disagreement, self.most_entropy = most_disagreement, most_entropy
        self.cache = Path(cache)
        self.precision: EmissionPrecision = precision
        self.outside = outside
        self.seconds = 0.0
        """Time the cache took in all parts of the training: predictions where they were missing, else opening it."""
        self.found: list[Found] = []
        """Rows of the report, one for each part of the text."""

    def state_dict(self) -> dict[str, Any]:
        """Return the time taken so far, for a training that goes on."""
        return {"seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the time of the parts before."""
        self.seconds = state_dict["seconds"]

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
            self.most_entropy,
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
        self.found = []
        data = cast("Any", trainer).datamodule
        dataset: SentenceDataset = data.train_dataset
        members = _members(dataset, self.teachers)
        texts = [_text(dataset, *member) for member in members.items()]
        languages = sorted({text.language for text in texts})
        self.teachers.require(languages)
        annotated = {
            language: [
                words
                for text in texts
                if text.labelled and text.language == language
                for words in text.sentences
            ]
            for language in languages
        }
        asking = self._asking(pl_module, trainer.is_global_zero, annotated)
        mine = languages[trainer.global_rank :: trainer.world_size]
        spoken: dict[tuple[str, Fold | None], LanguageAnswers] = {}
        for turn in (mine, [language for language in languages if language not in mine]):
            spoken |= self._hear(asking, [text for text in texts if text.language in turn], data)
            self._refuse_silence(turn)
            trainer.strategy.barrier()  # what other processes predicted is on disk from here on
        self._share_misses(trainer.strategy)
        owner, place = np.zeros(len(dataset), np.int64), np.zeros(len(dataset), np.int64)
        for number, positions in enumerate(members.values()):
            owner[positions] = number
            place[positions] = np.arange(len(positions))
        answers = [spoken[text.name, text.fold] for text in texts]
        tags = len(asking.student.tag_set)
        dataset.targets = CachedTargets(answers, owner, place, tags, objective.needs)
        asking.dismiss()
        seconds = time.perf_counter() - began
        self.seconds += seconds
        if trainer.is_global_zero:
            self._report(objective.needs.k, seconds)

    def _hear(
        self, asking: Asking, texts: Sequence[Text], data: Any
    ) -> dict[tuple[str, Fold | None], LanguageAnswers]:
        """Return the answers on some texts, language by language, and note them for the report."""
        spoken = {}
        for text in sorted(texts, key=lambda text: text.language):
            dev = data.sentences["dev"].get(text.language, [])
            spoken[text.name, text.fold], found = asking.answers(text, dev)
            self.found.append(found)
        return spoken

    def _share_misses(self, strategy: Strategy) -> None:
        """Let all processes know where a teacher had to speak: the others have found its answers in the cache."""
        rows = [row for rows in _by_name(self.found) for row in rows]
        misses = torch.tensor([float(not row.hit) for row in rows], device=strategy.root_device)
        for row, missed in zip(rows, strategy.reduce(misses, reduce_op="sum").tolist(), strict=True):
            row.hit = not missed

    def _refuse_silence(self, languages: Sequence[str]) -> None:
        """Refuse teachers that know no sentence of a language; those whom the filter leaves out have spoken.

        Raises:
            UserError: naming the teachers.
        """
        for language in languages:
            rows = [row for row in self.found if row.text.language == language and row.text.sentences]
            if rows and not any(row.heard for row in rows):
                named = ", ".join(map(str, self.teachers.of(language)))
                raise UserError(
                    f"{named}: none of the training sentences of '{language}' is there; a sentence is found by its "
                    "words, which must be those of the corpus, one by one"
                )

    def _report(self, k: int, seconds: float) -> None:
        """Print a row for each text, in at most 80 columns; warn of parts that were damaged."""
        rebuilt = (name for row in self.found for part in row.parts for name in part.rebuilt)
        for folder in dict.fromkeys(rebuilt):
            rank_zero_warn(f"{folder} was damaged and has been made again")
        console = Console()
        console.print(
            f"teacher cache {self.cache} ({seconds:.1f} s)",
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
        for rows in _by_name(self.found):
            members = max(len(row.members) for row in rows)
            divided = f" ({len(rows)} folds)" if len(rows) > 1 else ""
            sizes = np.array([len(row.text.sentences) for row in rows])
            cells = [
                escape(rows[0].text.name) + divided + (f" ×{members}" if members > 1 else ""),
                f"{sizes.sum():,}",
                f"{sum(row.text.lengths.sum() for row in rows):,}",
                f"{sum(part.bytes() for row in rows for part in row.parts) / 2**20:.1f}",
                "hit" if all(row.hit for row in rows) else "miss",
            ]
            if k:
                told = [row for row in rows if row.mass is not None]
                taught = [row.taught * len(row.text.sentences) for row in told]
                cells.append(f"{np.average([row.mass for row in told], weights=taught):.1%}" if told else "–")
            if "taught" in some:
                cells.append(f"{np.average([row.taught for row in rows], weights=sizes):.1%}")
            table.add_row(*cells)
        hits = sum(row.hit for row in self.found)
        table.caption = f"{counted(hits, 'hit', 'hits')}, {counted(len(self.found) - hits, 'miss', 'misses')}"
        console.print(table)


def _by_name(found: Sequence[Found]) -> list[list[Found]]:
    """Return the rows of the report in the order of their names; those of the folds of one text together."""
    ordered = sorted(found, key=lambda row: (row.text.name, str(row.text.fold)))
    return [list(rows) for _, rows in groupby(ordered, key=lambda row: row.text.name)]


def _members(dataset: SentenceDataset, teachers: TeacherSet) -> dict[tuple[str, Fold | None], np.ndarray]:
    """Return {(name of a text, its fold): positions of its sentences in the dataset}.

    Annotated and unlabelled sentences have a cache entry each, so that more text, or none, leaves what is known about
    the others in place.
    """
    found: dict[tuple[str, Fold | None], list[int]] = {}
    divided = functools.cache(teachers.divided)
    for i, (sentence, labelled) in enumerate(zip(dataset.sentences, dataset.labelled, strict=True)):
        name = sentence.language if labelled else f"{sentence.language} unlabelled"
        folds = divided(sentence.language, bool(labelled))
        fold = Fold(fold_of(sentence.words, folds), folds) if folds else None
        found.setdefault((name, fold), []).append(i)
    return {text: np.array(positions) for text, positions in found.items()}


def _text(dataset: SentenceDataset, name: tuple[str, Fold | None], positions: np.ndarray) -> Text:
    sentences = [dataset.sentences[i] for i in positions]
    words = [sentence.words for sentence in sentences]
    return Text(name[0], sentences[0].language, words, bool(dataset.labelled[positions[0]]), name[1])
