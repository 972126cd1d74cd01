"""Everything that a report is made from: a section is a function of these findings."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from skd_lightning.analysis import paper, training_logs
from skd_lightning.analysis.collection import TEACHERS, TaskRuns, read_task
from skd_lightning.analysis.comparison import Comparison, on_trained_languages, on_zeroshot_languages
from skd_lightning.display.passages import Passages
from skd_lightning.display.style import Look, Plot
from skd_lightning.display.table import Table
from skd_lightning.report.looks import system_looks

Item = Table | Plot | Passages | str
"""A section holds one or the other; text is one paragraph."""


@dataclass
class Section:
    """A part of the report: a heading, then its items in this order.

    Attributes:
        name: its anchor.
        title: one line.
        content: tables, plots, sentences, and paragraphs of plain text.
    """

    name: str
    title: str
    content: list[Item] = field(default_factory=list)


@dataclass(frozen=True)
class Findings:
    """Numbers of all runs of a task.

    Attributes:
        runs: what was read.
        trained: systems on the languages that students were trained on.
        zeroshot: systems on other languages; None where nothing was tested on such.
        logs: logs of training by variant, one a run.
        paper: the paper's figures.
        looks: colour and marker of every system.
        notes: what was left out, and why; sections may add to it.
    """

    runs: TaskRuns
    trained: Comparison
    zeroshot: Comparison | None
    logs: dict[str, list[pd.DataFrame]]
    paper: paper.Paper
    looks: dict[str, Look]
    notes: list[str]


def gather(runs: Path, task: str, variants: Collection[str] | None = None) -> Findings:
    """Read all runs of a task, or those of some variants, and draw the bootstrap samples.

    Raises:
        UserError: there is no finished run.
    """
    found = read_task(runs, task, variants)
    trained, zeroshot = on_trained_languages(found), on_zeroshot_languages(found)
    notes = list(found.notes)
    for comparison in (trained, zeroshot):
        if comparison:
            comparison.resample(notes)
    # Peers last: the students' colours do not depend on them.
    systems = [TEACHERS, *found.students, *(zeroshot.systems if zeroshot else ()), *found.peers]
    looks = system_looks(systems, found.losses)
    return Findings(found, trained, zeroshot, training_logs.of_task(found, notes), paper.load(), looks, notes)


def there(*items: Item | None) -> list[Item]:
    """Return those items that are not None."""
    return [item for item in items if item is not None]
