"""A table as Markdown, HTML, CSV and in the terminal."""

from __future__ import annotations

import csv
import html
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import rich.markup
from rich.box import SIMPLE_HEAD
from rich.table import Table as RichTable

from skd_lightning.analysis.collection import BASELINE

Number = float | int | str | None
Row = dict[str, Number]


@dataclass
class Table:
    """Rows of cells, each with the text that is read and the number behind it.

    Attributes:
        name: of its files, without suffix.
        title: one line.
        columns: heads; the first column holds the rows' names.
        rows: cells of each row, the first its name.
        strong: (row, column) of the cells in bold.
        data: columns and rows of the CSV file, which holds numbers instead of texts.
        notes: what a reader has to know; sentences.
    """

    name: str
    title: str
    columns: list[str]
    rows: list[list[str]] = field(default_factory=list)
    strong: set[tuple[int, int]] = field(default_factory=set)
    data: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def markdown(self) -> str:
        """GitHub's dialect, title and notes included."""

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
        """A section with its heading; scrolls sideways by itself where the page is narrow."""
        head = "".join(f'<th scope="col">{html.escape(column)}</th>' for column in self.columns)
        body = ""
        for i, row in enumerate(self.rows):
            cells = [_small(html.escape(cell)) for cell in row]
            cells = [f"<b>{cell}</b>" if (i, j) in self.strong else cell for j, cell in enumerate(cells)]
            body += f'<tr><th scope="row">{cells[0]}</th>' + "".join(f"<td>{cell}</td>" for cell in cells[1:])
            body += "</tr>\n"
        notes = "".join(f"<p class='note'>{html.escape(note)}</p>\n" for note in self.notes)
        return (
            f"<div class='scroll' tabindex='0' role='region' aria-label='{html.escape(self.title, quote=True)}'>"
            f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table></div>\n{notes}"
        )

    def _repr_html_(self) -> str:
        return f"<b>{html.escape(self.title)}</b>\n{self.html()}"

    def csv(self) -> str:
        """Numbers with full precision; empty where there is none."""
        columns = list(dict.fromkeys(key for row in self.data for key in row))
        out = io.StringIO()
        writer = csv.DictWriter(out, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: _number(value) for key, value in row.items()} for row in self.data)
        return out.getvalue()

    def rich(self) -> RichTable:
        """For the terminal."""
        view = RichTable(
            title=rich.markup.escape(self.title), title_justify="left", box=SIMPLE_HEAD, pad_edge=False
        )
        for j, column in enumerate(self.columns):
            view.add_column(rich.markup.escape(column), justify="right" if j else "left", no_wrap=True)
        for i, row in enumerate(self.rows):
            cells = [rich.markup.escape(cell) for cell in row]
            view.add_row(
                *[f"[bold]{cell}[/]" if (i, j) in self.strong else cell for j, cell in enumerate(cells)]
            )
        return view


def _small(cell: str) -> str:
    """The deviation smaller than the mean."""
    mean, sign, deviation = cell.partition(" ± ")
    return f"{mean}<small> ± {deviation}</small>" if sign else cell


def _number(value: Number) -> Number:
    if isinstance(value, float):
        return "" if math.isnan(value) else float(f"{value:.10g}")
    return "" if value is None else value


def points(value: float | None, spread: float | None = None, signed: bool = False) -> str:
    """A score or a difference of scores in per cent, ``93.10 ± 0.21``; a dash for none."""
    if value is None or math.isnan(value):
        return "–"
    number = 100 * value
    # Not -0.00: what rounds to nothing is nothing.
    text = "0.00" if signed and round(number, 2) == 0 else f"{number:+.2f}" if signed else f"{number:.2f}"
    text = text.replace("-", "−")
    return text if spread is None else f"{text} ± {100 * spread:.2f}"


def label(name: str) -> str:
    """How a system is called where people read."""
    return "none (baseline)" if name == BASELINE else name


def plain(value: float, digits: int = 0) -> str:
    """A number with thousands apart; a dash for none."""
    return "–" if math.isnan(value) else f"{value:,.{digits}f}"


def probability(value: float | None, least: float) -> str:
    """A p value; ``least`` is the smallest that the number of resamples allows."""
    if value is None:
        return "–"
    if value <= least:
        return f"< {2 * least:.4f}"
    return f"{value:.{4 if value < 0.01 else 3 if value < 0.1 else 2}f}"
