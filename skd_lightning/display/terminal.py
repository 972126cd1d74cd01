"""Tables that fit the terminal: a number is either there with all its digits, or its whole column is not."""

from __future__ import annotations

import os
from collections.abc import Sequence

from rich.console import Console

from skd_lightning.display.table import Table

UNLIMITED = 100_000
"""Columns of a file or a pipe."""


def show(table: Table, spare: Sequence[str] = (), unwatched: int = UNLIMITED) -> None:
    """Print a table; where the terminal is too narrow, whole columns are left out and a line names them.

    A file or a pipe is as wide as the caller says, unless the environment variable ``COLUMNS`` sets a width.

    Args:
        table: what to print, without its notes.
        spare: headings of the columns that may be left out, the most dispensable first.
        unwatched: columns of a file or a pipe.
    """
    console = Console()
    room = console.width if console.is_terminal or "COLUMNS" in os.environ else unwatched
    waiting, columns = list(spare), table.columns
    while _width(table) > room and waiting:
        table = table.without(waiting.pop(0))
    # What is too wide even so wraps at the edge of the window, which loses nothing.
    Console(width=max(_width(table), console.width)).print(table.rich())
    if left_out := [name for name in columns if name not in table.columns]:
        names = ", ".join(" ".join(name.split()) for name in left_out)
        text = f"left out, the terminal has {room} columns: {names}"
        console.print(text, style="yellow", highlight=False, markup=False, soft_wrap=True)


def _width(table: Table) -> int:
    return Console(width=UNLIMITED).measure(table.rich()).maximum
