"""``skd corpus``: what a task's corpora hold, in two tables and the notes of their loading."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table

from skd_lightning.data.overview import has_entities, split_table, tag_table
from skd_lightning.errors import UserError
from skd_lightning.runs.plan import Plan, student_data


def show(plan: Plan, csv: str | None = None) -> None:
    """Print what a student with this plan would be trained and tested on.

    Args:
        plan: its options may hold everything that ``skd distill`` takes.
        csv: file for the table of the splits, see ``overview.split_table``.
    """
    data = student_data(plan)
    languages = data.corpora.languages
    splits = split_table(languages)
    if splits.empty:
        raise UserError(f"task {plan.task}: no sentence in {', '.join(languages)}")
    entity = has_entities(languages)
    console = Console()
    console.print(f"[bold]{plan.task}[/]: what is trained and tested on", highlight=False)
    console.print(_sizes(splits, entity))
    shares = tag_table(languages)
    if not shares.empty:
        what = "Entities by type" if entity else "Words by tag"
        console.print(f"{what}, per cent of the training data", highlight=False)
        console.print(_shares(shares))
    schemes = {report.scheme for report in data.schemes.values() if report.sentences} - {"none"}
    if schemes:
        files = " and ".join(sorted(name.upper() for name in schemes))
        console.print(f"Entities are written in {files}; read as {data.scheme.upper()}.", highlight=False)
    for note in data.corpora.notes:
        console.print(note, highlight=False)
    if csv:
        Path(csv).parent.mkdir(parents=True, exist_ok=True)
        splits.to_csv(csv, index=False)
        console.print(f"written to {csv}", highlight=False)


def _sizes(splits: pd.DataFrame, entity: bool) -> Table:
    view = _table("", "split")
    names = ["sentences", "words", "entities" if entity else "tags"]
    for name in (*names, "mean\nwords", "longest", "also in\ntrain", "repeated", "unknown\nwords"):
        view.add_column(name, justify="right", vertical="bottom")
    previous = None
    for row in splits.to_dict("records"):
        if previous not in (None, row["language"]):
            view.add_section()
        view.add_row(
            "" if row["language"] == previous else str(row["language"]),
            str(row["split"]),
            f"{row['sentences']:,}",
            f"{row['words']:,}",
            f"{row['entities'] if entity else row['types']:,}" if row["labelled"] else "–",
            f"{row['mean']:.1f}",
            f"{row['longest']:,}",
            "" if row["split"] == "train" else f"{row['in_train']:,}",
            f"{row['repeated']:,}",
            "" if pd.isna(row["unknown"]) else f"{row['unknown']:.1%}",
        )
        previous = row["language"]
    return view


def _shares(shares: pd.DataFrame) -> Table:
    """The longer side goes down the page."""
    table = shares.T if shares.shape[1] > shares.shape[0] else shares
    view = _table("")
    for name in table.columns:
        view.add_column(str(name), justify="right")
    for tag, cells in table.iterrows():
        view.add_row(str(tag), *(f"{100 * cell:.1f}" for cell in cells))
    return view


def _table(*columns: str) -> Table:
    view = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for name in columns:
        view.add_column(name, no_wrap=True, vertical="bottom", style="" if name else "bold")
    return view
