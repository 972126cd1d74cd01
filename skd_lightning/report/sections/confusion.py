"""The section of confusion matrices: which tags are taken for which."""

from __future__ import annotations

from collections.abc import Sequence

from skd_lightning.analysis.confusion import together
from skd_lightning.analysis.finished import FinishedRun
from skd_lightning.display.confusion import confusion_map
from skd_lightning.display.style import Plot
from skd_lightning.report.findings import Findings, Section, there
from skd_lightning.report.labels import label

MOST_TAGS = 40
"""A matrix of more tags cannot be read."""


def section(findings: Findings) -> Section | None:
    """Return the matrices of the teachers together and of the best student; None where no run has kept one."""
    runs, best = findings.runs, findings.trained.best()
    teachers = confusion_plot(
        "confusion-teachers", "Teachers together", list(runs.teachers.values()), findings.notes
    )
    title = f"Best student: {label(best)}" if best else ""
    student = (
        confusion_plot("confusion-student", title, runs.students[best], findings.notes) if best else None
    )
    content = there(teachers, student)
    return Section("confusion", "Confusion of tags", content) if content else None


def confusion_plot(name: str, title: str, runs: Sequence[FinishedRun], notes: list[str]) -> Plot | None:
    """Return the confusion matrix of runs together; None where none has kept one, or where tags are too many."""
    found = together(runs, notes)
    if found is None or len(found[0]) > MOST_TAGS:
        return None
    tags, counts = found
    several = f" Test words of {len(runs)} runs added up." if len(runs) > 1 else ""
    caption = f"Per cent of the words of each gold tag; blue is right, orange wrong.{several}"
    return confusion_map(name, title, caption, tags, counts)
