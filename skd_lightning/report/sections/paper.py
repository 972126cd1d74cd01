"""The section that puts our scores, gains and times beside the paper's."""

from __future__ import annotations

from skd_lightning.analysis import paper
from skd_lightning.analysis.collection import TaskRuns
from skd_lightning.analysis.comparison import Comparison
from skd_lightning.analysis.paper import BesidePaper, Paper, PaperTable
from skd_lightning.display.formats import percent, points
from skd_lightning.display.table import Row, Table
from skd_lightning.report.findings import Findings, Section
from skd_lightning.report.labels import label


def section(findings: Findings) -> Section | None:
    """Return our figures beside the paper's, and where those come from; None where the paper has none of the task."""
    runs, printed = findings.runs, findings.paper
    if runs.generated:
        return None
    shown = beside_tables(findings.trained, printed.scores_of(runs), "paper", "Scores, ours / paper")
    if findings.zeroshot:
        for number, table in enumerate(printed.find_all(runs.name, "zeroshot"), start=1):
            name = "paper-zeroshot" if number == 1 else f"paper-zeroshot-{number}"
            shown += beside_tables(findings.zeroshot, table, name, "Zero-shot, ours / paper")
    if not shown:
        return None
    text = f"{printed.paper} ({printed.url}). The paper's numbers: {printed.setting}. {printed.source}"
    text += " Not there: " + "; ".join(printed.missing) + "." if printed.missing else ""
    text += " Figures are added in skd_lightning/analysis/paper.json; its format is told in paper.py."
    time = times_table(runs, printed)
    return Section("paper", "Beside the paper", [*shown, *([time] if time else []), text])


def beside_tables(found: Comparison, printed: PaperTable | None, name: str, title: str) -> list[Table]:
    """Return scores and gains, ours beside the paper's; nothing where they have nothing in common."""
    both = paper.beside(found, printed)
    if both is None:
        return []
    scores = _scores(both, name, title)
    return [scores, _gains(both, name, title)] if both.gains else [scores]


def _scores(both: BesidePaper, name: str, title: str) -> Table:
    table = Table(name, title, ["", *both.languages, "average"])
    for system, ours in both.ours.items():
        theirs = both.theirs[system]
        pairs = [(ours[language], theirs[language]) for language in both.languages]
        cells = [f"{points(a / 100)} / {b:.2f}" for a, b in [*pairs, (paper.mean(ours), paper.mean(theirs))]]
        table.rows.append([label(system), *cells])
        for language in both.languages:
            entry: Row = {"system": system, "language": language, "ours": ours[language]}
            table.data.append({**entry, "paper": theirs[language]})
    note = f" ({both.printed.note})" if both.printed.note else ""
    table.notes.append(
        f"Ours / paper, in per cent; {both.printed.table} of the paper{note}. Averages are over the languages shown."
    )
    return table


def _gains(both: BesidePaper, name: str, title: str) -> Table:
    columns = ["", "ours", "paper", "languages better, ours", "paper", "gap closed, ours", "paper"]
    table = Table(f"{name}-gains", f"{title}: gain over the baseline", columns)
    for system, pair in both.gains.items():
        cells = [points(gain.points / 100, signed=True) for gain in pair]
        cells += [f"{gain.better} of {len(both.languages)}" for gain in pair]
        cells += [percent(gain.closed) for gain in pair]
        table.rows.append([label(system), *cells])
        data: Row = {"system": system}
        for who, gain in zip(("ours", "paper"), pair, strict=True):
            data |= {
                f"gain_{who}": gain.points,
                f"better_{who}": gain.better,
                f"gap_closed_{who}": gain.closed,
            }
        table.data.append(data)
    table.notes.append(
        "In points, over the languages of the table above; gains compare better than scores do."
    )
    return table


def times_table(runs: TaskRuns, printed: Paper) -> Table | None:
    """Return training times as multiples of the baseline's, ours beside the paper's (whatever its task)."""
    hours = next((table for table in printed.tables if table.kind == "hours"), None)
    found = paper.times(runs, hours) if hours else {}
    if hours is None or not found:
        return None
    table = Table("paper-time", "Training time, times the baseline", ["", "ours", "paper"])
    for system, (mine, other) in found.items():
        table.rows.append([label(system), f"{mine:.2f}", f"{other:.2f}"])
        table.data.append({"system": system, "ours": mine, "paper": other})
    table.notes.append(
        f"{hours.table} of the paper: {hours.task}, {hours.note}. Both with the teachers' predictions."
    )
    return table
