"""Two tables of a task's corpora for the terminal, and the notes of their loading."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from rich.console import Console

from skd_lightning.data.module import TaggingData
from skd_lightning.data.overview import has_entities, split_table, tag_table
from skd_lightning.display import terminal
from skd_lightning.display.table import Table
from skd_lightning.errors import UserError


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
    entity = has_entities(languages)
    console = Console()
    title = f"{data.task}: what is trained and tested on"
    terminal.show(_sizes(splits, title, entity), SPARE)
    shares = tag_table(languages)
    if not shares.empty:
        what = "Entities by type" if entity else "Words by tag"
        table = _shares(shares, f"{what}, per cent of the training data")
        terminal.show(table, table.columns[:0:-1])
    schemes = {report.scheme for report in data.schemes.values() if report.sentences} - {"none"}
    if schemes:
        files = " and ".join(sorted(name.upper() for name in schemes))
        console.print(f"Entities are written in {files}; read as {data.scheme.upper()}.", highlight=False)
    for note in data.corpora.notes:
        console.print(note, highlight=False)
    for language, sentences in data.corpora.generated.items():
        for sentence in sentences[:SAMPLES]:
            console.print(f"  {language}: {' '.join(sentence.words)}", highlight=False, markup=False)
    if csv:
        Path(csv).parent.mkdir(parents=True, exist_ok=True)
        splits.to_csv(csv, index=False)
        console.print(f"written to {csv}", highlight=False)


SAMPLES = 3
"""Generated sentences of each language that are shown."""

SPARE = ["mean\nwords", "longest", "repeated", "also in\ntrain", "unknown\nwords"]
"""Columns that a narrow terminal does without."""


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
                f"{row['language']} {row['split']}",
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
    table = Table("shares", title, ["", *map(str, found.columns)])
    for tag, cells in found.iterrows():
        table.rows.append([str(tag), *(f"{100 * cell:.1f}" for cell in cells)])
    return table
