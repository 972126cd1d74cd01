"""The section of zero-shot transfer: languages that a tagger was not trained on."""

from __future__ import annotations

from skd_lightning.analysis.comparison import BEST_TEACHER
from skd_lightning.report.findings import Findings, Section, there
from skd_lightning.report.labels import heading
from skd_lightning.report.sections.differences import baseline_table, teachers_table
from skd_lightning.report.sections.scores import scores_table

CAUTION = (
    "Each tagger on languages that it was not trained on. The best teacher of each language is chosen by its test "
    "score, as in the paper, which flatters it."
)


def section(findings: Findings) -> Section | None:
    """Return scores and differences on unseen languages; None where nothing was tested on such."""
    found = findings.zeroshot
    if found is None:
        return None
    above = "Zero-shot, against the best teacher of each language"
    tables = there(
        CAUTION,
        scores_table(found, "zeroshot", f"Zero-shot {heading(found.metric)}"),
        baseline_table(found, "zeroshot-baseline", "Zero-shot, against the baseline"),
        teachers_table(found, "zeroshot-teachers", above, BEST_TEACHER),
    )
    return Section("zeroshot", "Zero-shot transfer", tables)
