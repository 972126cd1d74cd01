"""The section of differences: students against the baseline and the teachers, with the paired bootstrap."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from skd_lightning.analysis import bootstrap
from skd_lightning.analysis.collection import BASELINE, TEACHERS
from skd_lightning.analysis.comparison import Comparison
from skd_lightning.display.formats import percent, points, probability
from skd_lightning.display.style import INK, Look, Plot, band_height, bands, draw, legend, offset
from skd_lightning.display.table import Row, Table
from skd_lightning.report.findings import Findings, Section, there
from skd_lightning.report.labels import LEAST, METRICS, columns, dagger, label

INTERVAL = "95 % interval"

BASELINE_NOTE = (
    f"In points, macro mean over languages. Interval and p: paired bootstrap over test sentences "
    f"({bootstrap.RESAMPLES:,} resamples, seeds averaged in each); Holm corrects p for the number of rows; bold: "
    "corrected p below 0.05. Clearly: the interval of that language alone lies on one side of zero. Seeds better: "
    "pairs of runs with one seed, in which the macro mean is higher. The interval is about the choice of test "
    "sentences, for these trained models; another training moves scores by the ± of the table of scores."
)


def section(findings: Findings) -> Section | None:
    """Return the differences; None for students alone or teachers alone."""
    found = findings.trained
    content = there(
        baseline_table(found, "baseline", "Against the baseline"),
        controls_table(found),
        peers_table(found),
        teachers_table(found, "teachers", "Against the teachers"),
        languages_table(found),
    )
    return Section("differences", "Differences", content) if content else None


def baseline_table(found: Comparison, name: str, title: str) -> Table | None:
    """Return every student against the baseline; None without a baseline or another student."""
    return (
        _contrasts(found, dict.fromkeys(found.rivals, found.baseline), name, title) if found.rivals else None
    )


def controls_table(found: Comparison) -> Table | None:
    """Return every student against the same one without teachers; None where no student has such a control."""
    if not found.controls:
        return None
    table = _contrasts(found, found.controls, "controls", "Against the same without teachers")
    for row, control in zip(table.rows, found.controls.values(), strict=True):
        row[0] += f" against {control}"
    return table


def peers_table(found: Comparison) -> Table | None:
    """Return every peer against the baseline; None without peers or without a baseline."""
    if not found.peers or found.baseline not in found.students:
        return None
    pairs = dict.fromkeys(found.peers, found.baseline)
    table = _contrasts(found, pairs, "peers", "Peers against the baseline")
    table.strong.clear()
    return table.without("seeds better")  # their seeds have nothing to do with ours


def _contrasts(found: Comparison, pairs: Mapping[str, str], name: str, title: str) -> Table:
    """Return a row for each system, against the one that it is mapped to."""
    columns = ["", "difference", INTERVAL, "p", "p (Holm)", "languages better", "clearly better / worse"]
    table = Table(name, title, [*columns, "seeds better"])
    contrasts = {system: found.contrast(system, other) for system, other in pairs.items()}
    values = {system: c.certain.p for system, c in contrasts.items() if c and c.certain}
    corrected = dict(zip(values, bootstrap.holm([*values.values()]), strict=True))
    for system, contrast in contrasts.items():
        if contrast is None:
            table.rows.append([label(system)] + ["–"] * (len(columns)))
            continue
        certain = contrast.certain
        n, (both, won) = len(contrast.languages), contrast.seeds
        cells = [points(contrast.value, signed=True), interval(certain)]
        cells += [probability(values.get(system), LEAST), probability(corrected.get(system), LEAST)]
        cells += [f"{contrast.better} of {n}"]
        counted = len(contrast.certain_by_language)
        cells += [f"{contrast.clearly(1)} / {contrast.clearly(-1)}" if counted else "–"]
        cells += [f"{won} of {both}" if both else "–"]
        table.rows.append([label(system), *cells])
        if corrected.get(system, 1.0) < 0.05:
            table.strong.add((len(table.rows) - 1, 1))
        data: Row = {"system": system, "against": pairs[system], "difference": contrast.value}
        data |= numbers(certain) | {"p_holm": corrected.get(system), "languages": n}
        table.data.append(
            data | {"languages_better": contrast.better, "seed_pairs": both, "seed_pairs_better": won}
        )
    first = name == "baseline" or not found.rivals
    table.notes.append(BASELINE_NOTE if first else "Read as the table against the baseline above.")
    if found.baseline in pairs.values() and found.baseline != BASELINE:
        table.notes.append(f"The baseline is {found.baseline}.")
    table.notes += _without(found)
    return table


def teachers_table(found: Comparison, name: str, title: str, above: str = TEACHERS) -> Table | None:
    """Return every student against the teachers, with the share of the gap that it closes.

    Args:
        found: all systems.
        name: of the files.
        title: one line.
        above: the system of the teachers; without it there is no table.
    """
    if above not in found.systems or not found.students:
        return None
    table = Table(name, title, ["", "difference", INTERVAL, "p", "languages better", "gap closed"])
    for system in found.students:
        contrast = found.contrast(system, above)
        if contrast is None:
            table.rows.append([label(system)] + ["–"] * 5)
            continue
        certain, share = contrast.certain, found.gap_closed(system, above)
        cells = [points(contrast.value, signed=True), interval(certain)]
        cells += [probability(certain.p if certain else None, LEAST)]
        cells += [f"{contrast.better} of {len(contrast.languages)}"]
        cells += [percent(None if system == found.baseline else share)]
        table.rows.append([label(system), *cells])
        data: Row = {"system": system, "against": above, "difference": contrast.value, **numbers(certain)}
        data |= {"languages": len(contrast.languages), "languages_better": contrast.better}
        table.data.append(data | {"gap_closed": share})
    table.notes.append("Gap closed: (student − baseline) / (teachers − baseline).")
    if found.baseline in found.students and found.gap_closed(found.baseline, above) is None:
        table.notes.append("The teachers are not above the baseline here, so there is no gap to close.")
    table.notes += _without(found)
    return table


def languages_table(found: Comparison) -> Table | None:
    """Return the differences to the baseline by language; None without a baseline or another student."""
    if not found.rivals:
        return None
    table = Table("differences", "Difference to the baseline, by language", ["", *columns(found), "average"])
    for system in [*found.peers, *found.rivals]:
        contrast = found.contrast(system, found.baseline)
        if contrast is None:
            continue
        row = [points(contrast.by_language.get(language), signed=True) for language in found.languages]
        partial = "*" if contrast.languages != found.languages else ""
        table.rows.append([label(system), *row, points(contrast.value, signed=True) + partial])
        for j, language in enumerate([*found.languages, "average"]):
            certain = contrast.certain_by_language.get(language) if j < len(row) else contrast.certain
            if system not in found.peers and certain and (certain.low > 0 or certain.high < 0):
                table.strong.add((len(table.rows) - 1, j + 1))
            value = contrast.by_language.get(language) if j < len(row) else contrast.value
            table.data.append(
                {"system": system, "language": language, "difference": value, **numbers(certain)}
            )
    table.notes.append("In points. Bold: the 95 % bootstrap interval does not hold zero.")
    table.notes += dagger(found)
    return table


def differences_plot(found: Comparison, looks: Mapping[str, Look]) -> Plot | None:
    """Return each student's difference to the baseline, with its bootstrap interval where there is one."""
    contrasts = {name: c for name in found.rivals if (c := found.contrast(name, found.baseline))}
    if not contrasts:
        return None
    rows = ["average", *found.languages]

    def paint(figure: Figure, axes: Axes) -> None:
        for place, (name, contrast) in enumerate(contrasts.items()):
            look = looks[name]
            text: str | None = label(name)
            for row, language in enumerate(rows):
                whole = language == "average"
                certain = contrast.certain if whole else contrast.certain_by_language.get(language)
                value = contrast.value if whole else contrast.by_language.get(language)
                if value is None or (whole and contrast.languages != found.languages):
                    continue
                y = row + offset(place, len(contrasts))
                if certain:
                    ends = [100 * certain.low, 100 * certain.high]
                    axes.plot(ends, [y, y], color=look.colour, linewidth=1.1)
                axes.plot(100 * value, y, look.marker, color=look.colour, markersize=5, label=text)
                text = None  # once in the legend
        axes.axvline(0, color=INK, linewidth=0.9)
        bands(axes, rows)
        axes.set_xlabel(f"difference to the baseline (points of {METRICS[found.metric]})")
        legend(figure, axes)

    return draw(
        "differences",
        "Differences to the baseline",
        "Seeds averaged; lines: 95 % intervals of the paired bootstrap over test sentences.",
        band_height(rows, len(found.systems)),
        paint,
    )


def interval(certain: bootstrap.Difference | None) -> str:
    """Return the 95 % interval of a difference in points; a dash where there is none."""
    if certain is None:
        return "–"
    return f"{points(certain.low, signed=True)} to {points(certain.high, signed=True)}"


def numbers(certain: bootstrap.Difference | None) -> Row:
    """Return interval and p value of a difference as columns of a CSV file."""
    if certain is None:
        return {"low": None, "high": None, "p": None}
    return {"low": certain.low, "high": certain.high, "p": certain.p}


def _without(found: Comparison) -> list[str]:
    """Return sentences that say which systems have no bootstrap, and why."""
    if len(found.partly_counted) == len(found.systems) and not any(found.partly_counted.values()):
        return ["No bootstrap: these runs have no counts of single sentences."]
    said = []
    for name, counted in found.partly_counted.items():
        runs = len(found.systems[name])
        if counted:
            from_some = f"from the {counted} of {runs} runs whose sentences were counted."
            said.append(f"{label(name)}: difference, interval and p {from_some}")
        else:
            said.append(f"{label(name)}: no bootstrap, its runs have no counts of single sentences.")
    return said
