"""Time, memory, steps and parameters of runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, stdev

from skd_lightning.analysis.finished import FinishedRun


def cost(runs: Sequence[FinishedRun], together: bool = False) -> dict[str, float]:
    """Return what runs took; not a number where nothing is known.

    Args:
        runs: of one variant, or the teachers.
        together: all runs as one system: sums instead of means, for memory the largest.

    Returns:
        ``predictions`` (seconds of the teachers' predictions, the largest of the runs: later ones find them in the
        cache), ``fit`` and ``fit_deviation`` (seconds), ``whole`` (seconds, predictions and fit), ``step``
        (milliseconds of an optimiser step), ``memory`` (MiB), ``steps`` and ``parameters``.
    """

    def mean(values: list[float]) -> float:
        return math.fsum(values) if together else fmean(values)

    results = [run.results for run in runs]
    fit = [found.seconds["fit"] for found in results]
    predictions = max(found.seconds["teacher_predictions"] for found in results)
    steps = [
        1000 * found.seconds["fit"] / found.steps for found in results if found.steps and found.seconds["fit"]
    ]
    memory = [float(found.peak_memory_mib) for found in results]
    return {
        "predictions": predictions,
        "fit": mean(fit),
        "fit_deviation": stdev(fit) if len(fit) > 1 and not together else math.nan,
        "whole": mean(fit) + predictions,
        "step": fmean(steps) if steps else math.nan,
        "memory": max(memory) if together else mean(memory),
        "steps": mean([float(found.steps) for found in results]),
        "parameters": mean([float(found.parameters) for found in results]),
    }


def ratios(found: Mapping[str, float], base: Mapping[str, float]) -> dict[str, float]:
    """Return a cost as a multiple of another; what cannot be divided is left out."""
    return {
        key: value / base[key]
        for key, value in found.items()
        if base.get(key) and not math.isnan(base[key]) and not math.isnan(value)
    }
