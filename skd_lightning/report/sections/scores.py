"""The section of scores: each system on each language."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from skd_lightning.analysis.collection import TEACHERS, TaskRuns
from skd_lightning.analysis.comparison import Comparison
from skd_lightning.analysis.cost import cost
from skd_lightning.display.formats import plain, points
from skd_lightning.display.style import Look, Plot, band_height, bands, draw, legend, offset
from skd_lightning.display.table import Row, Table
from skd_lightning.report.findings import Findings, Section, there
from skd_lightning.report.labels import METRICS, PARTIAL, columns, dagger, heading, label
from skd_lightning.report.sections.differences import differences_plot

PEERS_NOTE = "Peers: other libraries, trained from scratch on the same sentences and scored alike."


def section(findings: Findings) -> Section | None:
    """Return the table of scores, its plot, and beside that the plot of differences to the baseline."""
    found = findings.trained
    table = scores_table(found, "table", f"T{heading(found.metric)[1:]}")
    plots = scores_plot(found, findings.looks), differences_plot(found, findings.looks)
    return Section("scores", "Scores", there(table, *plots))


def scores_table(found: Comparison, name: str, title: str) -> Table:
    """Return the scores by language, mean ± deviation over seeds; the best student is bold."""
    table = Table(name, title, ["", *columns(found), "average", "seeds"])
    best = found.best() if len(found.students) > 1 else None
    for i, system in enumerate(found.systems):
        partial = "*" if found.has(system) != found.languages else ""
        cells = [
            points(found.mean(system, language), found.spread(system, language))
            for language in found.languages
        ]
        average = points(found.average(system), found.spread(system)) + partial
        seeds = str(len(found.seeds[system])) if system in found.seeds else ""
        table.rows.append([label(system), *cells, average, seeds])
        table.data += _data(found, system)
        if system == best:
            table.strong |= {(i, 0), (i, len(found.languages) + 1)}
    for j, language in enumerate(found.languages):
        table.strong |= {(i, j + 1) for i in _best_students(found, language)}
    table.notes += _notes(found)
    return table


def _data(found: Comparison, system: str) -> list[Row]:
    rows: list[Row] = []
    for language in [*found.languages, "average"]:
        whole = language == "average"
        value = found.average(system) if whole else found.mean(system, language)
        spread = found.spread(system, None if whole else language)
        entry: Row = {"system": system, "language": language, "score": value, "deviation": spread}
        rows.append({**entry, "seeds": len(found.seeds[system]) if system in found.seeds else None})
    return rows


def _best_students(found: Comparison, language: str) -> set[int]:
    """Return the rows of the best students on a language, as printed; none where only one was tested."""
    rows = {
        i: round(100 * score, 2)
        for i, system in enumerate(found.systems)
        if system in found.students and not math.isnan(score := found.mean(system, language))
    }
    best = max(rows.values(), default=0)
    return {i for i, score in rows.items() if score == best} if best and len(rows) > 1 else set()


def _notes(found: Comparison) -> list[str]:
    counts = {len(seeds) for seeds in found.seeds.values()}
    notes = []
    if counts - {1}:
        notes.append("Mean ± sample standard deviation (n − 1) over seeds; no ± where there is one seed.")
    elif counts:
        notes.append("One seed each: nothing is known about the deviation over trainings.")
    bold = "Bold: the best student. Average: macro mean over languages."
    notes.append(bold + (" Teachers: on each language its own." if TEACHERS in found.systems else ""))
    notes += dagger(found)
    if found.peers:
        notes.append(PEERS_NOTE)
    if any(found.has(system) != found.languages for system in found.systems):
        notes.append(PARTIAL)
    return notes


def brief_table(runs: TaskRuns, found: Comparison, title: str) -> Table:
    """Return a table for the terminal: scores, the average with its deviation, seconds of the fit."""
    table = Table("brief", title, ["", *columns(found), "average", "seeds", "fit s"])
    for i, system in enumerate(found.systems):
        partial = "" if found.has(system) == found.languages else "*"
        cells = [points(found.mean(system, language)) for language in found.languages]
        cells += [points(found.average(system), found.spread(system)) + partial]
        cells += [str(len(found.seeds[system])) if system in found.seeds else "", plain(_fit(runs, system))]
        table.rows.append([label(system), *cells])
        if system == found.best() and len(found.students) > 1:
            table.strong |= {(i, 0), (i, len(found.languages) + 1)}
    table.notes += dagger(found)
    if any(found.has(system) != found.languages for system in found.systems):
        table.notes.append(PARTIAL)
    return table


def _fit(runs: TaskRuns, system: str) -> float:
    """Return seconds: of the teachers together, of a student on average; CPU seconds of a peer."""
    if system == TEACHERS:
        return cost(list(runs.teachers.values()), together=True)["fit"]
    if system in runs.peers:
        return fmean(peer.results.seconds["fit"] for peer in runs.peers[system])
    return cost(runs.students[system])["fit"]


def scores_plot(found: Comparison, looks: Mapping[str, Look]) -> Plot:
    """Return a plot with a dot a system and language; the line spans one deviation to each side."""
    rows = ["average", *found.languages]

    def paint(figure: Figure, axes: Axes) -> None:
        for place, name in enumerate(found.systems):
            xs, ys, errors = [], [], []
            for row, language in enumerate(rows):
                whole = language == "average"
                if whole and found.has(name) != found.languages:
                    continue
                value = found.average(name) if whole else found.mean(name, language)
                if math.isnan(value):
                    continue
                xs.append(100 * value)
                ys.append(row + offset(place, len(found.systems)))
                errors.append(100 * (found.spread(name, None if whole else language) or 0.0))
            _dots(axes, xs, ys, errors, looks[name], label(name))
        bands(axes, rows)
        axes.set_xlabel(f"test {METRICS[found.metric]} (%)")
        legend(figure, axes)

    return draw(
        "scores",
        "Scores by language",
        "Mean over seeds; lines span one standard deviation to each side where there are several seeds.",
        band_height(rows, len(found.systems)),
        paint,
    )


def _dots(
    axes: Axes, xs: Sequence[float], ys: Sequence[float], errors: Sequence[float], look: Look, text: str
) -> None:
    lows = [x - error for x, error in zip(xs, errors, strict=True)]
    highs = [x + error for x, error in zip(xs, errors, strict=True)]
    axes.hlines(ys, lows, highs, color=look.colour, linewidth=1.1)
    axes.plot(xs, ys, look.marker, color=look.colour, markersize=5, label=text)
