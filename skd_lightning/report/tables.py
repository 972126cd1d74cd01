"""The tables of the report."""

from __future__ import annotations

import math
from collections.abc import Sequence

from skd_lightning.analysis import bootstrap
from skd_lightning.analysis.board import Board
from skd_lightning.analysis.collection import BASELINE, TEACHERS, Task
from skd_lightning.display.table import Row, Table, label, plain, points, probability
from skd_lightning.report.cost import cost

METRICS = {"f1": "entity F1", "accuracy": "accuracy"}
LEAST = 1 / (1 + bootstrap.RESAMPLES)
INTERVAL = "95 % interval"

BASELINE_NOTE = (
    f"In points, macro mean over languages. Interval and p: paired bootstrap over test sentences "
    f"({bootstrap.RESAMPLES:,} resamples, seeds averaged in each); Holm corrects p for the number of rows; bold: "
    "corrected p below 0.05. Clearly: the interval of that language alone lies on one side of zero. Seeds better: "
    "pairs of runs with one seed, in which the macro mean is higher. The interval is about the choice of test "
    "sentences, for these trained models; another training moves scores by the ± of the table of scores."
)


def runs_table(task: Task) -> Table:
    """One row a run and language, for further work; written as CSV alone."""
    table = Table("runs", "All runs", [])
    for run in task.runs():
        for kind, scores in (("test", run.test), ("zeroshot", run.zeroshot)):
            for language, score in scores.languages.items() if scores else ():
                row: Row = {"run": run.variant, "seed": run.seed, "kind": kind, "language": language}
                table.data.append({**row, "metric": task.metric, "score": score})
    return table


def scores_table(board: Board, name: str, title: str) -> Table:
    """Scores by language, mean ± deviation over seeds; the best student in bold."""
    table = Table(name, title, ["", *board.languages, "average", "seeds"])
    incomplete = False
    for i, system in enumerate(board.systems):
        held = board.has(system)
        partial = held != board.languages
        incomplete |= partial
        cells = [
            points(board.mean(system, language), board.spread(system, language))
            for language in board.languages
        ]
        average = points(board.average(system), board.spread(system)) + ("*" if partial else "")
        seeds = str(len(board.seeds[system])) if system in board.seeds else ""
        table.rows.append([label(system), *cells, average, seeds])
        for language in [*board.languages, "average"]:
            whole = language == "average"
            value = board.average(system) if whole else board.mean(system, language)
            spread = board.spread(system, None if whole else language)
            entry: Row = {"system": system, "language": language, "score": value, "deviation": spread}
            table.data.append({**entry, "seeds": int(seeds) if seeds else None})
        if system == board.best() and len(board.students) > 1:
            table.strong |= {(i, 0), (i, len(board.languages) + 1)}
    for j, language in enumerate(board.languages):
        scores = [
            board.mean(system, language) if system in board.seeds else math.nan for system in board.systems
        ]
        known = [round(100 * score, 2) for score in scores if not math.isnan(score)]
        if len(known) > 1:
            best = max(known)
            table.strong |= (
                {(i, j + 1) for i, s in enumerate(scores) if round(100 * s, 2) == best} if best else set()
            )
    counts = {len(seeds) for seeds in board.seeds.values()}
    if counts - {1}:
        table.notes.append(
            "Mean ± sample standard deviation (n − 1) over seeds; no ± where there is one seed."
        )
    elif counts:
        table.notes.append("One seed each: nothing is known about the deviation over trainings.")
    bold = "Bold: the best student. Average: macro mean over languages."
    if TEACHERS in board.systems:
        bold += " Teachers: on each language its own."
    table.notes.append(bold)
    if incomplete:
        table.notes.append("* over the languages that it was tested on; not comparable with the others.")
    return table


def brief_table(task: Task, board: Board, title: str, languages: Sequence[str]) -> Table:
    """For the terminal: scores of some languages, the average with its deviation, seconds of the fit."""
    table = Table("brief", title, ["", *languages, "average", "seeds", "fit s"])
    for i, system in enumerate(board.systems):
        runs = list(task.teachers.values()) if system == TEACHERS else task.students[system]
        partial = "" if board.has(system) == board.languages else "*"
        cells = [points(board.mean(system, language)) for language in languages]
        cells += [points(board.average(system), board.spread(system)) + partial]
        cells += [str(len(runs)) if system != TEACHERS else "", plain(cost(runs, system == TEACHERS)["fit"])]
        table.rows.append([label(system), *cells])
        if system == board.best() and len(board.students) > 1:
            table.strong |= {(i, 0), (i, len(languages) + 1)}
    return table


