"""The section of seen and unseen words: where the annotated training sentences help, and where they do not."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean

from skd_lightning.analysis.collection import TEACHERS
from skd_lightning.analysis.comparison import Comparison
from skd_lightning.analysis.seen import Part, comparisons, items, recall
from skd_lightning.display.formats import plain, points, probability
from skd_lightning.display.table import Row, Table
from skd_lightning.report.findings import Findings, Section, there
from skd_lightning.report.labels import LEAST, METRICS, label
from skd_lightning.report.sections.differences import INTERVAL, interval, numbers

Parts = Mapping[Part, Comparison]

UNITS = {"f1": "entities", "accuracy": "words"}

MEANT = (
    "Macro means over languages. A word is seen if the annotated training sentences of its language hold it, in this "
    "very spelling"
)
NOTES = {
    "f1": f"{MEANT}; an entity is seen if all its words are, and unseen if one is not. A gold entity counts by its own "
    "words, a predicted one by its own. In brackets: gold entities of the test data.",
    "accuracy": f"{MEANT}. In brackets: words of the test data.",
}


def section(findings: Findings) -> Section | None:
    """Return scores and differences on both parts; None where no run has kept its predictions."""
    found = comparisons(findings.runs, findings.notes)
    if found is None:
        return None
    notes: list[str] = []
    for comparison in found.values():
        comparison.resample(notes)
    for note in dict.fromkeys(notes):  # one part may say what the other does
        findings.notes.append(
            "seen and unseen words: " + note.replace("other test", "other training or test")
        )
    best = findings.trained.best_rival(next(iter(found.values())).systems)
    content = there(sentence(found, best) if best else None, seen_table(found), differences_table(found))
    return Section("seen", "Seen and unseen words", content)


def sentence(found: Parts, system: str) -> str | None:
    """Return a student's differences to the baseline on both parts in a sentence; None without a baseline."""
    said = []
    for part, comparison in found.items():
        contrast = comparison.contrast(system, comparison.baseline)
        if contrast is not None:
            certain = f" (95 % interval {interval(contrast.certain)})" if contrast.certain else ""
            kind = f"{part} {UNITS[comparison.metric]}"
            said.append(f"{points(contrast.value, signed=True)} points{certain} on {kind}")
    return f"{label(system)} against the baseline: {', '.join(said)}." if said else None


def seen_table(found: Parts) -> Table:
    """Return the scores of each system on both parts, macro means over languages, mean ± deviation over seeds."""
    metric = next(iter(found.values())).metric
    gold = _gold(found)
    name = METRICS[metric]
    title = f"{name[0].upper()}{name[1:]} by whether the annotated data hold the words, in per cent"
    table = Table("seen", title, [""])
    for part in found:
        table.columns.append(f"{part} ({plain(sum(gold[part].values()))})")
        table.columns += [f"{part}: recall"] * (metric == "f1")
    table.columns.append("seeds")
    for system in dict.fromkeys(name for comparison in found.values() for name in comparison.systems):
        row = [label(system)]
        for part, comparison in found.items():
            row += _cells(comparison, system, gold[part])
        table.rows.append([*row, "" if system == TEACHERS else str(_seeds(found, system))])
        for part, comparison in found.items():
            table.data += _data(comparison, part, system)
    table.notes.append(NOTES[metric])
    every = {language for of_part in gold.values() for language in of_part}
    for part, of_part in gold.items():
        if missing := [language for language in found[part].languages if language in every - of_part.keys()]:
            table.notes.append(f"No {UNITS[metric]} of {', '.join(missing)} are {part}.")
    if any("*" in cell for row in table.rows for cell in row):
        table.notes.append(
            "* of other training or test sentences, or not of all languages; not comparable with the others."
        )
    return table


def differences_table(found: Parts) -> Table | None:
    """Return every student against the baseline on both parts; None without a baseline or another student."""
    columns = [heading for part in found for heading in (part, INTERVAL, "p")]
    table = Table("seen-differences", "Against the baseline, on seen and unseen words", ["", *columns])
    for system in dict.fromkeys(name for comparison in found.values() for name in comparison.rivals):
        row = [label(system)]
        for part, comparison in found.items():
            contrast = comparison.contrast(system, comparison.baseline)
            if contrast is None:
                row += ["–"] * 3
                continue
            certain = contrast.certain
            if certain and (certain.low > 0 or certain.high < 0):
                table.strong.add((len(table.rows), len(row)))
            row += [points(contrast.value, signed=True), interval(certain)]
            row.append(probability(certain.p if certain else None, LEAST))
            data: Row = {"system": system, "against": comparison.baseline, "words": part}
            table.data.append({**data, "difference": contrast.value, **numbers(certain)})
        table.rows.append(row)
    table.notes.append(
        "In points, macro mean over languages; interval and p of the paired bootstrap over test sentences, not "
        "corrected for the number of rows. Bold: the interval does not hold zero."
    )
    return table if table.rows else None


def _gold(found: Parts) -> dict[Part, dict[str, int]]:
    """Return the gold items of both parts in each language, as one system divides them.

    It is the baseline, else a student, else the first system there: two systems divide a language differently where one
    has seen its text alone, and then the parts would not add up to the test data.
    """
    there = list(dict.fromkeys(name for comparison in found.values() for name in comparison.systems))
    baseline = next(iter(found.values())).baseline
    students = {name for comparison in found.values() for name in comparison.students}
    reference = min(there, key=lambda name: (name != baseline, name not in students))
    counts: dict[Part, dict[str, int]] = {}
    for part, comparison in found.items():
        counts[part] = {}
        for scores in comparison.systems.get(reference, []):
            for language in scores.counts:
                counts[part].setdefault(language, items(scores, language, comparison.metric).gold)
    return counts


def _cells(comparison: Comparison, system: str, gold: Mapping[str, int]) -> list[str]:
    """Return the score of a system on a part, and with entities its recall.

    Args:
        comparison: of the part.
        system: its name.
        gold: items of the part in each language, as most systems divide them.
    """
    taggers = comparison.systems.get(system, [])
    languages = comparison.has(system) if taggers else []
    if not languages:
        return ["–"] * (1 + (comparison.metric == "f1"))
    same = set(languages) == gold.keys() and all(
        items(scores, language, comparison.metric).gold == gold[language]
        for scores in taggers
        for language in languages
    )
    mark = "" if same else "*"
    cells = [points(comparison.average(system), comparison.spread(system)) + mark]
    if comparison.metric == "f1":
        cells.append(points(recall(taggers, comparison.metric, languages)) + mark)
    return cells


def _seeds(found: Parts, system: str) -> int:
    return max(len(comparison.systems.get(system, [])) for comparison in found.values())


def _data(comparison: Comparison, part: Part, system: str) -> list[Row]:
    rows: list[Row] = []
    for language in comparison.has(system) if system in comparison.systems else []:
        found = [items(scores, language, comparison.metric) for scores in comparison.systems[system]]
        row: Row = {"system": system, "language": language, "words": part}
        if comparison.metric == "f1":
            for what in ("precision", "recall", "f1"):
                row[what] = fmean(getattr(counts, what) for counts in found)
        else:
            row["accuracy"] = comparison.mean(system, language)
        rows.append({**row, "support": found[0].support, "seeds": len(found)})
    return rows
