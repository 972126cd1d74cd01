"""The finished runs of a task, read from its folder, with a note on everything that could not be read."""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from skd_lightning.analysis.entity_types import Types, read_types
from skd_lightning.analysis.scores import Scores, parts, ratio
from skd_lightning.distillation.names import BASELINE, rank
from skd_lightning.errors import UserError
from skd_lightning.metrics import COLUMNS
from skd_lightning.run_folder import RunFolder
from skd_lightning.runs.record import Record, Results, TransferResults

TEACHERS = "teachers"

GENERATED = "demo"
"""The task whose corpora are generated: its scores and times say nothing about real ones."""

R = TypeVar("R", bound=Record)


@dataclass
class FinishedRun:
    """One trained and tested tagger.

    Attributes:
        variant: ``"teachers"``, or the name of a student's variant: its loss unless it was given another.
        results: content of ``results.json``.
        folder: of the run.
        test: scores on the languages it was trained on.
        types: {language: entities of each type} in the same test; empty where tags mark no entities.
        zeroshot: scores on other languages, where they were measured.
    """

    variant: str
    results: Results
    folder: RunFolder
    test: Scores
    types: dict[str, Types] = field(default_factory=dict)
    zeroshot: Scores | None = None

    @property
    def name(self) -> str:
        """Return ``variant/seed1`` or ``teachers/en``, as the folder is called."""
        return "/".join(self.folder.path.parts[-2:])

    def confusion(self) -> NDArray[np.int64] | None:
        """Return (tags, tags) test words ``[gold, predicted]``, or None where they were not kept.

        Raises:
            OSError, ValueError: the file is not such a matrix.
        """
        if not self.folder.confusion.is_file():
            return None
        counts, tags = np.load(self.folder.confusion, allow_pickle=False), len(self.results.tags)
        if counts.shape != (tags, tags) or counts.dtype.kind not in "iu" or (counts < 0).any():
            raise ValueError(f"{counts.dtype} of shape {counts.shape}, not words of {tags} tags")
        return np.asarray(counts, dtype=np.int64)


@dataclass
class TaskRuns:
    """All finished runs of a task.

    Attributes:
        name: of the task.
        metric: ``"f1"`` or ``"accuracy"``.
        students: the runs of each variant by seed, variants in the order of the tables.
        teachers: by language.
        notes: what was left out, and why; a line each, without paths outside of the run folder.
    """

    name: str
    metric: str
    students: dict[str, list[FinishedRun]]
    teachers: dict[str, FinishedRun]
    notes: list[str]

    @property
    def losses(self) -> dict[str, str]:
        """Return the objective of each variant."""
        return {name: runs[0].results.loss for name, runs in self.students.items()}

    @property
    def baseline(self) -> str:
        """Return the variant without teachers: ``none``, or the only one of that loss if it has another name."""
        without = [name for name, loss in self.losses.items() if loss == BASELINE]
        return without[0] if len(without) == 1 and BASELINE not in self.students else BASELINE

    @property
    def languages(self) -> list[str]:
        """Return all languages that a student or a teacher was tested on, zero-shot transfer apart."""
        return sorted({language for run in self.runs() for language in run.test.languages})

    @property
    def generated(self) -> bool:
        """Return True for the demo task, whose corpora are generated."""
        return self.name == GENERATED

    def runs(self) -> Iterator[FinishedRun]:
        """Yield the teachers, then the students."""
        yield from self.teachers.values()
        for group in self.students.values():
            yield from group

    def teachers_together(self) -> Scores:
        """Return the teachers as one system: on each language its own teacher."""
        found = Scores({}, {})
        for language, run in self.teachers.items():
            found.add(language, run.test)
        return found


def read(runs: Path, task: str) -> TaskRuns:
    """Read all finished runs of a task; what cannot be read is left out and named in ``notes``.

    Args:
        runs: folder of all runs.
        task: its name.

    Raises:
        UserError: there is no finished run.
    """
    notes: list[str] = []
    root = runs / task
    found = [run for file in sorted(root.glob("*/*/results.json")) if (run := _run(file, root, notes))]
    # Of two runs with one name, the one in its place comes first.
    found.sort(key=lambda run: run.folder.path.parent.name != run.variant)
    if not found:
        why = f" ({notes[0]})" if notes else ""
        raise UserError(f"no finished runs in {root}{why}; start with: skd teachers --task {task}")
    metric = Counter(run.results.metric for run in found).most_common(1)[0][0]
    teachers: dict[str, FinishedRun] = {}
    students: dict[str, dict[int, FinishedRun]] = {}
    for run in found:
        place = run.folder.path.relative_to(root).as_posix()
        if run.results.metric != metric:
            notes.append(f"{place}: scored by {run.results.metric}, the others by {metric}; left out")
        elif run.variant == TEACHERS:
            teachers[run.folder.path.name] = run
        elif run.results.seed in students.setdefault(run.variant, {}):
            notes.append(f"{place}: a second run of {run.variant} with seed {run.results.seed}; left out")
        else:
            students[run.variant][run.results.seed] = run
    losses = {name: next(iter(group.values())).results.loss for name, group in students.items()}
    ordered = {name: [students[name][s] for s in sorted(students[name])] for name in _order(losses)}
    return TaskRuns(task, metric, ordered, teachers, notes)


