"""Names of systems and scores, as people read them."""

from __future__ import annotations

from skd_lightning.analysis import bootstrap
from skd_lightning.analysis.collection import BASELINE
from skd_lightning.analysis.comparison import Comparison

METRICS = {"f1": "entity F1", "accuracy": "accuracy"}

LEAST = 1 / (1 + bootstrap.RESAMPLES)
"""Smallest p value that the resamples allow."""

PARTIAL = "* over the languages that it was tested on; not comparable with the others."


def label(system: str) -> str:
    """Return the name of a system for people."""
    return "none (baseline)" if system == BASELINE else system


def columns(found: Comparison) -> list[str]:
    """Return the headings of the languages: those of which a student has no labels have a dagger."""
    lacking = {language for languages in found.text_only.values() for language in languages}
    return [f"{language} †" if language in lacking else language for language in found.languages]


def dagger(found: Comparison) -> list[str]:
    """Return a sentence for each group of students that lacks labels of the same languages, for under a table."""
    return [f"† {said}." for said in without_labels(found)]


def without_labels(found: Comparison) -> list[str]:
    """Return a clause for each group of students that lacks labels of the same languages; none where all have all."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for student in found.students:
        groups.setdefault(tuple(found.text_only.get(student, ())), []).append(label(student))
    if len(groups) == 1:
        return [f"Students have no labels of {', '.join(lacking)}" for lacking in groups if lacking]
    return [
        f"No labels of {', '.join(lacking)}: {', '.join(names)}"
        for lacking, names in groups.items()
        if lacking
    ]


def heading(metric: str) -> str:
    """Return what the numbers of a table of scores are."""
    return f"test {METRICS[metric]} in per cent"
