"""Cells of tables from the files in ``experiments/results``, see ``benchmarks/evidence_tables.py``."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from statistics import fmean, stdev

RESULTS = Path(__file__).parents[1] / "experiments/results"
TEACHERS = ("", "teachers_seed2/", "teachers_seed3/")
"""Folders with the teachers of the first seed and of the others."""
NOTHING = "–"
TASKS = ("upos", "wikiann", "uner")

Cells = Sequence[str]
"""Of one row of a table."""


@dataclass(frozen=True)
class Scored:
    """A score in per cent, with the standard deviation over seeds where there are several; None where there is none."""

    value: float | None
    deviation: float | None = None

    @property
    def plain(self) -> str:
        """The score alone."""
        return NOTHING if self.value is None else f"{self.value:.2f}"

    def __str__(self) -> str:
        return self.plain if self.deviation is None else f"{self.plain} ± {self.deviation:.2f}"


@dataclass(frozen=True)
class Gain:
    """A difference in points with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{signed(self.value)} ({signed(self.low)} to {signed(self.high)})"


def signed(points: float, digits: int = 2) -> str:
    """Return points with their sign, a true minus."""
    return f"{points:+.{digits}f}".replace("-", "−")


def rounded(number: str, digits: int) -> str:
    """Return a number of a file, which is rounded there, with fewer digits; halves go up, as readers expect."""
    return str(Decimal(number).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP))


def rows_of(file: str) -> list[dict[str, str]]:
    """Return the rows of a CSV file."""
    with (RESULTS / file).open(newline="") as opened:
        return list(csv.DictReader(opened))


def named(file: str, column: str = "name") -> dict[str, dict[str, str]]:
    """Return the rows of a CSV file by a column."""
    return {row[column]: row for row in rows_of(file)}


def quoted(system: str) -> str:
    """Return how a page names teachers or a variant."""
    return system if system == "teachers" else f"`{system}`"


def curve(folder: str, task: str, system: str, size: str) -> float:
    """Return the score in per cent of a system that has so many annotated sentences."""
    column = "data.max_train_sentences"
    rows = rows_of(f"{folder}/{task}/curve.csv")
    return next(100 * float(row["average"]) for row in rows if (row["system"], row[column]) == (system, size))


def dev_and_test_by_k(system: str) -> str:
    """Return dev score (test score) of a system of the report on k."""
    report = Report("k")
    dev = report.dev(system).value
    return f"{dev:.1f} ({report.score(system).plain})"


def mean_of(values: list[float]) -> Scored:
    """Return mean and standard deviation of several seeds."""
    return Scored(fmean(values), stdev(values) if len(values) > 1 else None)


@dataclass(frozen=True)
class Report:
    """The tables of a report; of the main tasks, the teachers are those of all three seeds."""

    folder: str

    def _folders(self, system: str) -> list[str]:
        several = system == "teachers" and (RESULTS / "teachers_seed2" / self.folder).is_dir()
        return [f"{seed}{self.folder}" for seed in TEACHERS] if several else [self.folder]

    def score(self, system: str, language: str = "average", file: str = "table") -> Scored:
        """Return the test score on a language, or the macro mean."""
        found = []
        for folder in self._folders(system):
            for row in rows_of(f"{folder}/{file}.csv"):
                if (row["system"], row["language"]) == (system, language):
                    found.append((100 * float(row["score"]), row["deviation"]))
        if not found:
            return Scored(None)
        if len(found) > 1:
            return mean_of([score for score, _ in found])
        ((score, deviation),) = found
        return Scored(score, 100 * float(deviation) if deviation else None)

    def dev(self, system: str) -> Scored:
        """Return the dev score that selected the weights."""
        rows = rows_of(f"{self.folder}/dev.csv")
        return next(
            (Scored(100 * float(row["average"])) for row in rows if row["system"] == system), Scored(None)
        )

    def calibration(self, system: str, column: str) -> str:
        """Return ``word_ece`` or ``entity_ece`` in per cent, or ``log_loss`` in nats."""
        found = [
            float(row[column])
            for folder in self._folders(system)
            for row in rows_of(f"{folder}/calibration.csv")
            if row["system"] == system and row[column]
        ]
        if not found:
            return NOTHING
        return f"{fmean(found):.3f}" if column == "log_loss" else f"{100 * fmean(found):.1f}"

    def seen(self, system: str, words: str) -> str:
        """Return the macro mean of the scores of ``seen`` or ``unseen`` words or entities."""
        found = [
            float(row.get("f1") or row["accuracy"])
            for folder in self._folders(system)
            for row in rows_of(f"{folder}/seen.csv")
            if (row["system"], row["words"]) == (system, words)
        ]
        return f"{100 * fmean(found):.2f}"

    def difference(self, file: str, system: str, against: str) -> Gain:
        """Return the difference to another system in ``<file>.csv``."""
        row = next(
            row
            for row in rows_of(f"{self.folder}/{file}.csv")
            if (row["system"], row["against"]) == (system, against)
        )
        return Gain(*(100 * float(row[name]) for name in ("difference", "low", "high")))