def _order(losses: Mapping[str, str]) -> list[str]:
    """Variants by their losses, in the paper's order; of one loss the plain name first, then by name."""

    def place(name: str) -> tuple[tuple[int, str], bool, list[Any]]:
        return rank(losses[name]), name != losses[name], natural(name)

    return sorted(losses, key=place)


def natural(name: str) -> list[tuple[int, str]]:
    """Return a sort key in which ``k10`` comes after ``k9``.

    >>> sorted(["k10", "k9"], key=natural)
    ['k9', 'k10']
    """
    pieces: list[tuple[int, str]] = []
    digits = ""
    for sign in [*name, ""]:
        if sign.isdecimal() and sign.isascii():
            digits += sign
            continue
        if digits:
            pieces.append((int(digits), ""))
            digits = ""
        pieces.append((-1, sign))
    return pieces


def _run(file: Path, root: Path, notes: list[str]) -> FinishedRun | None:
    folder = RunFolder(file.parent)
    results = _read(Results, folder, root, notes)
    if results is None:
        return None
    teacher = results.role == "teacher"
    variant = TEACHERS if teacher else results.variant or results.loss
    test = _scores(folder, results, root, notes)
    if teacher and folder.path.name not in test.languages:
        notes.append(f"{_place(file, root)}: has no score of {folder.path.name}; left out")
        return None
    try:
        types = {language: read_types(row) for language, row in results.types.items()}
    except ValueError as error:
        notes.append(f"{_place(file, root)}: not readable ({reason(error)}); left out")
        return None
    run = FinishedRun(variant, results, folder, test, types)
    transfer = _read(TransferResults, folder.zeroshot, root, notes)
    if transfer is not None:
        run.zeroshot = _scores(folder.zeroshot, transfer, root, notes)
    return run


def _read(kind: type[R], folder: RunFolder, root: Path, notes: list[str]) -> R | None:
    try:
        if folder.results.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        return kind.read(folder)
    except (OSError, ValueError) as error:
        notes.append(f"{_place(folder.results, root)}: not readable ({reason(error)}); left out")
        return None


def _place(file: Path, root: Path) -> str:
    return file.relative_to(root).as_posix()


def _scores(folder: RunFolder, results: Record, root: Path, notes: list[str]) -> Scores:
    scores = Scores(
        {language: results.score(language) for language in sorted(results.languages)},
        {language: results.languages[language].sentences for language in sorted(results.languages)},
    )
    for language in scores.languages:
        file = folder.counts / f"{language}.npy"
        if not file.is_file():
            continue
        try:
            counts = np.load(file, allow_pickle=False)
            _check(counts, results.metric, scores.languages[language], scores.sentences[language])
        except (OSError, ValueError, EOFError) as error:
            notes.append(f"{_place(file, root)}: {reason(error)}; not used")
        else:
            scores.counts[language] = counts.astype(np.int64)
    return scores


def _check(counts: NDArray[Any], metric: str, score: float, sentences: int) -> None:
    """Refuse counts that the results were not made from."""
    if counts.ndim != 2 or counts.shape[1] != len(COLUMNS) or counts.dtype.kind not in "iu":
        raise ValueError(f"{counts.dtype} of shape {counts.shape}, not int (sentences, {len(COLUMNS)})")
    of_counts = float(ratio(parts(counts, metric).sum(0)))
    if int(counts[:, 0].sum()) != sentences or abs(of_counts - score) > 1e-6:
        raise ValueError(f"not of results.json: {metric} {of_counts:.4f} there {score:.4f}")


def reason(error: Exception) -> str:
    """Put the message of an exception on one line, without the path that the operating system's errors hold."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    kind = "" if isinstance(error, ValueError) else f"{type(error).__name__} "
    return kind + " ".join(str(error).split())[:100]
