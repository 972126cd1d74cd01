"""Names of systems and scores, as people read them."""

from __future__ import annotations

from skd_lightning.analysis import bootstrap
from skd_lightning.analysis.collection import BASELINE

METRICS = {"f1": "entity F1", "accuracy": "accuracy"}

LEAST = 1 / (1 + bootstrap.RESAMPLES)
"""Smallest p value that the resamples allow."""


def label(system: str) -> str:
    """Return the name of a system for people."""
    return "none (baseline)" if system == BASELINE else system


def heading(metric: str) -> str:
    """Return what the numbers of a table of scores are."""
    return f"test {METRICS[metric]} in per cent"
