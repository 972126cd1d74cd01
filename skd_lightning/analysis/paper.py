"""The paper's own figures beside ours, where task and language agree.

They are in ``paper.json``, each table with where it stands in the paper::

    {"paper": "authors: title, place", "url": "https://…", "source": "how the numbers were read and checked",
     "setting": "what they were measured with", "missing": ["what the paper gives no numbers of", …],
     "tables": [{"table": "Table 3", "task": "wikiann", "kind": "scores", "metric": "f1", "note": "…",
                 "rows": {"teachers": {"en": 83.80, "average": 88.97}, "none": {…}, "posterior": {…}}}]}

``task`` is the name of a task here (of zero-shot transfer, that of the training), rows are systems (``teachers``, or a
variant's name), scores are in per cent by language code; ``average`` and ``note`` may be absent. ``kind`` is
``scores``, ``weaker teachers`` (scores of students whose teachers read nothing that they do not read themselves),
``zeroshot`` or ``hours`` (rows then are ``{"none": {"hours": 11.0}}``); other kinds are kept and not shown. To add a
table, add it to the file.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from skd_lightning.analysis.collection import BASELINE, TEACHERS, TaskRuns
from skd_lightning.analysis.comparison import BEST_TEACHER, Comparison
from skd_lightning.analysis.cost import cost
from skd_lightning.analysis.finished import FinishedRun
from skd_lightning.analysis.scores import common
from skd_lightning.data.run_settings import read_settings
from skd_lightning.errors import UserError

FILE = Path(__file__).with_name("paper.json")

Rows = dict[str, dict[str, float]]


@dataclass(frozen=True)
class PaperTable:
    """A table of the paper.

    Attributes:
        table: its name there.
        task: name of the task here.
        kind: ``scores``, ``weaker teachers``, ``zeroshot``, ``hours`` or another.
        metric: ``f1`` or ``accuracy``; anything for hours.
        rows: system -> language -> number.
        note: a remark that the reader needs.
    """

    table: str
    task: str
    kind: str
    metric: str
    rows: Rows
    note: str = ""


@dataclass(frozen=True)
class Paper:
    """Content of the file."""

    paper: str
    url: str
    source: str
    setting: str
    missing: list[str]
    tables: list[PaperTable]

    def find(self, task: str, kind: str) -> PaperTable | None:
        """Return the first table of a task, None where the paper has none."""
        return next(iter(self.find_all(task, kind)), None)

    def find_all(self, task: str, kind: str) -> list[PaperTable]:
        """Return the tables of a task, in the paper's order."""
        return [table for table in self.tables if (table.task, table.kind) == (task, kind)]

    def scores_of(self, runs: TaskRuns) -> PaperTable | None:
        """Return the scores of runs with teachers like theirs: weaker ones have a table of their own."""
        weaker = self.find(runs.name, "weaker teachers")
        return weaker if weaker and _read_the_same(runs) else self.find(runs.name, "scores")


def _read_the_same(runs: TaskRuns) -> bool:
    """Return True where the embedder of every teacher and student has the same settings."""
    found = [_embedder(run) for run in runs.runs()] if runs.teachers and runs.students else []
    return bool(found) and found[0] is not None and all(embedder == found[0] for embedder in found)


def _embedder(run: FinishedRun) -> Any:
    """Return an embedder's settings; None where they cannot be read."""
    try:
        return read_settings(run.folder).model.init_args.get("embedder")
    except UserError:
        return None


def load(file: Path = FILE) -> Paper:
    """Read and check a file of the paper's figures.

    Raises:
        UserError: it is not one; the line names what is wrong.
    """
    try:
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        tables = [_table(entry) for entry in content["tables"]]
        missing = [str(text) for text in content.get("missing", [])]
        paper, url, source, setting = (str(content[key]) for key in ("paper", "url", "source", "setting"))
        return Paper(paper, url, source, setting, missing, tables)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{file.name}: not a file of the paper's figures: {type(error).__name__} {error}"
        ) from None