def baseline_table(board: Board, name: str, title: str) -> Table | None:
    """Every student against the baseline; None without a baseline or another student."""
    others = [system for system in board.students if system != board.baseline]
    if board.baseline not in board.students or not others:
        return None
    columns = ["", "difference", INTERVAL, "p", "p (Holm)", "languages better", "clearly better / worse"]
    table = Table(name, title, [*columns, "seeds better"])
    found = {system: board.compare(system, board.baseline) for system in others}
    tested = [system for system in others if (c := found[system]) and c.certain]
    corrected = dict(
        zip(
            tested,
            bootstrap.holm([c.certain.p for s in tested if (c := found[s]) and c.certain]),
            strict=True,
        )
    )
    for system in others:
        comparison = found[system]
        if comparison is None:
            table.rows.append([label(system)] + ["–"] * (len(columns)))
            continue
        certain = comparison.certain
        n, (pairs, won) = len(comparison.languages), comparison.seeds
        cells = [points(comparison.value, signed=True), _interval(certain)]
        cells += [
            probability(certain.p if certain else None, LEAST),
            probability(corrected.get(system), LEAST),
        ]
        cells += [f"{comparison.better} of {n}"]
        counted = len(comparison.certain_by_language)
        cells += [f"{comparison.clearly(1)} / {comparison.clearly(-1)}" if counted else "–"]
        cells += [f"{won} of {pairs}" if pairs else "–"]
        table.rows.append([label(system), *cells])
        if corrected.get(system, 1.0) < 0.05:
            table.strong.add((len(table.rows) - 1, 1))
        data: Row = {"system": system, "against": board.baseline, "difference": comparison.value}
        data |= _data(certain) | {"p_holm": corrected.get(system), "languages": n}
        table.data.append(
            data | {"languages_better": comparison.better, "seed_pairs": pairs, "seed_pairs_better": won}
        )
    table.notes.append(
        BASELINE_NOTE if name == "baseline" else "Read as the table against the baseline above."
    )
    if board.baseline != BASELINE:
        table.notes.append(f"The baseline is {board.baseline}.")
    table.notes += _without(board)
    return table


def teachers_table(board: Board, name: str, title: str, above: str = TEACHERS) -> Table | None:
    """Every student against the teachers, and the share of the gap that it closes."""
    if above not in board.systems or not board.students:
        return None
    table = Table(name, title, ["", "difference", INTERVAL, "p", "languages better", "gap closed"])
    for system in board.students:
        comparison = board.compare(system, above)
        if comparison is None:
            table.rows.append([label(system)] + ["–"] * 5)
            continue
        certain, share = comparison.certain, board.gap_closed(system, above)
        cells = [points(comparison.value, signed=True), _interval(certain)]
        cells += [probability(certain.p if certain else None, LEAST)]
        cells += [f"{comparison.better} of {len(comparison.languages)}"]
        closed = (
            "–" if share is None or system == board.baseline else f"{100 * share:.0f} %".replace("-", "−")
        )
        table.rows.append([label(system), *cells, closed])
        data: Row = {"system": system, "against": above, "difference": comparison.value, **_data(certain)}
        data |= {"languages": len(comparison.languages), "languages_better": comparison.better}
        table.data.append(data | {"gap_closed": share})
    table.notes.append("Gap closed: (student − baseline) / (teachers − baseline).")
    if board.baseline in board.students and board.gap_closed(board.baseline, above) is None:
        table.notes.append("The teachers are not above the baseline here, so there is no gap to close.")
    table.notes += _without(board)
    return table


def languages_table(board: Board) -> Table | None:
    """Differences to the baseline by language."""
    others = [system for system in board.students if system != board.baseline]
    if board.baseline not in board.students or not others:
        return None
    table = Table("differences", "Difference to the baseline, by language", ["", *board.languages, "average"])
    for system in others:
        comparison = board.compare(system, board.baseline)
        if comparison is None:
            continue
        row = [points(comparison.by_language.get(language), signed=True) for language in board.languages]
        partial = "*" if comparison.languages != board.languages else ""
        table.rows.append([label(system), *row, points(comparison.value, signed=True) + partial])
        for j, language in enumerate([*board.languages, "average"]):
            certain = comparison.certain_by_language.get(language) if j < len(row) else comparison.certain
            if certain and (certain.low > 0 or certain.high < 0):
                table.strong.add((len(table.rows) - 1, j + 1))
            value = comparison.by_language.get(language) if j < len(row) else comparison.value
            table.data.append({"system": system, "language": language, "difference": value, **_data(certain)})
    table.notes.append("In points. Bold: the 95 % bootstrap interval does not hold zero.")
    return table


def _interval(certain: bootstrap.Difference | None) -> str:
    if certain is None:
        return "–"
    return f"{points(certain.low, signed=True)} to {points(certain.high, signed=True)}"


def _data(certain: bootstrap.Difference | None) -> Row:
    if certain is None:
        return {"low": None, "high": None, "p": None}
    return {"low": certain.low, "high": certain.high, "p": certain.p}


def _without(board: Board) -> list[str]:
    """Says of what there is no bootstrap, and why."""
    if len(board.without) == len(board.systems) and not any(board.without.values()):
        return ["No bootstrap: these runs have no counts of single sentences."]
    said = []
    for name, counted in board.without.items():
        runs = len(board.systems[name])
        if counted:
            said.append(
                f"{label(name)}: interval and p from the {counted} of {runs} runs whose sentences were counted."
            )
        else:
            said.append(f"{label(name)}: no bootstrap, its runs have no counts of single sentences.")
    return said
