"""The sections of the report: each module has a ``section`` that makes one from the findings, or None.

``SECTIONS`` is the page from top to bottom. A new section is a module here, its place in this list, and its test.
"""

from __future__ import annotations

from collections.abc import Callable

from skd_lightning.report.findings import Findings, Section
from skd_lightning.report.sections import (
    by_k,
    calibration,
    changed_sides,
    confusion,
    cost,
    differences,
    entity_types,
    notes,
    origins,
    paper,
    scores,
    seen,
    training,
    zeroshot,
)

SECTIONS: list[Callable[[Findings], Section | None]] = [
    scores.section,
    differences.section,
    entity_types.section,
    seen.section,
    confusion.section,
    calibration.section,
    changed_sides.section,
    zeroshot.section,
    by_k.section,
    training.section,
    cost.section,
    paper.section,
    origins.section,
    notes.section,
]
