"""Confusion matrices: one as a plot of a page, several side by side as a picture."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from skd_lightning.display.style import FAINT, RC, WIDTH, Plot, draw

CELL = 0.34
"""Inches: wide enough for "100" in the smallest type that is still legible."""

BLACK = "#0a0a0a"  # not the ink, which turns light on a dark page while the cells stay as they are


def confusion_map(
    name: str, title: str, caption: str, tags: Sequence[str], counts: NDArray[np.int64]
) -> Plot:
    """Return one matrix: gold tags on rows, predicted ones on columns, in per cent of the row's words.

    What is right is blue, what is wrong is orange; shares below half a per cent have a colour and no number. Made for
    up to some thirty tags.

    Args:
        name: of its file.
        title: one line.
        caption: how to read it, beside what stands at the axes.
        tags: their names.
        counts: (tags, tags) words ``[gold, predicted]``.
    """

    def paint(figure: Figure, axes: Axes) -> None:
        _matrix(axes, tags, counts)
        axes.spines[:].set_visible(False)
        axes.set_ylabel("gold (words)")

    size, margin = _size(tags)
    return draw(name, title, caption, size + margin, paint, width=max(WIDTH, size + margin))


def confusion_figure(tags: Sequence[str], systems: Mapping[str, NDArray[np.int64]]) -> bytes:
    """Return a PNG with one matrix a system, drawn as :func:`confusion_map` does.

    Args:
        tags: their names.
        systems: {title: (tags, tags) words ``[gold, predicted]``}, from left to right.
    """
    size, margin = _size(tags)
    with matplotlib.rc_context(
        rc={**RC, "font.size": 8.5, "axes.spines.left": False, "axes.spines.bottom": False}
    ):
        figure = Figure(figsize=(len(systems) * (size + margin), size + margin + 0.2), layout="constrained")
        grid = figure.subplots(1, len(systems), squeeze=False)[0]
        for axes, (title, counts) in zip(grid, systems.items(), strict=True):
            _matrix(axes, tags, counts)
            axes.set_title(title, fontsize=10, loc="left")
        grid[0].set_ylabel("gold (words)")
        pixels = io.BytesIO()
        figure.savefig(pixels, format="png", dpi=144, facecolor="white", metadata={"Software": None})
    return pixels.getvalue()


def _size(tags: Sequence[str]) -> tuple[float, float]:
    """Return inches of the cells, and of the names of the rows with their numbers of words."""
    return CELL * max(len(tags), 6), 0.08 * max(map(len, tags)) + 0.75


def _matrix(axes: Axes, tags: Sequence[str], counts: NDArray[np.int64]) -> None:
    words = counts.sum(axis=1)
    shares = 100 * counts / np.maximum(words, 1)[:, None]
    right = np.eye(len(tags), dtype=bool)
    edges = np.arange(len(tags) + 1) - 0.5
    # The root makes the rare errors visible beside the frequent ones.
    for wrong, colours in ((False, "Blues"), (True, "Oranges")):
        cells = np.ma.masked_array(shares, mask=(right == wrong) | (counts == 0))
        norm = PowerNorm(0.5 if wrong else 1.0, 0, 130)  # never so dark that black on it is illegible
        axes.pcolormesh(edges, edges, cells, cmap=colours, norm=norm)
    axes.set_aspect("equal")
    axes.invert_yaxis()
    for gold, predicted in np.argwhere(shares >= 0.5):
        share = shares[gold, predicted]
        ink = "white" if share > (75 if gold == predicted else 60) else BLACK
        axes.text(predicted, gold, f"{share:.0f}", ha="center", va="center", fontsize=7, color=ink)
    for gold in np.flatnonzero(words == 0):
        axes.axhspan(gold - 0.5, gold + 0.5, color=FAINT, alpha=0.5, linewidth=0)
    places = np.arange(len(tags))
    axes.set_xticks(places, tags, rotation=90)
    axes.set_yticks(places, [f"{tag}  {count:,}" for tag, count in zip(tags, words.tolist(), strict=True)])
    axes.set_xticks(edges, minor=True)
    axes.set_yticks(edges, minor=True)
    axes.grid(which="minor", color=FAINT, linewidth=0.5)
    axes.tick_params(which="both", length=0)
    axes.set_xlabel("predicted (% of the words of the gold tag)")
