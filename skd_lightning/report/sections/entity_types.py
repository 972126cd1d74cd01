"""The section on entity types: precision, recall, F1 and support, as seqeval's classification report has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean, stdev

from skd_lightning.analysis.collection import TEACHERS, TaskRuns
from skd_lightning.analysis.entity_types import TypeCounts, Types, over_all, together
from skd_lightning.analysis.finished import Finished
from skd_lightning.display.formats import plain, points
from skd_lightning.display.table import Row, Table
from skd_lightning.report.findings import Findings, Section, there
from skd_lightning.report.labels import PARTIAL, label

ALL = "all types"


def section(findings: Findings) -> Section | None:
    """Return F1 by type of every system, then the best student's report; None where tags mark no entities."""
    systems = _systems(findings.runs)
    if not systems:
        return None
    best = findings.trained.best()
    content = there(types_table(systems))
    if best in systems:
        content += there(report_table(best, systems[best]), languages_table(best, systems[best]))
    return Section("types", "By entity type", content)


def _systems(runs: TaskRuns) -> dict[str, list[dict[str, Types]]]:
    """Return {system: for each tagger {language: counts}}; the teachers are one tagger."""
    teachers = {
        language: run.types[language] for language, run in runs.teachers.items() if language in run.types
    }
    found = {TEACHERS: [teachers]} if teachers else {}
    groups: dict[str, Sequence[Finished]] = {**runs.peers, **runs.students}
    return found | {name: types for name, group in groups.items() if (types := _types(group))}


def _types(group: Sequence[Finished]) -> list[dict[str, Types]]:
    return [run.types for run in group if run.types]


def types_table(systems: Mapping[str, Sequence[Mapping[str, Types]]]) -> Table:
    """Return F1 of each system by type, micro-averaged over languages, mean ± deviation over seeds."""
    sums = {name: [_with_all(together(t.values())) for t in taggers] for name, taggers in systems.items()}
    every = [types for group in sums.values() for types in group]
    fullest = max(every, key=lambda types: types[ALL].support)
    names = [*sorted({name for types in every for name in types} - {ALL}), ALL]
    columns = [f"{name} ({plain(fullest.get(name, TypeCounts()).support)})" for name in names]
    table = Table("types", "Entity F1 by type in per cent, languages together", ["", *columns])
    languages = {language for taggers in systems.values() for types in taggers for language in types}
    for system, taggers in systems.items():
        whole = sums[system]
        partial = "*" * any(types.keys() != languages for types in taggers)
        cells = [points(*_mean([t.get(name) for t in whole])) for name in names]
        table.rows.append([label(system), *(cell + partial for cell in cells)])
        for language in sorted({language for types in taggers for language in types}):
            table.data += _data(system, language, [_with_all(t[language]) for t in taggers if language in t])
        table.data += _data(system, "all", whole)
    table.notes.append(
        "In brackets: entities of that type in the gold test data. An entity counts as found if its words and its "
        "type agree (conlleval's reading); all languages are one list of entities here, so the last column is no "
        "macro mean."
    )
    if any(row[-1].endswith("*") for row in table.rows):
        table.notes.append(PARTIAL)
    return table


def report_table(system: str, taggers: Sequence[Mapping[str, Types]]) -> Table:
    """Return precision, recall, F1 and support of a system by type, means over seeds."""
    title = f"{label(system)}: precision, recall and F1 in per cent"
    table = Table("types-report", title, ["", "precision", "recall", "F1", "support"])
    whole = [_with_all(together(types.values())) for types in taggers]
    for name in dict.fromkeys(name for types in whole for name in types):
        found = [types.get(name, TypeCounts()) for types in whole]
        means = [fmean(getattr(counts, what) for counts in found) for what in ("precision", "recall", "f1")]
        table.rows.append([name, *map(points, means), plain(found[0].support)])
        table.data.append(
            {
                "type": name,
                "precision": means[0],
                "recall": means[1],
                "f1": means[2],
                "support": found[0].support,
            }
        )
    return table


def languages_table(system: str, taggers: Sequence[Mapping[str, Types]]) -> Table:
    """Return F1 of a system by language and type, means over seeds, with the support in brackets."""
    languages = sorted({language for types in taggers for language in types})
    names = [*together(types for tagger in taggers for types in tagger.values()), ALL]
    title = f"{label(system)}: F1 by language and type in per cent (support)"
    table = Table("types-languages", title, ["", *names])
    for language in languages:
        found = [_with_all(types[language]) for types in taggers if language in types]
        row, cells = [], [[types.get(name) for types in found] for name in names]
        for counts in cells:
            known = [each for each in counts if each is not None]
            row.append(f"{points(_mean(counts)[0])} ({plain(known[0].support)})" if known else "–")
        table.rows.append([language, *row])
        values = {name: _mean(counts)[0] for name, counts in zip(names, cells, strict=True)}
        table.data.append({"language": language, **values})
    return table


def _with_all(types: Types) -> Types:
    return {**types, ALL: over_all(types)}


def _mean(counts: Sequence[TypeCounts | None]) -> tuple[float | None, float | None]:
    """Return the mean F1 and its sample standard deviation; None where nothing is known."""
    scores = [each.f1 for each in counts if each is not None]
    return (fmean(scores) if scores else None), (stdev(scores) if len(scores) > 1 else None)


def _data(system: str, language: str, taggers: Sequence[Types]) -> list[Row]:
    rows: list[Row] = []
    for name in dict.fromkeys(name for types in taggers for name in types):
        found = [types.get(name, TypeCounts()) for types in taggers]
        row: Row = {"system": system, "language": language, "type": name}
        for what in ("precision", "recall", "f1"):
            row[what] = fmean(getattr(counts, what) for counts in found)
        rows.append({**row, "support": found[0].support, "seeds": len(taggers)})
    return rows
