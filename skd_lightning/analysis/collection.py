"""What lies in the run folder of a task: every finished run, and what of it could not be read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from skd_lightning.distillation.objectives import Loss
from skd_lightning.errors import UserError
from skd_lightning.metrics import COLUMNS
from skd_lightning.runs.record import SCHEMA, ZEROSHOT

TEACHERS, BASELINE = "teachers", "none"

PARTS = {"f1": ("found", "predicted", "gold"), "accuracy": ("correct", "words", "words")}
"""A score is 2 · first / (second + third), sums over sentences: F1, and with the words twice accuracy."""

Counts = NDArray[np.int64]


@dataclass
class Scores:
    """Scores on test data.

    Attributes:
        languages: the score of each language, in [0, 1].
        sentences: sentences of each language.
        counts: for each language whose counts are known (sentences, 9) in corpus order, columns as in
            ``metrics.COLUMNS``.
    """

    languages: dict[str, float]
    sentences: dict[str, int]
    counts: dict[str, Counts] = field(default_factory=dict)

    def mean(self, languages: Iterable[str] | None = None) -> float:
        """Macro mean over these languages (default: all it has), not a number where there are none."""
        chosen = [self.languages[language] for language in (languages or self.languages)]
        return float(np.mean(chosen)) if chosen else float("nan")


@dataclass
class Run:
    """One trained tagger.

    Attributes:
        variant: ``"teachers"``, or the name of a student's variant: its loss unless it was given another.
        seed: of the training.
        results: what ``results.json`` says.
        folder: where it lies.
        test: scores on the languages it was trained on.
        zeroshot: scores on others, where they were measured.
    """

    variant: str
    seed: int
    results: dict[str, Any]
    folder: Path
    test: Scores
    zeroshot: Scores | None = None

    @property
    def loss(self) -> str:
        """The objective."""
        return str(self.results.get("loss", "none"))

    def number(self, *keys: str) -> float:
        """A number of the results, such as ``("seconds", "fit")``; not a number where it is not there."""
        value: Any = self.results
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        known = isinstance(value, int | float) and not isinstance(value, bool)
        return float(value) if known else float("nan")


@dataclass
class Task:
    """All runs of a task.

    Attributes:
        name: of the task.
        metric: ``"f1"`` or ``"accuracy"``.
        students: the runs of each variant by seed, variants in the order of the tables.
        teachers: by language.
        notes: what was left out, and why; a line each, without paths outside of the run folder.
    """

    name: str
    metric: str
    students: dict[str, list[Run]]
    teachers: dict[str, Run]
    notes: list[str]

    @property
    def losses(self) -> dict[str, str]:
        """The objective of each variant."""
        return {name: runs[0].loss for name, runs in self.students.items()}

    @property
    def baseline(self) -> str:
        """The variant without teachers: ``none``, or the only one of that loss if it has another name."""
        plain = [name for name, loss in self.losses.items() if loss == BASELINE]
        return plain[0] if len(plain) == 1 and BASELINE not in self.students else BASELINE

    @property
    def languages(self) -> list[str]:
        """All that a student or a teacher was tested on, but for zero-shot transfer."""
        found = {language for run in self.runs() for language in run.test.languages}
        return sorted(found)

    def runs(self) -> Iterator[Run]:
        """Teachers, then students."""
        yield from self.teachers.values()
        for group in self.students.values():
            yield from group

    def teachers_together(self) -> Scores:
        """The teachers as one system: on each language its own teacher."""
        together = Scores({}, {})
        for language, run in self.teachers.items():
            together.languages[language] = run.test.languages[language]
            together.sentences[language] = run.test.sentences[language]
            if language in run.test.counts:
                together.counts[language] = run.test.counts[language]
        return together


def read(runs: Path, task: str) -> Task:
    """All finished runs of a task; what cannot be read is left out and named in ``notes``."""
    notes: list[str] = []
    root = runs / task
    found = [run for file in sorted(root.glob("*/*/results.json")) if (run := _run(file, root, notes))]
    found.sort(
        key=lambda run: run.folder.parent.name != run.variant
    )  # of two with one name, the one in its place
    if not found:
        why = f" ({notes[0]})" if notes else ""
        raise UserError(f"no finished runs in {root}{why}; start with: make teachers TASK={task}")
    metrics = [run.results["metric"] for run in found]
    metric = max(PARTS, key=metrics.count)
    teachers: dict[str, Run] = {}
    students: dict[str, dict[int, Run]] = {}
    for run in found:
        place = run.folder.relative_to(root).as_posix()
        if run.results["metric"] != metric:
            notes.append(f"{place}: scored by {run.results['metric']}, the others by {metric}; left out")
        elif run.variant == TEACHERS:
            teachers[run.folder.name] = run
        elif run.seed in students.setdefault(run.variant, {}):
            notes.append(f"{place}: a second run of {run.variant} with seed {run.seed}; left out")
        else:
            students[run.variant][run.seed] = run
    losses = {name: next(iter(group.values())).loss for name, group in students.items()}
    ordered = {name: [students[name][s] for s in sorted(students[name])] for name in _order(losses)}
    return Task(task, metric, ordered, teachers, notes)


def _order(losses: Mapping[str, str]) -> list[str]:
    """Variants by their losses, in the paper's order; of one loss the plain name first, then by name."""
    known = get_args(Loss)

    def place(name: str) -> tuple[int, bool, list[Any]]:
        loss = losses[name]
        return known.index(loss) if loss in known else len(known), name != loss, natural(name)

    return sorted(losses, key=place)


