"""Two tables of a task's corpora for the terminal, and the notes of their loading."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from rich.console import Console

from skd_lightning.data.module import TaggingData
from skd_lightning.data.overview import has_entities, split_table, tag_table
from skd_lightning.display import terminal
from skd_lightning.display.table import Table
from skd_lightning.errors import UserError, printable
from skd_lightning.storage import write_text
from skd_lightning.tags import SchemeReport


def show(data: TaggingData, csv: str | None = None) -> None:
    """Print tables of the data that a student would be trained and tested on.

    Args:
        data: of the student.
        csv: file for the table of the splits, see ``overview.split_table``.
    """
    languages = data.corpora.languages
    splits = split_table(languages)
    if splits.empty:
        raise UserError(f"task {data.task}: no sentence in {', '.join(languages)}")
    schemes = data.schemes  # what is wrong with the tags is said before anything is shown
    entity = has_entities(languages)
    title = f"{data.task}: what is trained and tested on"
    terminal.show(_sizes(splits, title, entity), SPARE, WIDTH)
    shares = tag_table(languages)
    if not shares.empty:
        what = "Entities by type" if entity else "Words by tag"
        table = _shares(shares, f"{what}, per cent of the training data")
        terminal.show(table, table.columns[:0:-1], WIDTH)
    for note in [*_scheme_notes(schemes, data.scheme), *data.corpora.notes]:
        _say(note)
    for language, sentences in data.corpora.generated.items():
        for sentence in sentences[:SAMPLES]:
            _say(f"  {language}: {' '.join(sentence.words)}")
    if csv:
        write_text(Path(csv), splits.to_csv(index=False))
        _say(f"written to {csv}")


def _say(text: str) -> None:
    Console().print(printable(text), highlight=False, markup=False, emoji=False)


def _scheme_notes(schemes: Mapping[str, SchemeReport], target: str) -> list[str]:
    """Return a line that says how entities are written, and one for each language where some are not written so."""
    found = {language: r for language, r in schemes.items() if r.sentences and r.scheme != "none"}
    if not found:
        return []
    files = " and ".join(sorted({report.scheme.upper() for report in found.values()}))
    notes = [f"Entities are written in {files}; read as {target.upper()}."]
    for language, report in found.items():
        if report.violations:
            notes.append(
                f"{language}: {report.violations:,} of {report.entities:,} entities are not written as "
                f"{report.scheme.upper()} demands; they are read as conlleval reads them"
            )
    return notes


SAMPLES = 3
"""Generated sentences of each language that are shown."""

SPARE = ["mean\nwords", "longest", "repeated", "also in\ntrain", "unknown\nwords"]
"""Columns that a narrow terminal does without."""


WIDTH = 80
"""Columns of a file or a pipe; ``--csv`` writes all numbers."""
LONGEST_NAME = 24
"""Characters of a name in a table."""


def _sizes(splits: pd.DataFrame, title: str, entity: bool) -> Table:
    names = ["sentences", "words", "entities" if entity else "tags"]
    columns = ["", *names, "mean\nwords", "longest", "also in\ntrain", "repeated", "unknown\nwords"]
    table = Table("splits", title, columns)
    previous = None
    for row in splits.to_dict("records"):
        if previous not in (None, row["language"]):
            table.rows.append([])
        table.rows.append(
            [
                f"{_short(row['language'])} {row['split']}",
                f"{row['sentences']:,}",
                f"{row['words']:,}",
                f"{row['entities'] if entity else row['types']:,}" if row["labelled"] else "–",
                f"{row['mean']:.1f}",
                f"{row['longest']:,}",
                "" if row["split"] == "train" else f"{row['in_train']:,}",
                f"{row['repeated']:,}",
                "" if pd.isna(row["unknown"]) else f"{row['unknown']:.1%}",
            ]
        )
        previous = row["language"]
    return table


def _shares(shares: pd.DataFrame, title: str) -> Table:
    """Return the shares of the tags; the longer side goes down the page."""
    found = shares.T if shares.shape[1] > shares.shape[0] else shares
    table = Table("shares", title, ["", *(_short(str(name)) for name in found.columns)])
    for tag, cells in found.iterrows():
        table.rows.append([_short(str(tag)), *(f"{100 * cell:.1f}" for cell in cells)])
    return table


def _short(name: str) -> str:
    """Return the name of a tag or a language, short enough for a table and without what a terminal acts on."""
    name = printable(name)
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
