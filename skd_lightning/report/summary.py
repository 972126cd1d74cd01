"""The findings in a few sentences, each with its uncertainty: the top of the page."""

from __future__ import annotations

from statistics import fmean

from skd_lightning.analysis.collection import TEACHERS
from skd_lightning.analysis.comparison import Comparison, Contrast
from skd_lightning.display.formats import percent, points, probability
from skd_lightning.report.labels import LEAST, label, without_labels


def summary(found: Comparison) -> list[str]:
    """Return sentences on the best student: its score, its distance to the baseline, the teachers and the peers."""
    best = found.best()
    if best is None or not found.languages:
        return []
    lines = []
    several = len(found.students) > 1
    if several:
        seeds = len(found.seeds[best])
        score = points(found.average(best), found.spread(best))
        lines.append(f"Best student: {label(best)}, {score} ({seeds} {'seed' if seeds == 1 else 'seeds'}).")
    if best == found.baseline:
        complete = all(found.has(name) == found.languages for name in found.students)
        lines += ["No distillation beats the baseline on average."] if several and complete else []
    elif found.baseline in found.students and (contrast := found.contrast(best, found.baseline)):
        lines.append(_against_baseline(contrast, len(found.students) > 2))
    if control := found.controls.get(best):
        contrast = found.contrast(best, control)
        lines += (
            [f"Against {control}, the same without teachers: {_difference(contrast)}."] if contrast else []
        )
    lines += _without_labels(found, best)
    if TEACHERS in found.systems and (contrast := found.contrast(best, TEACHERS)):
        share = found.gap_closed(best) if best != found.baseline else None
        closed = f"; it closes {percent(share)} of the gap to them." if share else "."
        lines.append(f"Against the teachers: {points(contrast.value, signed=True)} points{closed}")
    lines += [
        f"Against {name}: {_difference(contrast)}."
        for name in found.peers
        if (contrast := found.contrast(best, name))
    ]
    return lines


def _without_labels(found: Comparison, best: str) -> list[str]:
    """Return which students lack labels of which languages, and what the best one gains with and without labels."""
    said = without_labels(found)
    lacking = found.text_only.get(best, [])
    contrast = found.contrast(best, found.baseline) if best != found.baseline else None
    if len(said) != 1 or contrast is None or found.text_only.get(found.baseline) != lacking:
        return [f"{clause}." for clause in said]
    there = [value for language, value in contrast.by_language.items() if language in lacking]
    elsewhere = [value for language, value in contrast.by_language.items() if language not in lacking]
    if not there or not elsewhere:
        return [f"{said[0]}."]
    gained, others = (points(fmean(values), signed=True) for values in (there, elsewhere))
    return [f"{said[0]}: against the baseline {gained} points on these, {others} on the other languages."]


def _against_baseline(contrast: Contrast, chosen: bool) -> str:
    text = f"Against the baseline: {_difference(contrast)}"
    text += f"; better on {contrast.better} of {len(contrast.languages)} languages."
    return text + (" It was chosen on these test data: look at the corrected p below." if chosen else "")


def _difference(contrast: Contrast) -> str:
    value = f"{points(contrast.value, signed=True)} points"
    if contrast.certain is None:
        return f"{value} (no interval: sentences were not counted)"
    low, high = (points(end, signed=True) for end in (contrast.certain.low, contrast.certain.high))
    p = probability(contrast.certain.p, LEAST)
    return f"{value} (95 % interval {low} to {high}, p {p if p.startswith('<') else '= ' + p})"
