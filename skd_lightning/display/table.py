"""A table that can be written as Markdown, HTML or CSV and printed in the terminal."""

from __future__ import annotations

import csv
import html
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from rich.box import SIMPLE_HEAD
from rich.table import Table as RichTable
from rich.text import Text

Number = float | int | str | None
Row = dict[str, Number]

WIDE = 5
"""A table with more columns is wider than a phone, and a page says so there."""


@dataclass
class Table:
    """Rows of cells, each with the text that is read and the number behind it.

    Attributes:
        name: of its files, without suffix.
        title: one line.
        columns: headings; the first column holds the rows' names.
        rows: cells of each row, the first its name; an empty list is a blank line in the terminal.
        strong: (row, column) of the cells in bold.
        data: columns and rows of the CSV file, which holds numbers instead of texts.
        notes: sentences that the reader has to know.

    >>> table = Table("t", "Scores", ["", "de"], [["topk", "91.2"]], data=[{"system": "topk", "de": 0.912}])
    >>> print(table.csv(), end="")
    system,de
    topk,0.912
    """

    name: str
    title: str
    columns: list[str]
    rows: list[list[str]] = field(default_factory=list)
    strong: set[tuple[int, int]] = field(default_factory=set)
    data: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def without(self, column: str) -> Table:
        """Return a copy that lacks the column with this heading; its data stay complete."""
        gone = self.columns.index(column)
        rows = [[cell for j, cell in enumerate(row) if j != gone] for row in self.rows]
        strong = {(i, j - (j > gone)) for i, j in self.strong if j != gone}
        columns = [heading for j, heading in enumerate(self.columns) if j != gone]
        return Table(self.name, self.title, columns, rows, strong, self.data, self.notes)

    def markdown(self) -> str:
        """Return it in GitHub's dialect, with its title and notes."""

        def line(cells: Sequence[str]) -> str:
            return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"

        text = f"### {self.title}\n\n" + line(self.columns)
        text += line(["---"] + ["---:"] * (len(self.columns) - 1))
        for i, row in enumerate(self.rows):
            text += line(
                [f"**{cell}**" if (i, j) in self.strong and cell else cell for j, cell in enumerate(row)]
            )
        return text + "".join(f"\n{note}\n" for note in self.notes)

    def html(self) -> str:
        """Return an HTML table and its notes, without the title; it scrolls sideways where the page is narrow."""
        head = "".join(f'<th scope="col">{html.escape(column)}</th>' for column in self.columns)
        body = ""
        for i, row in enumerate(self.rows):
            cells = [_small(html.escape(cell)) for cell in row]
            cells = [f"<b>{cell}</b>" if (i, j) in self.strong else cell for j, cell in enumerate(cells)]
            body += f'<tr><th scope="row">{cells[0]}</th>' + "".join(f"<td>{cell}</td>" for cell in cells[1:])
            body += "</tr>\n"
        notes = "".join(f"<p class='note'>{html.escape(note)}</p>\n" for note in self.notes)
        wide = " wide" if len(self.columns) > WIDE else ""
        label = html.escape(self.title, quote=True)
        return (
            f"<div class='scroll{wide}' tabindex='0' role='region' aria-label='{label}'>"
            f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table></div>\n{notes}"
        )

    def _repr_html_(self) -> str:
        return f"<b>{html.escape(self.title)}</b>\n{self.html()}"

    def csv(self) -> str:
        """Return its data with full precision; a cell is empty where nothing is known."""
        columns = list(dict.fromkeys(key for row in self.data for key in row))
        out = io.StringIO()
        writer = csv.DictWriter(out, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: _number(value) for key, value in row.items()} for row in self.data)
        return out.getvalue()

    def rich(self) -> RichTable:
        """Return it for the terminal; see ``terminal.show`` for one that fits there."""
        view = RichTable(
            title=Text(self.title),
            title_justify="left",
            box=SIMPLE_HEAD,
            pad_edge=False,
            collapse_padding=True,
        )
        for j, column in enumerate(self.columns):
            justify: Literal["left", "right"] = "right" if j else "left"
            view.add_column(Text(column), justify=justify, no_wrap=True, vertical="bottom")
        for i, row in enumerate(self.rows):
            view.add_row(
                *[Text(cell, style="bold" if (i, j) in self.strong else "") for j, cell in enumerate(row)]
            )
        return view


def _small(cell: str) -> str:
    """Write the deviation smaller than the mean."""
    mean, sign, deviation = cell.partition(" ± ")
    return f"{mean}<small> ± {deviation}</small>" if sign else cell


def _number(value: Number) -> Number:
    if isinstance(value, float):
        return "" if math.isnan(value) else float(f"{value:.10g}")
    return "" if value is None else value
