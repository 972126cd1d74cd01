"""Scores against an option that a suite varies, such as the number of annotated sentences: a table and a picture."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from skd_lightning.analysis.collection import read_task
from skd_lightning.analysis.comparison import Comparison, on_trained_languages
from skd_lightning.display import terminal
from skd_lightning.display.formats import points
from skd_lightning.display.style import WIDTH, Look, Plot, draw_figure, legend
from skd_lightning.display.table import Table
from skd_lightning.errors import UserError
from skd_lightning.report.labels import METRICS, heading, label
from skd_lightning.report.looks import system_looks
from skd_lightning.storage import new_file, write_text

PANEL = 3.2  # inches, the width of one of several panels


@dataclass(frozen=True)
class Curve:
    """What was found of one task.

    Attributes:
        task: its name.
        option: the option that varies, such as ``data.max_train_sentences``.
        found: {value: its runs compared}, in the order of the picture; values without a finished run are left out.
        notes: what was left out, and why.
    """

    task: str
    option: str
    found: Mapping[str, Comparison]
    notes: Sequence[str] = ()


def read_curve(option: str, folders: Mapping[str, Path], task: str, variants: Collection[str]) -> Curve:
    """Read the runs of all values of an option.

    Args:
        option: its name.
        folders: {value: folder of its runs}, in the order of the picture.
        task: whose runs are read.
        variants: of the students that count.

    Raises:
        UserError: no value has a finished run.
    """
    found, missing, notes = {}, [], []
    for value, folder in folders.items():
        try:
            runs = read_task(folder, task, variants)
        except UserError:
            missing.append(value)
            continue
        found[value] = on_trained_languages(runs)
        notes += [f"{option} {value}: {note}" for note in runs.notes]
    if not found:
        raise UserError(f"no finished runs of {task} in {', '.join(map(str, folders.values()))}")
    if missing:
        notes.append(f"No finished runs: {option} {', '.join(missing)}.")
    return Curve(task, option, found, notes)


def write_curve(curve: Curve, out: Path) -> None:
    """Print the scores of each system against the values; write ``curve.md``, ``curve.csv`` and ``curve.png``.

    Raises:
        UserError: nothing can be written there.
    """
    table = curve_table(curve)
    with _writing(out):
        write_text(out / "curve.md", table.markdown())
        write_text(out / "curve.csv", table.csv())
        _write_plot(curves_plot([curve]), out / "curve.png")
    terminal.show(table)


def write_curves(curves: Sequence[Curve], out: Path) -> None:
    """Write ``curves.png``, which has a panel for each task.

    Raises:
        UserError: nothing can be written there.
    """
    with _writing(out):
        _write_plot(curves_plot(curves), out / "curves.png")


def curve_table(curve: Curve) -> Table:
    """Return one row a system and one column a value: macro means, ± standard deviations over seeds."""
    table = Table("curve", f"{curve.task}: {heading(_metric(curve))}, by {curve.option}", ["", *curve.found])
    for name in _systems([curve]):
        table.rows.append([label(name)])
        for value, comparison in curve.found.items():
            there = _has_all_languages(comparison, name)
            table.rows[-1].append(points(comparison.average(name), comparison.spread(name)) if there else "–")
            if there:
                seeds = len(comparison.systems[name])
                scores = {"average": comparison.average(name), "deviation": comparison.spread(name)}
                table.data.append({"system": name, curve.option: value, **scores, "seeds": seeds})
    table.notes.append(
        "Macro means over languages, ± the standard deviation over seeds where there are several."
    )
    table.notes += curve.notes
    return table


def curves_plot(curves: Sequence[Curve]) -> Plot:
    """Return two panels for each task, of scores and of differences to the baseline, with a line for each system."""
    losses = {
        name: loss
        for curve in curves
        for comparison in curve.found.values()
        for name, loss in comparison.losses.items()
    }
    looks = system_looks(_systems(curves), losses)

    def paint(figure: Figure) -> None:
        panels = figure.subplots(2, len(curves), squeeze=False, sharex="col", height_ratios=(3, 2))
        for (scores, differences), curve in zip(panels.T, curves, strict=True):
            _paint(scores, differences, curve, looks)
            if len(curves) > 1:
                scores.set_title(curve.task, fontsize="medium")
        legend(figure, *panels[0])

    option = curves[0].option
    text = (
        "Above, means over seeds, with one standard deviation; below, students against the baseline. The values stand "
        "at equal distances."
    )
    width = WIDTH if len(curves) == 1 else PANEL * len(curves)
    return draw_figure("curve", f"Score against {option}", text, 5.4, paint, width)


def _paint(scores: Axes, differences: Axes, curve: Curve, looks: Mapping[str, Look]) -> None:
    """Draw the scores of one task's systems in one panel, and those of students less the baseline's in another."""
    values = list(curve.found)
    for name in _systems([curve]):
        there = {
            i: curve.found[value]
            for i, value in enumerate(values)
            if _has_all_languages(curve.found[value], name)
        }
        means = [100 * found.average(name) for found in there.values()]
        spreads = [100 * (found.spread(name) or 0.0) for found in there.values()]
        line: dict[str, Any] = {
            "fmt": f"-{looks[name].marker}",
            "color": looks[name].colour,
            "markersize": 5,
            "linewidth": 1.4,
        }
        scores.errorbar([*there], means, spreads, elinewidth=1, label=label(name), **line)
        above = {
            i: 100 * (found.average(name) - found.average(found.baseline))
            for i, found in there.items()
            if name in found.rivals and _has_all_languages(found, found.baseline)
        }
        differences.errorbar([*above], [*above.values()], **line)
    differences.axhline(0, color="0.4", linewidth=1)
    differences.set_xticks(range(len(values)), values)
    for axes in (scores, differences):
        axes.grid(axis="y")
    differences.set_xlabel(curve.option)
    scores.set_ylabel(f"{METRICS[_metric(curve)]} (%), average")
    differences.set_ylabel("points above the baseline")


@contextmanager
def _writing(out: Path) -> Iterator[None]:
    try:
        out.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise UserError(f"cannot write the curve to {out}: {error.strerror or error}") from None


def _write_plot(plot: Plot, file: Path) -> None:
    with new_file(file) as handle:
        handle.write(plot.png)


def _metric(curve: Curve) -> str:
    return next(iter(curve.found.values())).metric


def _has_all_languages(comparison: Comparison, name: str) -> bool:
    return name in comparison.systems and comparison.has(name) == comparison.languages


def _systems(curves: Iterable[Curve]) -> list[str]:
    """Return the systems of all values, each once, in the order of the tables."""
    return list(
        dict.fromkeys(
            name for curve in curves for comparison in curve.found.values() for name in comparison.systems
        )
    )
