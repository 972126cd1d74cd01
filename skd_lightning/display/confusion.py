"""What is taken for what: confusion matrices of systems side by side."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from skd_lightning.display.style import FAINT, INK, RC

CELL = 0.34
"""Inches: wide enough for "100" in the smallest type that is still legible."""


def confusion_figure(tags: Sequence[str], systems: Mapping[str, NDArray[np.int64]]) -> bytes:
    """A PNG with one matrix a system, gold tags on rows, predicted ones on columns, in per cent of the row's words.

    What is right is blue, what is wrong is orange; shares below half a per cent have a colour and no number. Made for
    up to some thirty tags.

    Args:
        tags: their names.
        systems: {title: (tags, tags) words ``[gold, predicted]``}, from left to right.
    """
    size = CELL * max(len(tags), 6)
    names = 0.08 * max(map(len, tags)) + 0.75  # the names of the rows, and how many words each has
    with matplotlib.rc_context(
        rc={**RC, "font.size": 8.5, "axes.spines.left": False, "axes.spines.bottom": False}
    ):
        figure = Figure(figsize=(len(systems) * (size + names), size + names + 0.2), layout="constrained")
        grid = figure.subplots(1, len(systems), squeeze=False)[0]
        for axes, (title, counts) in zip(grid, systems.items(), strict=True):
            _matrix(axes, tags, counts)
            axes.set_title(title, fontsize=10, loc="left")
        grid[0].set_ylabel("gold (words)")
        pixels = io.BytesIO()
        figure.savefig(pixels, format="png", dpi=144, facecolor="white", metadata={"Software": None})
    return pixels.getvalue()


def _matrix(axes: Axes, tags: Sequence[str], counts: NDArray[np.int64]) -> None:
    words = counts.sum(axis=1)
    shares = 100 * counts / np.maximum(words, 1)[:, None]
    right = np.eye(len(tags), dtype=bool)
    # The root makes the rare errors visible beside the frequent ones.
    for wrong, colours in ((False, "Blues"), (True, "Oranges")):
        axes.imshow(
            np.ma.masked_array(shares, mask=(right == wrong) | (counts == 0)),
            cmap=colours,
            norm=PowerNorm(0.5 if wrong else 1.0, 0, 130),  # never so dark that black on it is illegible
        )
    for gold, predicted in np.argwhere(shares >= 0.5):
        share = shares[gold, predicted]
        ink = "white" if share > (75 if gold == predicted else 60) else INK
        axes.text(predicted, gold, f"{share:.0f}", ha="center", va="center", fontsize=7, color=ink)
    for gold in np.flatnonzero(words == 0):
        axes.axhspan(gold - 0.5, gold + 0.5, color=FAINT, alpha=0.5, linewidth=0)
    places = np.arange(len(tags))
    axes.set_xticks(places, tags, rotation=90)
    axes.set_yticks(places, [f"{tag}  {count:,}" for tag, count in zip(tags, words.tolist(), strict=True)])
    axes.set_xticks(places - 0.5, minor=True)
    axes.set_yticks(places - 0.5, minor=True)
    axes.grid(which="minor", color=FAINT, linewidth=0.5)
    axes.tick_params(which="both", length=0)
    axes.set_xlabel("predicted (% of the words of the gold tag)")