def natural(name: str) -> list[tuple[int, str]]:
    """Sort key in which ``k10`` comes after ``k9``."""
    parts: list[tuple[int, str]] = []
    digits = ""
    for sign in [*name, ""]:
        if sign.isdecimal() and sign.isascii():
            digits += sign
            continue
        if digits:
            parts.append((int(digits), ""))
            digits = ""
        parts.append((-1, sign))
    return parts


def _run(file: Path, root: Path, notes: list[str]) -> Run | None:
    folder = file.parent
    try:
        results = _results(file)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        notes.append(f"{file.relative_to(root).as_posix()}: not readable ({reason(error)}); left out")
        return None
    teacher = results["role"] == "teacher"
    variant = TEACHERS if teacher else str(results.get("variant") or results["loss"])
    test = _scores(folder, results, root, notes)
    if teacher and folder.name not in test.languages:
        notes.append(f"{file.relative_to(root).as_posix()}: has no score of {folder.name}; left out")
        return None
    run = Run(variant, int(results["seed"]), results, folder, test)
    transfer = folder / ZEROSHOT
    if (transfer / "results.json").is_file():
        try:
            run.zeroshot = _scores(transfer, _results(transfer / "results.json"), root, notes)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            place = (transfer / "results.json").relative_to(root).as_posix()
            notes.append(f"{place}: not readable ({reason(error)}); left out")
    return run


def _results(file: Path) -> dict[str, Any]:
    """The results of a run, what the report cannot do without checked."""
    results: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    if results["schema"] != SCHEMA:
        raise ValueError(f"schema {results['schema']}, this version reads {SCHEMA}")
    if results["role"] not in ("teacher", "student") or results["metric"] not in PARTS:
        raise ValueError(f"role {results['role']!r}, metric {results['metric']!r}")
    int(results["seed"]), str(results["loss"])
    for row in results["languages"].values():
        if not 0 <= float(row[results["metric"]]) <= 1 or int(row["sentences"]) < 0:
            raise ValueError("scores outside of 0 to 1")
    if not results["languages"]:
        raise ValueError("no languages")
    return results


def _scores(folder: Path, results: dict[str, Any], root: Path, notes: list[str]) -> Scores:
    metric = results["metric"]
    rows = results["languages"]
    scores = Scores(
        {language: float(rows[language][metric]) for language in sorted(rows)},
        {language: int(rows[language]["sentences"]) for language in sorted(rows)},
    )
    for language in scores.languages:
        file = folder / "counts" / f"{language}.npy"
        if not file.is_file():
            continue
        try:
            counts = np.load(file, allow_pickle=False)
            _check(counts, metric, scores.languages[language], scores.sentences[language])
        except (OSError, ValueError, EOFError) as error:
            notes.append(f"{file.relative_to(root).as_posix()}: {reason(error)}; not used")
        else:
            scores.counts[language] = counts.astype(np.int64)
    return scores


def _check(counts: NDArray[Any], metric: str, score: float, sentences: int) -> None:
    """Counts have to be those that the results were made from."""
    if counts.ndim != 2 or counts.shape[1] != len(COLUMNS) or counts.dtype.kind not in "iu":
        raise ValueError(f"{counts.dtype} of shape {counts.shape}, not int (sentences, {len(COLUMNS)})")
    of_counts = float(ratio(parts(counts, metric).sum(0)))
    if int(counts[:, 0].sum()) != sentences or abs(of_counts - score) > 1e-6:
        raise ValueError(f"not of results.json: {metric} {of_counts:.4f} there {score:.4f}")


def parts(counts: Counts, metric: str) -> Counts:
    """(sentences, 9) counts -> (sentences, 3): what :func:`ratio` makes the score from."""
    return counts[:, [COLUMNS.index(name) for name in PARTS[metric]]].astype(np.int64)


def ratio(sums: NDArray[Any]) -> NDArray[np.float64]:
    """(..., 3) sums over sentences -> (...) scores; 0 where there is nothing to divide by."""
    below = np.asarray(sums[..., 1] + sums[..., 2], dtype=np.float64)
    return np.divide(2.0 * sums[..., 0], below, out=np.zeros_like(below), where=below > 0)


def reason(error: Exception) -> str:
    """What an exception says, on one line; of the operating system's without the path, which is the machine's own."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    kind = "" if isinstance(error, ValueError) else f"{type(error).__name__} "
    return kind + " ".join(str(error).split())[:100]


def common(groups: Sequence[Iterable[str]]) -> list[str]:
    """What all of them hold, sorted."""
    sets = [set(group) for group in groups]
    return sorted(set.intersection(*sets)) if sets else []
