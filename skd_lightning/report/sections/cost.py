"""The section of cost: time, memory and size, with ratios to the baseline."""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import fmean

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from skd_lightning.analysis.collection import TEACHERS, TaskRuns
from skd_lightning.analysis.cost import cost, ratios
from skd_lightning.display.formats import plain
from skd_lightning.display.style import INK, Look, Plot, draw, legend
from skd_lightning.display.table import Table
from skd_lightning.report.findings import Findings, Section, there
from skd_lightning.report.labels import label

RATIOS = ("fit ×", "whole ×")


def section(findings: Findings) -> Section | None:
    """Return the tables of costs and their plot; no ratios for generated corpora, whose runs take seconds."""
    runs = findings.runs
    table = cost_table(runs) if runs.teachers or runs.students else None
    plot = None if runs.generated else cost_plot(runs, findings.looks)
    return Section("cost", "Time, memory and size", there(table, plot, peers_table(runs)))


def cost_table(runs: TaskRuns) -> Table:
    """Return time, memory, steps and parameters of each system, with ratios to the baseline."""
    columns = ["", "predictions s", "fit s", *RATIOS, "ms a step", "peak MiB", "steps", "parameters"]
    table = Table("cost", "Time, memory and size", columns)
    compared = runs.baseline in runs.students and not runs.generated
    base = cost(runs.students[runs.baseline]) if compared else {}
    rows = {TEACHERS: cost(list(runs.teachers.values()), together=True)} if runs.teachers else {}
    rows |= {name: cost(group) for name, group in runs.students.items()}
    for name, found in rows.items():
        times = ratios(found, base) if name != TEACHERS else {}
        table.rows.append([label(name), *_cells(found, times)])
        further = {f"{key}_ratio": value for key, value in times.items() if value}
        table.data.append({"system": name, **found, **further})
    if not compared:
        for column in RATIOS:
            table = table.without(column)
    ratio = "; × is the ratio to the baseline" if compared else ""
    whole = "Whole: predictions and fit. " if compared else ""
    table.notes.append(
        f"Means over seeds{ratio}. Predictions: what the teachers' predictions took in the run that made them (the "
        f"largest of the seeds; later runs find them in the cache). {whole}Teachers: sums, for "
        "memory the largest. Times compare only between runs on the same, otherwise idle machine."
    )
    return table


def peers_table(runs: TaskRuns) -> Table | None:
    """Return CPU time, speed, memory and parameters of each peer, means over seeds; None without peers."""
    if not runs.peers:
        return None
    columns = ["", "training CPU s", "tagging words/s", "peak MiB", "parameters"]
    table = Table("peers-cost", "Time, speed and size of the peers", columns)
    for name, group in runs.peers.items():
        results = [peer.results for peer in group]
        fit, speed = (
            fmean(found.seconds["fit"] for found in results),
            fmean(found.words_per_second for found in results),
        )
        memory, size = (
            fmean(getattr(found, what) for found in results) for what in ("peak_memory_mib", "parameters")
        )
        table.rows.append([label(name), plain(fit), plain(speed), plain(memory), f"{size / 1e6:.2f} M"])
        table.data.append(
            {"system": name, "fit": fit, "words_per_second": speed, "memory": memory, "parameters": size}
        )
    table.notes.append(
        "CPU seconds of training, all languages together. Words/s: test words tagged in a CPU second, features and "
        "decoding included. Times compare only between runs on the same, otherwise idle machine."
    )
    return table


def _cells(found: Mapping[str, float], times: Mapping[str, float]) -> list[str]:
    deviation = f" ± {found['fit_deviation']:.0f}" if found["fit_deviation"] >= 0 else ""
    fit = "–" if math.isnan(found["fit"]) else f"{found['fit']:.0f}{deviation}"
    cells = [plain(found["predictions"]), fit]
    cells += ["–" if key not in times else f"{times[key]:.2f}" for key in ("fit", "whole")]
    cells += [plain(found["step"], 1)]
    cells += [plain(found[key]) + _bracket(times.get(key)) for key in ("memory", "steps")]
    size = found["parameters"] / 1e6
    return [*cells, "–" if math.isnan(size) else f"{size:.2f} M" + _bracket(times.get("parameters"))]


def _bracket(ratio: float | None) -> str:
    return "" if ratio is None or round(ratio, 2) == 1 else f" (× {ratio:.2f})"


def cost_plot(runs: TaskRuns, looks: Mapping[str, Look]) -> Plot | None:
    """Return time and memory of each student as a multiple of the baseline's; None without a baseline."""
    if runs.baseline not in runs.students or len(runs.students) < 2:
        return None
    base = cost(runs.students[runs.baseline])
    names = [name for name in runs.students if name != runs.baseline][::-1]
    signs = [
        ("fit", "o", "full", "time of the fit"),
        ("whole", "o", "none", "with the teachers' predictions"),
        ("memory", "s", "full", "peak memory"),
    ]

    def paint(figure: Figure, axes: Axes) -> None:
        for row, name in enumerate(names):
            times = ratios(cost(runs.students[name]), base)
            for key, marker, fill, _ in signs:
                value = times.get(key, math.nan)
                axes.plot(value, row, marker, color=looks[name].colour, fillstyle=fill, markersize=7)
        for _, marker, fill, text in signs:
            axes.plot([], [], marker, color=INK, fillstyle=fill, markersize=6, label=text)
        axes.axvline(1, color=looks[runs.baseline].colour, linewidth=1.2)
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(-0.6, len(names) - 0.4)
        axes.set_xlim(left=min(0.95, axes.get_xlim()[0]))
        axes.grid(axis="both")
        axes.set_xlabel("times the baseline")
        legend(figure, axes)

    height = 1.5 + 0.27 * len(names)
    return draw("cost", "Time and memory, relative to the baseline", "Means over seeds.", height, paint)
