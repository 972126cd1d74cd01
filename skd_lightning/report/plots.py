"""The plots of the report: scores, differences, curves, cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from skd_lightning.analysis import curves as logs
from skd_lightning.analysis.board import Board
from skd_lightning.analysis.collection import TEACHERS, Task
from skd_lightning.display.style import INK, Look, Plot, band_height, bands, draw, legend, offset
from skd_lightning.display.table import label
from skd_lightning.report.cost import cost
from skd_lightning.report.tables import METRICS

Looks = Mapping[str, Look]

K_LOSSES = ("topk", "topwk", "pos_topwk")


def scores(board: Board, looks: Looks) -> Plot:
    """A dot a system and language, the line spans one deviation to each side."""
    rows = ["average", *board.languages]

    def paint(figure: Figure, axes: Axes) -> None:
        for place, name in enumerate(board.systems):
            xs, ys, errors = [], [], []
            for row, language in enumerate(rows):
                whole = language == "average"
                if whole and board.has(name) != board.languages:
                    continue
                value = board.average(name) if whole else board.mean(name, language)
                if math.isnan(value):
                    continue
                xs.append(100 * value)
                ys.append(row + offset(place, len(board.systems)))
                errors.append(100 * (board.spread(name, None if whole else language) or 0.0))
            _dots(axes, xs, ys, errors, looks[name], label(name))
        bands(axes, rows)
        axes.set_xlabel(f"test {METRICS[board.metric]} (%)")
        legend(figure, axes)

    return draw(
        "scores",
        "Scores by language",
        "Mean over seeds; lines span one standard deviation to each side where there are several seeds.",
        band_height(rows, len(board.systems)),
        paint,
    )


def differences(board: Board, looks: Looks) -> Plot | None:
    """Each student's difference to the baseline, with its bootstrap interval where there is one."""
    others = [name for name in board.students if name != board.baseline]
    found = (
        {name: c for name in others if (c := board.compare(name, board.baseline))}
        if board.baseline in board.students
        else {}
    )
    if not found:
        return None
    rows = ["average", *board.languages]

    def paint(figure: Figure, axes: Axes) -> None:
        for place, (name, comparison) in enumerate(found.items()):
            look = looks[name]
            for row, language in enumerate(rows):
                certain = (
                    comparison.certain
                    if language == "average"
                    else comparison.certain_by_language.get(language)
                )
                value = comparison.value if language == "average" else comparison.by_language.get(language)
                if value is None or (language == "average" and comparison.languages != board.languages):
                    continue
                y = row + offset(place, len(found))
                if certain:
                    axes.plot(
                        [100 * certain.low, 100 * certain.high], [y, y], color=look.colour, linewidth=1.1
                    )
                text = label(name) if row == 0 else None
                axes.plot(100 * value, y, look.marker, color=look.colour, markersize=5, label=text)
        axes.axvline(0, color=INK, linewidth=0.9)
        bands(axes, rows)
        axes.set_xlabel(f"difference to the baseline (points of {METRICS[board.metric]})")
        legend(figure, axes)

    return draw(
        "differences",
        "Differences to the baseline",
        "Seeds averaged; lines: 95 % intervals of the paired bootstrap over test sentences.",
        band_height(rows, len(board.systems)),
        paint,
    )


def score_by_k(task: Task, board: Board, looks: Looks) -> Plot | None:
    """Average score against k, where a loss was trained with several; of two variants with one k the plainer name."""
    lines: dict[str, dict[int, str]] = {}
    for name in sorted(board.students, key=lambda name: (len(name), name)):
        runs = task.students[name]
        ks = {run.number("k") for run in runs}
        if runs[0].loss not in K_LOSSES or len(ks) > 1 or board.has(name) != board.languages:
            continue
        if not math.isnan(k := ks.pop()):
            lines.setdefault(runs[0].loss, {}).setdefault(int(k), name)
    lines = {loss: lines[loss] for loss in K_LOSSES if len(lines.get(loss, {})) > 1}
    if not lines:
        return None

    def paint(figure: Figure, axes: Axes) -> None:
        for name, style in ((TEACHERS, (0, (5, 2))), (board.baseline, (0, (2, 1.5)))):
            if name in board.systems and board.has(name) == board.languages:
                value = 100 * board.average(name)
                axes.axhline(
                    value, color=looks[name].colour, linestyle=style, linewidth=1.3, label=label(name)
                )
        for loss, variants in lines.items():
            look = looks[loss]
            ks = sorted(variants)
            means = [100 * board.average(variants[k]) for k in ks]
            spreads = [100 * (board.spread(variants[k]) or 0.0) for k in ks]
            axes.errorbar(
                ks, means, spreads, fmt=f"-{look.marker}", color=look.colour, markersize=5, linewidth=1.4,
                elinewidth=1, label=loss,
            )  # fmt: skip
        axes.set_xticks(sorted({k for variants in lines.values() for k in variants}))
        axes.grid(axis="y")
        axes.set_xlabel("k")
        axes.set_ylabel(f"{METRICS[board.metric]} (%), average")
        legend(figure, axes)

    return draw("k", "Score against k", "Mean over seeds, lines: one standard deviation.", 3.6, paint)


