"""Calibration: how far a tagger's probabilities are from how often it is right."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from skd_lightning.analysis.collection import TEACHERS, TaskRuns
from skd_lightning.analysis.finished import Finished, reason
from skd_lightning.runs.calibration import BinCounts, Calibration, LanguageCalibration

Unit = Literal["words", "entities"]
Measure = Literal["word_ece", "entity_ece", "log_loss"]

Tested = Mapping[str, LanguageCalibration]
"""One tagger: {language: its counts}; the teachers together are one, on each language its own teacher."""


@dataclass(frozen=True)
class Bins:
    """Words or entities by confidence, one array (bins,) of each kind.

    Attributes:
        count: how many there are.
        confidence: sum of their probabilities.
        correct: how many of them are right.
    """

    count: NDArray[np.int64]
    confidence: NDArray[np.float64]
    correct: NDArray[np.int64]

    @classmethod
    def of(cls, parts: Iterable[BinCounts]) -> Bins | None:
        """Add up the bins of languages or of taggers; None for no part."""
        tables = [np.array([part.count, part.confidence, part.correct]) for part in parts]
        if not tables:
            return None
        count, confidence, correct = np.sum(tables, axis=0)
        return cls(count.astype(np.int64), confidence, correct.astype(np.int64))


def expected_calibration_error(bins: Bins) -> float:
    """Return the expected calibration error, in [0, 1]; not a number where nothing was counted.

    ECE = Σ_m |B_m|/n · |acc(B_m) − conf(B_m)| over bins of equal width, where acc is the share of the |B_m| items that
    are right and conf their mean confidence. The items are words, with the marginal p(y_i|x) of the decoded tag, or
    predicted entities, with their exact probability. Entities that nobody predicted have no part in it, and a bin hides
    what cancels out inside it: the log loss, a proper score, does neither.

    Source: Guo et al. 2017 (arXiv 1706.04599), equation 3.

    >>> bins = Bins(np.array([2, 8]), np.array([0.6, 7.2]), np.array([1, 6]))
    >>> round(expected_calibration_error(bins), 4)  # (|1 − 0.6| + |6 − 7.2|) / 10
    0.16
    """
    items = int(bins.count.sum())
    return float(np.abs(bins.correct - bins.confidence).sum()) / items if items else math.nan


def of_task(runs: TaskRuns, notes: list[str]) -> dict[str, list[Tested]]:
    """Read the calibration of all systems: teachers, peers and students.

    Args:
        runs: of the task.
        notes: files that cannot be read are named here.

    Returns:
        {system: its taggers, one a seed}; runs without the file are left out, as are systems without any.
    """
    own = {name: read_calibration(run, notes) for name, run in runs.teachers.items()}
    teachers = {language: found[language] for language, found in own.items() if language in found}
    systems: dict[str, list[Tested]] = {TEACHERS: [teachers]} if teachers else {}
    groups: dict[str, Sequence[Finished]] = {**runs.peers, **runs.students}
    for name, group in groups.items():
        if taggers := [found for run in group if (found := read_calibration(run, notes))]:
            systems[name] = taggers
    return systems


def read_calibration(run: Finished, notes: list[str]) -> Tested:
    """Return the counts of a run by language; none where it has no such file, or one that is not of its results."""
    try:
        found = Calibration.read(run.folder)
        if found is None:
            return {}
        _check(found, run)
    except (OSError, ValueError) as error:
        place = f"{run.name}/{run.folder.calibration.name}"
        notes.append(f"{place}: not readable ({reason(error)}); not in the calibration")
        return {}
    return found.languages


def _check(found: Calibration, run: Finished) -> None:
    for language, counts in found.languages.items():
        there = run.results.languages.get(language)
        words, correct = sum(counts.words.count), sum(counts.words.correct)
        if there is None or words != there.words or correct != round(there.accuracy * there.words):
            raise ValueError(f"not of results.json: {correct} of {words} words in {language} right")


def bins(taggers: Sequence[Tested], unit: Unit) -> Bins | None:
    """Add up the words or the predicted entities of all languages and all taggers of a system; None without any."""
    rows = (getattr(row, unit) for tagger in taggers for row in tagger.values())
    return Bins.of(row for row in rows if row is not None)


def value(tagger: Tested, measure: Measure, languages: Sequence[str]) -> float:
    """Return the macro mean of a measure over those of the languages that it is known of; else not a number.

    Args:
        tagger: its counts.
        measure: ``word_ece`` and ``entity_ece`` in [0, 1], see :func:`expected_calibration_error`; ``log_loss`` in nats
            a word.
        languages: one or several.
    """
    values = [_value(tagger[language], measure) for language in languages if language in tagger]
    known = [each for each in values if not math.isnan(each)]
    return fmean(known) if known else math.nan


def _value(row: LanguageCalibration, measure: Measure) -> float:
    if measure == "log_loss":
        return math.nan if row.log_loss is None else row.log_loss
    counts = row.words if measure == "word_ece" else row.entities
    found = Bins.of([counts] if counts else [])
    return expected_calibration_error(found) if found else math.nan


def over_seeds(
    taggers: Sequence[Tested], measure: Measure, languages: Sequence[str]
) -> tuple[float, float | None]:
    """Return mean and sample standard deviation of :func:`value` over the taggers of a system.

    The mean is not a number where no tagger has the measure; the deviation is None where fewer than two have it.
    """
    found = [value(tagger, measure, languages) for tagger in taggers]
    known = [each for each in found if not math.isnan(each)]
    return fmean(known) if known else math.nan, stdev(known) if len(known) > 1 else None
