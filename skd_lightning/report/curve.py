"""Scores against an option that a suite varies, such as the number of annotated sentences: one table, one picture."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from skd_lightning.analysis.collection import read
from skd_lightning.analysis.comparison import Comparison, on_trained_languages
from skd_lightning.display import terminal
from skd_lightning.display.formats import points
from skd_lightning.display.style import Plot, draw, legend
from skd_lightning.display.table import Table
from skd_lightning.errors import UserError
from skd_lightning.report.looks import system_looks
from skd_lightning.report.words import METRICS, heading, label
from skd_lightning.storage import new_file, write_text


def write_curve(
    option: str, folders: Mapping[str, Path], task: str, variants: Collection[str], out: Path
) -> None:
    """Print and write the scores of each system against the values of an option.

    Writes ``curve.md``, ``curve.csv`` and ``curve.png``. Values without a finished run are left out, and named.

    Args:
        option: its name, such as ``data.max_train_sentences``.
        folders: {value: folder of its runs}, in the order of the picture.
        task: whose runs are read.
        variants: of the students that count.
        out: folder to write to.

    Raises:
        UserError: no value has a finished run, or nothing can be written there.
    """
    found, missing, notes = {}, [], []
    for value, folder in folders.items():
        try:
            runs = read(folder, task, variants)
        except UserError:
            missing.append(value)
            continue
        found[value] = on_trained_languages(runs)
        notes += [f"{option} {value}: {note}" for note in runs.notes]
    if not found:
        raise UserError(f"no finished runs of {task} in {', '.join(map(str, folders.values()))}")
    table = curve_table(option, found, task)
    table.notes += notes
    if missing:
        table.notes.append(f"No finished runs: {option} {', '.join(missing)}.")
    plot = curve_plot(option, found)
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_text(out / "curve.md", table.markdown())
        write_text(out / "curve.csv", table.csv())
        with new_file(out / "curve.png") as file:
            file.write(plot.png)
    except OSError as error:
        raise UserError(f"cannot write the curve to {out}: {error.strerror or error}") from None
    terminal.show(table)


def curve_table(option: str, found: Mapping[str, Comparison], task: str) -> Table:
    """Return one row a system and one column a value: macro means, ± standard deviations over seeds."""
    metric = next(iter(found.values())).metric
    table = Table("curve", f"{task}: {heading(metric)}, by {option}", ["", *found])
    for name in _systems(found):
        table.rows.append([label(name)])
        for value, comparison in found.items():
            there = _has_all_languages(comparison, name)
            table.rows[-1].append(points(comparison.average(name), comparison.spread(name)) if there else "–")
            if there:
                seeds = len(comparison.systems[name])
                scores = {"average": comparison.average(name), "deviation": comparison.spread(name)}
                table.data.append({"system": name, option: value, **scores, "seeds": seeds})
    table.notes.append(
        "Macro means over languages, ± the standard deviation over seeds where there are several."
    )
    return table


def curve_plot(option: str, found: Mapping[str, Comparison]) -> Plot:
    """Return a line for each system; the values stand at equal distances, in their order."""
    values = list(found)
    metric = found[values[0]].metric
    losses = {name: loss for comparison in found.values() for name, loss in comparison.losses.items()}
    looks = system_looks(_systems(found), losses)

    def paint(figure: Figure, axes: Axes) -> None:
        for name in _systems(found):
            there = [i for i, value in enumerate(values) if _has_all_languages(found[value], name)]
            means = [100 * found[values[i]].average(name) for i in there]
            spreads = [100 * (found[values[i]].spread(name) or 0.0) for i in there]
            look = looks[name]
            axes.errorbar(
                there, means, spreads, fmt=f"-{look.marker}", color=look.colour, markersize=5, linewidth=1.4,
                elinewidth=1, label=label(name),
            )  # fmt: skip
        axes.set_xticks(range(len(values)), values)
        axes.grid(axis="y")
        axes.set_xlabel(option)
        axes.set_ylabel(f"{METRICS[metric]} (%), average")
        legend(figure, axes)

    text = "Mean over seeds, lines: one standard deviation. The values stand at equal distances."
    return draw("curve", f"Score against {option}", text, 3.6, paint)


def _has_all_languages(comparison: Comparison, name: str) -> bool:
    return name in comparison.systems and comparison.has(name) == comparison.languages


def _systems(found: Mapping[str, Comparison]) -> list[str]:
    """Return the systems of all values, each once, in the order of the tables."""
    return list(dict.fromkeys(name for comparison in found.values() for name in comparison.systems))
