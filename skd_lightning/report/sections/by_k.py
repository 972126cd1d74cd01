"""The section on the number of paths k of the objectives that learn from the teacher's best paths."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from skd_lightning.analysis.collection import TEACHERS, TaskRuns
from skd_lightning.analysis.comparison import Comparison
from skd_lightning.display.style import Look, Plot, draw, legend
from skd_lightning.report.findings import Findings, Section
from skd_lightning.report.labels import METRICS, label

LOSSES = ("topk", "topwk", "pos_topwk")


def section(findings: Findings) -> Section | None:
    """Return the plot of scores against k; None where no objective was trained with several."""
    plot = score_by_k(findings.runs, findings.trained, findings.looks)
    return Section("k", "Number of paths k", [plot]) if plot else None


def score_by_k(runs: TaskRuns, found: Comparison, looks: Mapping[str, Look]) -> Plot | None:
    """Return the average score against k of each loss; of two variants with one k the plainer name counts.

    The structural objective, which is Top-WK with every path, is the level that k approaches.
    """
    lines: dict[str, dict[int, str]] = {}
    for name in sorted(found.students, key=lambda name: (len(name), name)):
        group = runs.students[name]
        ks = {k for run in group if isinstance(k := run.results.objective.get("k"), int)}
        if group[0].results.loss not in LOSSES or len(ks) != 1 or found.has(name) != found.languages:
            continue
        lines.setdefault(group[0].results.loss, {}).setdefault(ks.pop(), name)
    lines = {loss: lines[loss] for loss in LOSSES if len(lines.get(loss, {})) > 1}
    if not lines:
        return None
    every_path = next((name for name in sorted(found.students, key=len) if _has_every_path(runs, name)), None)

    def paint(figure: Figure, axes: Axes) -> None:
        levels = (
            (TEACHERS, (0, (5, 2)), label(TEACHERS)),
            (found.baseline, (0, (2, 1.5)), label(found.baseline)),
            (every_path, "-", f"{every_path} (every path)"),
        )
        for name, style, words in levels:
            if name in found.systems and found.has(name) == found.languages:
                colour, value = looks[name].colour, 100 * found.average(name)
                axes.axhline(value, color=colour, linestyle=style, linewidth=1.3, label=words)
        for loss, variants in lines.items():
            look = looks[loss]
            ks = sorted(variants)
            means = [100 * found.average(variants[k]) for k in ks]
            spreads = [100 * (found.spread(variants[k]) or 0.0) for k in ks]
            axes.errorbar(
                ks, means, spreads, fmt=f"-{look.marker}", color=look.colour, markersize=5, linewidth=1.4,
                elinewidth=1, label=loss,
            )  # fmt: skip
        axes.set_xticks(sorted({k for variants in lines.values() for k in variants}))
        axes.grid(axis="y")
        axes.set_xlabel("k")
        axes.set_ylabel(f"{METRICS[found.metric]} (%), average")
        legend(figure, axes)

    return draw("k", "Score against k", "Mean over seeds, lines: one standard deviation.", 3.6, paint)


def _has_every_path(runs: TaskRuns, name: str) -> bool:
    """Return True for a variant that learned from the teachers' whole distributions as they are."""
    return all(
        run.results.loss == "structural"
        and run.results.objective.get("alpha") == run.results.objective.get("temperature") == 1.0
        for run in runs.students[name]
    )
