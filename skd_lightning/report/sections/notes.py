"""The section that names everything that could not be read."""

from __future__ import annotations

from skd_lightning.report.findings import Findings, Section


def section(findings: Findings) -> Section | None:
    """Return the notes on the run folder; it stands last, since other sections add to them."""
    return Section("notes", "Notes on the run folder", [*findings.notes]) if findings.notes else None
