"""The paper's own figures beside ours, where task and language agree.

They are in ``paper.json``, each table with where it stands in the paper::

    {"paper": "authors: title, place", "url": "https://…", "source": "how the numbers were read and checked",
     "setting": "what they were measured with", "missing": ["what the paper gives no numbers of", …],
     "tables": [{"table": "Table 3", "task": "wikiann", "kind": "scores", "metric": "f1", "note": "…",
                 "rows": {"teachers": {"en": 83.80, "average": 88.97}, "none": {…}, "posterior": {…}}}]}

``task`` is the name of a task here, rows are systems (``teachers``, or a variant's name), scores are in per cent by
language code; ``average`` and ``note`` may be absent. ``kind`` is ``scores``, ``zeroshot`` or ``hours`` (rows then
are ``{"none": {"hours": 11.0}}``); other kinds are kept and not shown. To add a table, add it to the file.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from skd_lightning.analysis.board import BEST_TEACHER, Board
from skd_lightning.analysis.collection import BASELINE, TEACHERS, Task, common
from skd_lightning.display.table import Row, Table, label, points
from skd_lightning.errors import UserError
from skd_lightning.report.cost import cost

FILE = Path(__file__).with_name("paper.json")

Rows = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Published:
    """A table of the paper.

    Attributes:
        table: its name there.
        task: of ours.
        kind: ``scores``, ``zeroshot``, ``hours`` or another.
        metric: ``f1`` or ``accuracy``; anything for hours.
        rows: system -> language -> number.
        note: what else has to be known.
    """

    table: str
    task: str
    kind: str
    metric: str
    rows: Rows
    note: str = ""


@dataclass(frozen=True)
class Paper:
    """All that the file holds."""

    paper: str
    url: str
    source: str
    setting: str
    missing: list[str]
    tables: list[Published]

    def find(self, task: str, kind: str) -> Published | None:
        """The table of a task."""
        return next((t for t in self.tables if (t.task, t.kind) == (task, kind)), None)


def load(file: Path = FILE) -> Paper:
    """Read and check a file of published figures; raises UserError that names what is wrong."""
    try:
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        tables = [_table(entry) for entry in content["tables"]]
        missing = [str(text) for text in content.get("missing", [])]
        paper, url, source, setting = (str(content[key]) for key in ("paper", "url", "source", "setting"))
        return Paper(paper, url, source, setting, missing, tables)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{file.name}: not a file of published figures: {type(error).__name__} {error}"
        ) from None


def _table(entry: dict[str, Any]) -> Published:
    rows = {str(name): {str(k): float(v) for k, v in row.items()} for name, row in entry["rows"].items()}
    limit = math.inf if entry["kind"] == "hours" else 100.0
    for name, row in rows.items():
        for language, value in row.items():
            if not 0.0 <= value <= limit:
                raise ValueError(f"{entry['table']}, {name}, {language}: {value} is not in per cent")
    return Published(
        entry["table"], entry["task"], entry["kind"], entry["metric"], rows, str(entry.get("note", ""))
    )


def beside(board: Board, found: Published | None, name: str, title: str) -> list[Table]:
    """Scores and gains, ours beside the paper's; nothing where they share no system, language or metric."""
    if found is None or found.metric != board.metric:
        return []
    theirs = {system: found.rows[row] for system in board.systems if (row := _row(system, board, found.rows))}
    systems = [system for system in board.systems if system in theirs]
    languages = common(
        [[lang for system in systems for lang in board.has(system)], *(theirs[s] for s in systems)]
    )
    if not languages:
        return []
    scores = Table(name, title, ["", *languages, "average"])
    gains = Table(f"{name}-gains", f"{title}: gain over the baseline", ["", "ours", "paper"])
    gains.columns += ["languages better, ours", "paper", "gap closed, ours", "paper"]
    for system in systems:
        mine = {language: board.mean(system, language) for language in languages}
        cells = [_pair(mine[language], theirs[system][language]) for language in languages]
        cells += [_pair(fmean(mine.values()), _mean(theirs[system], languages))]
        scores.rows.append([label(system), *cells])
        for language in languages:
            entry: Row = {"system": system, "language": language, "ours": 100 * mine[language]}
            scores.data.append({**entry, "paper": theirs[system][language]})
    if board.baseline in systems:
        ours = {s: {language: 100 * board.mean(s, language) for language in languages} for s in systems}
        above = next((s for s in (TEACHERS, BEST_TEACHER) if s in systems), None)
        for system in (s for s in systems if s in board.seeds and s != board.baseline):
            data: Row = {"system": system}
            pair = [(ours, "ours"), (theirs, "paper")]
            gain = {
                who: _mean(of[system], languages) - _mean(of[board.baseline], languages) for of, who in pair
            }
            better = {who: _better(of[system], of[board.baseline], languages) for of, who in pair}
            closed = {who: _closed(of, system, board.baseline, above, languages) for of, who in pair}
            cells = [points(gain[who] / 100, signed=True) for _, who in pair]
            cells += [f"{better[who]} of {len(languages)}" for _, who in pair]
            cells += [
                "–" if (c := closed[who]) is None else f"{100 * c:.0f} %".replace("-", "−") for _, who in pair
            ]
            gains.rows.append([label(system), *cells])
            for who in ("ours", "paper"):
                data |= {
                    f"gain_{who}": gain[who],
                    f"better_{who}": better[who],
                    f"gap_closed_{who}": closed[who],
                }
            gains.data.append(data)
    said = f"{found.table} of the paper" + (f" ({found.note})" if found.note else "") + "."
    scores.notes.append(f"Ours / paper, in per cent; {said} Averages are over the languages shown.")
    gains.notes.append(
        "In points, over the languages of the table above; gains compare better than scores do."
    )
    return [scores, gains] if gains.rows else [scores]


