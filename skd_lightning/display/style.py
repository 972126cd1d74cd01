"""How plots look: colours and markers for light and dark ground, and figures as SVG and PNG."""

from __future__ import annotations

import base64
import html
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

WIDTH = 4.6  # inches: at its natural size on a desktop page, still legible on a phone's 360 pixels

INK, FAINT = "#1b1f24", "#d4d7db"

# From Okabe and Ito's and Tol's colour-blind safe colours, darkened to a contrast of 3 to white. After the slash
# stands the same hue for dark ground. Markers differ too.
FURTHER = (
    "#332288/#a59bf7",
    "#882255/#e5749f",
    "#2f8f81/#72d8c6",
    "#b9505f/#f39ba9",
    "#5e4b3c/#c9ab92",
    "#3f6fd8/#8fb0ff",
)
MARKERS = ("p", "<", ">", "h", "*")


@dataclass(frozen=True)
class Look:
    """Colours and marker of one name in all plots.

    Attributes:
        colour: on light ground.
        dark: on dark ground.
        marker: matplotlib's letter.
    """

    colour: str
    dark: str
    marker: str


def looks(names: Iterable[str], fixed: Mapping[str, Look] | None = None) -> dict[str, Look]:
    """Return a look for each name: the fixed one where there is one, else the next of the further colours.

    >>> looks(["train", "test"])["test"].marker
    '<'
    """
    found = dict(fixed or {})
    further = 0
    for name in names:
        if name not in found:
            colour, dark = FURTHER[further % len(FURTHER)].split("/")
            found[name] = Look(colour, dark, MARKERS[further % len(MARKERS)])
            further += 1
    return found


@dataclass(frozen=True)
class Plot:
    """A drawn figure; a notebook shows it with title and caption.

    Attributes:
        name: of its file, without suffix.
        title: one line.
        caption: how to read it.
        svg: an element for a page, with the page's colours; no width of its own.
        png: a file on white ground.
        width: inches.
    """

    name: str
    title: str
    caption: str
    svg: str
    png: bytes
    width: float

    def _repr_html_(self) -> str:
        title, caption = html.escape(self.title, quote=True), html.escape(self.caption)
        image = base64.b64encode(self.png).decode()
        return (
            f'<figure style="margin: 0"><b>{title}</b><br>\n'
            f'<img alt="{title}" style="width: {self.width}in; max-width: 100%" src="data:image/png;base64,{image}">\n'
            f"<figcaption>{caption}</figcaption></figure>"
        )


RC: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "svg.fonttype": "none",  # text stays text: it can be searched and takes the page's font
    "svg.hashsalt": "skd_lightning",  # names inside the file then are the same every time
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.linewidth": 0.8,
    "grid.color": FAINT,
    "grid.linewidth": 0.7,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "legend.handlelength": 1.6,
    "legend.columnspacing": 1.2,
    "text.parse_math": False,  # names are the user's, a dollar sign in them is one
}


def draw(
    name: str,
    title: str,
    caption: str,
    height: float,
    paint: Callable[[Figure, Axes], None],
    width: float = WIDTH,
) -> Plot:
    """Return a figure of ``width`` by ``height`` inches, whose axes ``paint`` fills."""
    return draw_figure(
        name, title, caption, height, lambda figure: paint(figure, figure.add_subplot()), width
    )


def draw_figure(
    name: str, title: str, caption: str, height: float, paint: Callable[[Figure], None], width: float
) -> Plot:
    """Return a figure of ``width`` by ``height`` inches that ``paint`` fills, with as many axes as it likes."""
    with matplotlib.rc_context(rc=RC):
        figure = Figure(figsize=(width, height), layout="constrained")
        paint(figure)
        vector, pixels = io.StringIO(), io.BytesIO()
        figure.savefig(vector, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
        figure.savefig(pixels, format="png", dpi=144, facecolor="white", metadata={"Software": None})
    return Plot(name, title, caption, _inline(vector.getvalue(), name, title), pixels.getvalue(), width)


def legend(figure: Figure, *panels: Axes) -> None:
    """Place the legend of all panels above them, in as many columns as there is room for; each name once."""
    found: dict[str, Artist] = {}
    for axes in panels:
        handles, labels = axes.get_legend_handles_labels()
        found.update(zip(labels, handles, strict=True))  # type: ignore[arg-type]
    if found:
        width = figure.get_figwidth()
        columns = max(1, min(int(3 * width / WIDTH), int(width / (0.45 + 0.066 * max(map(len, found))))))
        figure.legend([*found.values()], [*found], loc="outside upper left", ncols=columns)


def bands(axes: Axes, rows: Sequence[str]) -> None:
    """Turn the axes into one band a language, the first on top, every second one shaded."""
    axes.set_yticks(range(len(rows)), rows)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    for row in range(0, len(rows), 2):
        axes.axhspan(row - 0.5, row + 0.5, color=FAINT, alpha=0.35, linewidth=0, zorder=0)
    axes.grid(axis="x")


def offset(place: int, systems: int) -> float:
    """Return the height of a system inside its language's band."""
    return (place + 0.5) / systems * 0.86 - 0.43


def band_height(rows: Sequence[str], systems: int) -> float:
    """Return the height in inches of a figure with bands."""
    return 1.1 + len(rows) * max(0.24, 0.085 * systems)


def _inline(text: str, name: str, title: str) -> str:
    """Cut out the ``<svg>`` element; its colours become the page's variables, its ids are unique on the page."""
    text = text[text.index("<svg") :]
    head, body = text[: text.index(">") + 1], text[text.index(">") + 1 :]
    box = re.search(r'viewBox="([^"]*)"', head)
    assert box is not None
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r"<[^>]*>", lambda tag: _tag(tag[0], name), body)  # what stands between tags is the user's
    words = title.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    body = re.sub(r"\s*\n\s*", "\n", body)
    return f'<svg viewBox="{box[1]}" role="img" aria-label="{words}">{body}'.strip()


def _tag(tag: str, name: str) -> str:
    """Rewrite a tag: short numbers, the page's colours and font, ids that no other figure has."""
    tag = re.sub(r"-?\d+\.\d{3,}", lambda found: f"{float(found[0]):.2f}".rstrip("0").rstrip("."), tag)
    tag = re.sub(r"#([0-9a-f]{6})\b(?=[;\"' ])", lambda found: f"var(--c{found[1]}, #{found[1]})", tag)
    tag = re.sub(r'id="([^"]+)"', rf'id="{name}-\1"', tag)
    tag = re.sub(r'(href="#|url\(#)', rf"\1{name}-", tag)
    return re.sub(r"font: ([\d.]+px) '?DejaVu Sans'?(, [^;\"]*)?", r"font: \1 var(--font)", tag)