def curves(task: Task, looks: Looks, notes: list[str]) -> list[Plot]:
    """Dev scores over epochs and over steps, then losses and the teachers' weight over epochs."""
    known = {name: logs.of_runs(runs, notes) for name, runs in task.students.items()}
    metric = METRICS[task.metric]
    dev = f"dev {metric} (%), average"
    cut = "Mean over seeds, shaded from the lowest to the highest. The first third of the epochs may be cut off below."
    plain = "Mean over seeds, shaded from the lowest to the highest."
    wanted = (
        ("dev-epochs", "Dev score over epochs", cut, "dev/average", "epoch", dev, 100.0),
        ("dev-steps", "Dev score over optimiser steps", cut, "dev/average", "step", dev, 100.0),
        ("weight", "Weight λ of the teachers", plain, "train/teacher_weight", "epoch", "λ", 1.0),
        ("loss", "Training loss, λ·KD + (1 − λ)·NLL", plain, "train/loss", "epoch", "nats a sentence", 1.0),
        ("loss-kd", "Loss against the teachers", plain, "train/loss_kd", "epoch", "nats a sentence", 1.0),
        ("loss-nll", "Loss against the gold tags", plain, "train/loss_nll", "epoch", "nats a sentence", 1.0),
    )
    found = []
    for name, title, caption, column, axis, unit, scale in wanted:
        lines = {variant: logs.curve(of, column) for variant, of in known.items()}
        lines = {variant: line for variant, line in lines.items() if len(line)}
        if lines:
            found.append(_curve(name, title, caption, lines, axis, unit, scale, looks))
    return found


def _curve(
    name: str, title: str, caption: str, lines: Mapping[str, pd.DataFrame], axis: str, unit: str, scale: float,
    looks: Looks,
) -> Plot:  # fmt: skip
    def paint(figure: Figure, axes: Axes) -> None:
        lows = []
        for variant, line in lines.items():
            look = looks[variant]
            xs = line["step"] if axis == "step" else line.index
            every = max(1, len(line) // 8)
            axes.fill_between(
                xs, scale * line["low"], scale * line["high"], color=look.colour, alpha=0.18, linewidth=0
            )
            axes.plot(
                xs, scale * line["mean"], color=look.colour, marker=look.marker, markevery=every, markersize=4,
                linewidth=1.4, label=label(variant),
            )  # fmt: skip
            lows.append(scale * line["low"].iloc[len(line) // 3 :].min())
        if name.startswith("dev"):
            top = max(scale * line["high"].max() for line in lines.values())
            room = 0.06 * (top - min(lows)) + 1e-3
            axes.set_ylim(min(lows) - room, top + room)
        axes.grid(axis="y")
        axes.set_xlabel("optimiser steps" if axis == "step" else "epoch")
        axes.set_ylabel(unit)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        legend(figure, axes)

    return draw(name, title, caption, 3.6, paint)


def costs(task: Task, looks: Looks) -> Plot | None:
    """Time and memory of each student as a multiple of the baseline's."""
    if task.baseline not in task.students or len(task.students) < 2:
        return None
    base = cost(task.students[task.baseline])
    names = [name for name in task.students if name != task.baseline][::-1]
    signs = [
        ("fit", "o", "full", "time of the fit"),
        ("whole", "o", "none", "with the teachers' predictions"),
        ("memory", "s", "full", "peak memory"),
    ]

    def paint(figure: Figure, axes: Axes) -> None:
        for row, name in enumerate(names):
            found = cost(task.students[name])
            for key, marker, fill, _ in signs:
                value = found[key] / base[key] if base[key] else math.nan
                axes.plot(value, row, marker, color=looks[name].colour, fillstyle=fill, markersize=7)
        for _, marker, fill, text in signs:
            axes.plot([], [], marker, color=INK, fillstyle=fill, markersize=6, label=text)
        axes.axvline(1, color=looks[task.baseline].colour, linewidth=1.2)
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(-0.6, len(names) - 0.4)
        axes.set_xlim(left=min(0.95, axes.get_xlim()[0]))
        axes.grid(axis="both")
        axes.set_xlabel("times the baseline")
        legend(figure, axes)

    height = 1.5 + 0.27 * len(names)
    return draw("cost", "Time and memory, relative to the baseline", "Means over seeds.", height, paint)


def _dots(
    axes: Axes, xs: Sequence[float], ys: Sequence[float], errors: Sequence[float], look: Look, text: str
) -> None:
    axes.hlines(
        ys, [x - e for x, e in zip(xs, errors, strict=True)], [x + e for x, e in zip(xs, errors, strict=True)],
        color=look.colour, linewidth=1.1,
    )  # fmt: skip
    axes.plot(xs, ys, look.marker, color=look.colour, markersize=5, label=text)