def hours(task: Task, paper: Paper) -> Table | None:
    """Training time as a multiple of the baseline's, ours beside the paper's (whatever its task)."""
    found = next((t for t in paper.tables if t.kind == "hours" and BASELINE in t.rows), None)
    if found is None or task.baseline not in task.students:
        return None
    base, reference = cost(task.students[task.baseline])["whole"], found.rows[BASELINE]["hours"]
    table = Table("published-time", "Training time, times the baseline", ["", "ours", "paper"])
    for system in (s for s in task.students if s in found.rows and s != task.baseline):
        mine, other = cost(task.students[system])["whole"] / base, found.rows[system]["hours"] / reference
        if not math.isnan(mine):
            table.rows.append([label(system), f"{mine:.2f}", f"{other:.2f}"])
            table.data.append({"system": system, "ours": mine, "paper": other})
    table.notes.append(
        f"{found.table} of the paper: {found.task}, {found.note}. Both with the teachers' predictions."
    )
    return table if table.rows else None


def _row(system: str, board: Board, rows: Rows) -> str | None:
    """The row of the paper's table that a system of ours answers to: of its name, or of its loss if it alone has it."""
    if system == BEST_TEACHER:
        return TEACHERS if TEACHERS in rows else None
    if system in rows:
        return system
    loss = board.losses.get(system)
    alike = [name for name, other in board.losses.items() if other == loss and name in board.systems]
    return loss if loss in rows and alike == [system] else None


def _pair(ours: float, theirs: float) -> str:
    return f"{points(ours)} / {theirs:.2f}"


def _mean(row: dict[str, float], languages: list[str]) -> float:
    return fmean(row[language] for language in languages)


def _better(row: dict[str, float], base: dict[str, float], languages: list[str]) -> int:
    return sum(round(row[language] - base[language], 2) > 0 for language in languages)


def _closed(rows: Rows, system: str, base: str, above: str | None, languages: list[str]) -> float | None:
    if above is None:
        return None
    low, high = _mean(rows[base], languages), _mean(rows[above], languages)
    return (_mean(rows[system], languages) - low) / (high - low) if round(high - low, 2) > 0 else None