def _table(entry: dict[str, Any]) -> PaperTable:
    rows = {str(name): {str(k): float(v) for k, v in row.items()} for name, row in entry["rows"].items()}
    limit = math.inf if entry["kind"] == "hours" else 100.0
    for name, row in rows.items():
        for language, value in row.items():
            if not 0.0 <= value <= limit:
                raise ValueError(f"{entry['table']}, {name}, {language}: {value} is not in per cent")
    return PaperTable(
        entry["table"], entry["task"], entry["kind"], entry["metric"], rows, str(entry.get("note", ""))
    )


@dataclass(frozen=True)
class Gain:
    """A student against the baseline, in ours or in the paper's scores.

    Attributes:
        points: difference of the macro means.
        better: number of languages with a higher score.
        closed: share of the gap to the teachers that is closed, None without a gap.
    """

    points: float
    better: int
    closed: float | None


@dataclass(frozen=True)
class BesidePaper:
    """Scores here and in the paper, in per cent, of the systems and languages that both have.

    Attributes:
        printed: the paper's table.
        languages: of both.
        ours: system -> language -> score.
        theirs: the same in the paper.
        gains: student -> its gain here and in the paper; empty without a baseline.
    """

    printed: PaperTable
    languages: list[str]
    ours: Rows
    theirs: Rows
    gains: dict[str, tuple[Gain, Gain]]


def beside(comparison: Comparison, printed: PaperTable | None) -> BesidePaper | None:
    """Put our scores beside the paper's; None where they share no system, language or metric."""
    if printed is None or printed.metric != comparison.metric:
        return None
    rows = printed.rows
    full = {name: rows[row] for name in comparison.systems if (row := _row(name, comparison, rows))}
    languages = common([*(comparison.has(name) for name in full), *full.values()])
    if not languages:
        return None
    ours = {name: {x: 100 * comparison.mean(name, x) for x in languages} for name in full}
    theirs = {name: {x: row[x] for x in languages} for name, row in full.items()}
    gains = {}
    base = comparison.baseline
    above = next((name for name in (TEACHERS, BEST_TEACHER) if name in full), None)
    if base in full:
        students = [name for name in full if name in comparison.seeds and name != base]
        gains = {s: (_gain(ours, s, base, above), _gain(theirs, s, base, above)) for s in students}
    return BesidePaper(printed, languages, ours, theirs, gains)


def mean(row: Mapping[str, float]) -> float:
    """Return the macro mean over the languages of a row."""
    return fmean(row.values())


def _gain(rows: Rows, student: str, base: str, above: str | None) -> Gain:
    better = sum(round(value - rows[base][language], 2) > 0 for language, value in rows[student].items())
    ours, low = mean(rows[student]), mean(rows[base])
    closed = None
    if above is not None and round((high := mean(rows[above])) - low, 2) > 0:
        closed = (ours - low) / (high - low)
    return Gain(ours - low, better, closed)


def _row(system: str, comparison: Comparison, rows: Rows) -> str | None:
    """Find the row that a system answers to: the one of its name, or of its loss if it alone has that loss."""
    if system == BEST_TEACHER:
        return TEACHERS if TEACHERS in rows else None
    if system in rows:
        return system
    loss = comparison.losses.get(system)
    alike = [
        name for name, other in comparison.losses.items() if other == loss and name in comparison.systems
    ]
    return loss if loss in rows and alike == [system] else None


def times(runs: TaskRuns, printed: PaperTable) -> dict[str, tuple[float, float]]:
    """Return training times as multiples of the baseline's by student, ours and the paper's (whatever its task)."""
    if runs.baseline not in runs.students or BASELINE not in printed.rows:
        return {}
    base, reference = cost(runs.students[runs.baseline])["whole"], printed.rows[BASELINE]["hours"]
    found = {
        name: (cost(group)["whole"] / base, printed.rows[name]["hours"] / reference)
        for name, group in runs.students.items()
        if name in printed.rows and name != runs.baseline
    }
    return {name: pair for name, pair in found.items() if not math.isnan(pair[0])}
