"""The section of calibration: whether what a system is 90 % sure of is right in 90 % of the cases."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from skd_lightning.analysis.calibration import Bins, Measure, Tested, Unit, bins, of_task, over_seeds, value
from skd_lightning.analysis.collection import TEACHERS
from skd_lightning.display.formats import points
from skd_lightning.display.style import FAINT, INK, Look, Plot, draw, legend
from skd_lightning.display.table import Row, Table
from skd_lightning.report.findings import Findings, Section, there
from skd_lightning.report.labels import label
from skd_lightning.taggers.confidences import BINS

FEWEST = 20
"""Words or entities in a bin: the share of fewer that is right says little, and is not drawn."""

ECE: dict[Unit, Measure] = {"words": "word_ece", "entities": "entity_ece"}
HEADINGS: dict[Measure, str] = {"word_ece": "word ECE", "entity_ece": "entity ECE", "log_loss": "log loss"}


def section(findings: Findings) -> Section | None:
    """Return calibration errors, then reliability diagrams of words and entities; None where no run has counts."""
    found = of_task(findings.runs, findings.notes)
    if not found:
        return None
    systems = {name: found.get(name, []) for name in findings.trained.systems}
    units: list[Unit] = ["words"]
    if any(row.entities for taggers in found.values() for tagger in taggers for row in tagger.values()):
        units.append("entities")
    languages = findings.trained.languages
    tables = calibration_table(systems, languages, units), languages_table(found, languages, units)
    if any(name in found for name in findings.runs.peers):
        tables[0].notes.append(
            "Peers: what their libraries offer as a probability; where one has none for entities, the share of a beam."
        )
    plots = [reliability_plot(found, unit, findings.looks) for unit in units]
    return Section("calibration", "Calibration", there(*tables, *plots))


def calibration_table(
    systems: Mapping[str, Sequence[Tested]], languages: Sequence[str], units: Sequence[Unit]
) -> Table:
    """Return calibration errors and log loss, macro means over languages, mean ± deviation over seeds.

    Args:
        systems: in the order of the rows; one without counts has dashes.
        languages: of the test.
        units: the columns of calibration errors.
    """
    title = "Expected calibration error (ECE) in per cent, log loss in nats a word"
    measures: list[Measure] = [*(ECE[unit] for unit in units), "log_loss"]
    table = Table("calibration", title, ["", *(HEADINGS[measure] for measure in measures), "seeds"])
    for name, taggers in systems.items():
        cells = [_cell(taggers, measure, languages) for measure in measures]
        table.rows.append([label(name), *cells, str(_seeds(name, taggers) or "")])
        if taggers:
            table.data.append(_numbers(name, taggers, measures, languages))
    table.notes.append(
        "Macro means over languages; less is better. ECE: distance of the probability from the share that is right, in "
        f"{BINS} bins of equal width (Guo et al. 2017), over the decoded tags of words or over predicted entities. Log "
        "loss: −log p of the gold tag."
    )
    if any("*" in cell for row in table.rows for cell in row[1:]):
        table.notes.append("* over the languages where it is known; not comparable with the others.")
    return table


def languages_table(
    systems: Mapping[str, Sequence[Tested]], languages: Sequence[str], units: Sequence[Unit]
) -> Table:
    """Return the calibration error of the last of the units by language; the data have all measures."""
    unit = units[-1]
    title = f"ECE of {unit} by language in per cent"
    measures: list[Measure] = [*(ECE[each] for each in units), "log_loss"]
    table = Table("calibration-languages", title, ["", *languages])
    for name, taggers in systems.items():
        cells = [_cell(taggers, ECE[unit], [language]) for language in languages]
        table.rows.append([label(name), *cells])
        for language in languages:
            numbers = _numbers(name, taggers, measures, [language])
            table.data.append({"system": name, "language": language, **numbers})
    return table


def _cell(taggers: Sequence[Tested], measure: Measure, languages: Sequence[str]) -> str:
    mean, spread = over_seeds(taggers, measure, languages)
    if math.isnan(mean):
        return "–"
    if measure != "log_loss":
        text = points(mean, spread)
    else:
        text = f"{mean:.4f}" if spread is None else f"{mean:.4f} ± {spread:.4f}"
    partial = any(math.isnan(value(each, measure, [code])) for each in taggers for code in languages)
    return text + "*" * partial


def _numbers(
    name: str, taggers: Sequence[Tested], measures: Sequence[Measure], languages: Sequence[str]
) -> Row:
    row: Row = {"system": name}
    for measure in measures:
        row[measure], row[f"{measure}_deviation"] = over_seeds(taggers, measure, languages)
    return {**row, "seeds": _seeds(name, taggers)}


def _seeds(name: str, taggers: Sequence[Tested]) -> int | None:
    """Return the number of seeds; None for the teachers, of which each language has one."""
    return None if name == TEACHERS else len(taggers)


def reliability_plot(
    systems: Mapping[str, Sequence[Tested]], unit: Unit, looks: Mapping[str, Look]
) -> Plot | None:
    """Return a reliability diagram, a line a system; below it the shares of the bins. None without words or entities.

    Args:
        systems: those that have counts.
        unit: ``words`` or ``entities``.
        looks: of each system.
    """
    found = {name: bins(taggers, unit) for name, taggers in systems.items()}
    lines = {name: counts for name, counts in found.items() if counts is not None and counts.count.sum()}
    if not lines:
        return None

    def paint(figure: Figure, axes: Axes) -> None:
        grid = figure.add_gridspec(2, 1, height_ratios=(4, 1))
        axes.set_subplotspec(grid[0])
        below = figure.add_subplot(grid[1], sharex=axes)
        axes.plot([0, 100], [0, 100], color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
        for name, counts in lines.items():
            _line(axes, below, counts, looks[name], label(name))
        for one in (axes, below):
            one.grid(color=FAINT)
        axes.set(xlim=(0, 101), ylim=(0, 101), ylabel=f"right {unit} (%)")
        axes.tick_params(labelbottom=False)
        below.set(yscale="log", xlabel="probability (%)", ylabel=f"{unit} (%)")
        lowest = below.get_ylim()[0]  # not above 0 where no bin is drawn
        below.set_ylim(lowest if lowest > 0 else 1, 100)
        below.yaxis.set_major_formatter("{x:g}")
        below.yaxis.set_major_locator(LogLocator(numticks=6))
        # Where there is one power of ten, matplotlib would label these too, as formulae.
        below.yaxis.set_minor_locator(NullLocator())
        legend(figure, axes)

    return draw(
        f"calibration-{unit}",
        f"Reliability: {unit}",
        f"On the dashed line a system is as often right as it says; below it, it is too sure of itself. All languages "
        f"and seeds together; bins of fewer than {FEWEST} {unit} are not drawn. Lower part: the share of the {unit} in "
        "each bin, on a logarithmic scale.",
        5.2,
        paint,
    )


def _line(axes: Axes, below: Axes, counts: Bins, look: Look, text: str) -> None:
    """Draw a system: its right share over its mean probability in each bin, and the share of the bin."""
    drawn = counts.count >= FEWEST
    number = counts.count[drawn]
    sure, right = (100 * sums[drawn] / number for sums in (counts.confidence, counts.correct))
    axes.plot(sure, right, color=look.colour, marker=look.marker, markersize=4, linewidth=1.2, label=text)
    edges = np.linspace(0, 100, len(counts.count) + 1)
    shares = 100 * np.where(drawn, counts.count, np.nan) / counts.count.sum()
    below.stairs(shares, edges, color=look.colour, linewidth=1.2, baseline=None)
