"""The section of training: the dev scores that selected the weights, and learning curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from skd_lightning.analysis.collection import TEACHERS, TaskRuns
from skd_lightning.analysis.training_logs import DEV, best_dev, curve
from skd_lightning.display.formats import plain, points
from skd_lightning.display.style import Look, Plot, draw, legend
from skd_lightning.display.table import Table
from skd_lightning.report.findings import Findings, Section
from skd_lightning.report.labels import METRICS, label

PLAIN = "Mean over seeds, shaded from the lowest to the highest."
CUT = f"{PLAIN} The first third of the epochs may be cut off below."


@dataclass(frozen=True)
class _Curve:
    """One plot: ``column`` of the logs, times ``scale``, over epochs or over optimiser steps."""

    name: str
    title: str
    column: str
    unit: str
    over_steps: bool = False
    scale: float = 1.0

    @property
    def is_score(self) -> bool:
        return self.column.startswith("dev/")


def section(findings: Findings) -> Section | None:
    """Return best dev scores and learning curves; None where no run has logged any."""
    plots = curve_plots(findings.logs, findings.runs.metric, findings.looks)
    return Section("training", "Training", [dev_table(findings.runs), *plots]) if plots else None


def dev_table(runs: TaskRuns) -> Table:
    """Return the best dev score of each system, whose weights were kept; teachers each on its own language."""
    title = f"Best dev {METRICS[runs.metric]} in per cent"
    table = Table("dev", title, ["", "average", "seeds", "after step", "of steps"])
    for name, group in {TEACHERS: [*runs.teachers.values()], **runs.students}.items():
        best = [found for run in group if (found := best_dev(run.folder)) is not None]
        if not best or len(best) < len(group):
            continue
        scores, after, of = (fmean(values) for values in zip(*best, strict=True))
        several = len(best) > 1 and name != TEACHERS
        spread = stdev(score for score, _, _ in best) if several else None
        seeds = "" if name == TEACHERS else str(len(best))
        table.rows.append([label(name), points(scores, spread), seeds, plain(after), plain(of)])
        table.data.append({"system": name, "average": scores, "deviation": spread, "after": after, "of": of})
    table.notes.append(
        "Macro means over languages, ± the standard deviation over seeds; steps are means over runs. Recipes and "
        "settings are to be chosen by this table, not by test scores."
    )
    return table


def curve_plots(
    logs: Mapping[str, Sequence[pd.DataFrame]], metric: str, looks: Mapping[str, Look]
) -> list[Plot]:
    """Return dev scores over epochs and over steps, then losses and the teachers' weight over epochs.

    Args:
        logs: of each variant, see ``analysis.training_logs.of_task``.
        metric: of the dev scores.
        looks: of each variant.
    """
    dev, loss = f"dev {METRICS[metric]} (%), average", "nats a sentence"
    wanted = (
        _Curve("dev-epochs", "Dev score over epochs", DEV, dev, scale=100),
        _Curve("dev-steps", "Dev score over optimiser steps", DEV, dev, over_steps=True, scale=100),
        _Curve("weight", "Weight λ of the teachers", "train/teacher_weight", "λ"),
        _Curve("loss", "Training loss, λ·KD + (1 − λ)·NLL", "train/loss", loss),
        _Curve("loss-kd", "Loss against the teachers", "train/loss_kd", loss),
        _Curve("loss-nll", "Loss against the gold tags", "train/loss_nll", loss),
    )
    plots = []
    for kind in wanted:
        lines = {variant: curve(of, kind.column) for variant, of in logs.items()}
        lines = {variant: line for variant, line in lines.items() if len(line)}
        if lines:
            plots.append(_draw(kind, lines, looks))
    return plots


def _draw(kind: _Curve, lines: Mapping[str, pd.DataFrame], looks: Mapping[str, Look]) -> Plot:
    def paint(figure: Figure, axes: Axes) -> None:
        lows = []
        for variant, line in lines.items():
            look = looks[variant]
            xs = line["step"] if kind.over_steps else line.index
            every = max(1, len(line) // 8)
            low, mean, high = (kind.scale * line[column] for column in ("low", "mean", "high"))
            axes.fill_between(xs, low, high, color=look.colour, alpha=0.18, linewidth=0)
            axes.plot(
                xs, mean, color=look.colour, marker=look.marker, markevery=every, markersize=4, linewidth=1.4,
                label=label(variant),
            )  # fmt: skip
            lows.append(low.iloc[len(line) // 3 :].min())
        if kind.is_score:
            top = max(kind.scale * line["high"].max() for line in lines.values())
            room = 0.06 * (top - min(lows)) + 1e-3
            axes.set_ylim(min(lows) - room, top + room)
        axes.grid(axis="y")
        axes.set_xlabel("optimiser steps" if kind.over_steps else "epoch")
        axes.set_ylabel(kind.unit)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        legend(figure, axes)

    return draw(kind.name, kind.title, CUT if kind.is_score else PLAIN, 3.6, paint)
