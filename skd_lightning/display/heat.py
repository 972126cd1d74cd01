"""A heat map of shares: the higher a share, the darker its cell."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from skd_lightning.display.style import FAINT, INK, WIDTH, Plot, draw

FRAME = "#d05a00"


def heat_map(table: pd.DataFrame, title: str, caption: str, framed: Collection[tuple[int, int]] = ()) -> Plot:
    """Return a table of shares as a plot; a cell shows its per cent from half a per cent on.

    Args:
        table: shares in [0, 1]; the names of its index and columns are those of the axes.
        title: one line.
        caption: how to read it.
        framed: (row, column) of the cells with a frame, from 0.
    """
    rows, columns = table.shape
    slanted = max(map(len, map(str, table.columns)), default=0) > 4

    def paint(figure: Figure, axes: Axes) -> None:
        edges = [[place - 0.5 for place in range(size + 1)] for size in (columns, rows)]
        axes.pcolormesh(
            *edges, table.to_numpy(), cmap="Blues", vmin=0, vmax=1, edgecolor=FAINT, linewidth=0.4
        )
        axes.invert_yaxis()
        for (row, column), share in np.ndenumerate(table.to_numpy()):
            if share >= 0.005:
                ink = "white" if share > 0.6 else INK
                axes.text(column, row, f"{100 * share:.0f}", ha="center", va="center", color=ink, fontsize=8)
        for row, column in framed:
            axes.add_patch(
                Rectangle(
                    (column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=FRAME, linewidth=1.8, zorder=3
                )
            )
        slant: dict[str, Any] = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if slanted else {}
        axes.set_xticks(range(columns), list(table.columns), **slant)
        axes.set_yticks(range(rows), list(table.index))
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set_xlabel(str(table.columns.name or ""))
        axes.set_ylabel(str(table.index.name or ""))

    height = 0.8 + 0.25 * rows + (0.5 if slanted else 0.0)
    return draw("heat", title, caption, height, paint, width=max(WIDTH, 1.2 + 0.48 * columns))
