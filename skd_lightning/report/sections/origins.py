"""The section that says which code made the runs, so that a table of several states is seen to be one."""

from __future__ import annotations

from skd_lightning.analysis.origins import origins
from skd_lightning.report.findings import Findings, Section
from skd_lightning.runs.provenance import LIBRARIES


def section(findings: Findings) -> Section | None:
    """Return one sentence on each state of the code; None without runs of ours."""
    found = origins(findings.runs)
    if not found:
        return None
    sentences = [_sentence(state, number) for state, number in found.most_common()]
    if len(found) > 1:
        sentences.append("Differences between runs of different states may come from the code.")
    return Section("origins", "What made the runs", [" ".join(sentences)])


def _sentence(state: tuple[str, ...], number: int) -> str:
    runs = "1 run was" if number == 1 else f"{number} runs were"
    if state == ("",):
        return f"{runs} made by an unknown state of the code."
    code, *versions = state
    libraries = ", ".join(f"{name} {version}" for name, version in zip(LIBRARIES, versions, strict=True))
    return f"{runs} made by the code whose hash is {code}, with {libraries}."
