"""Figures of corpora: lengths of sentences, shares of tags, words that the training data do not hold."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from skd_lightning.data.overview import Languages, has_entities, length_table, tag_table, unknown_table
from skd_lightning.data.split_names import SPLITS
from skd_lightning.display.heat import heat_map
from skd_lightning.display.style import Plot, band_height, bands, draw, legend, looks, offset

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
MARKERS = ("o", "s", "D", "X")  # none that points somewhere


def sentence_lengths(languages: Languages) -> Plot:
    """Return a plot of the numbers of words of the sentences, by language and split."""
    table = length_table(languages, QUANTILES)
    names = list(dict.fromkeys(table.index.get_level_values("language")))
    splits = [split for split in SPLITS if split in table.index.get_level_values("split")]
    colours = looks(SPLITS)

    def paint(figure: Figure, axes: Axes) -> None:
        for place, split in enumerate(splits):
            colour = colours[split].colour
            found = table.xs(split, level="split")
            ys = [names.index(language) + offset(place, len(splits)) for language in found.index]
            least, low, median, high, most = (found[quantile] for quantile in QUANTILES)
            axes.hlines(ys, least, most, color=colour, linewidth=1.1)
            axes.hlines(ys, low, high, color=colour, linewidth=3.2)
            axes.plot(median, ys, MARKERS[place], color=colour, markersize=6, label=split)
        bands(axes, names)
        axes.set_xlim(left=0)
        axes.set_xlabel("words of a sentence")
        legend(figure, axes)

    return draw(
        "lengths",
        "Sentence lengths",
        "Mark: median. Thick line: the middle half of the sentences; thin line: all but the shortest and longest 5 %.",
        band_height(names, 2 * len(splits)),
        paint,
    )


def tag_shares(languages: Languages) -> Plot:
    """Return a heat map of the shares of entity types, or of tags, in the training data of each language."""
    table = tag_table(languages).rename_axis(columns="language")
    if has_entities(languages):
        title, what = "Entities by type, per cent of the training data", "entity type"
        caption = "Share of the entities; last row: share of the words that belong to one."
    else:
        title, what, caption = "Words by tag, per cent of the training data", "tag", "Share of the words."
    return heat_map(table.rename_axis(index=what), title, caption)


def unknown_words(languages: Languages, split: str = "test") -> Plot:
    """Return a plot of the words of a split that a teacher, or a student of all languages, has not seen in training."""
    table = 100 * unknown_table(languages, split)
    colours = looks(["own", "all"])

    def paint(figure: Figure, axes: Axes) -> None:
        rows = range(len(table))
        axes.hlines(rows, table["all"], table["own"], color=colours["own"].colour, linewidth=1.1)
        texts = {"own": "not in the language's own training data", "all": "not in those of all languages"}
        for marker, (column, text) in zip(MARKERS, texts.items(), strict=False):
            axes.plot(table[column], rows, marker, color=colours[column].colour, markersize=7, label=text)
        bands(axes, [str(language) for language in table.index])
        axes.set_xlim(left=0)
        axes.set_xlabel(f"unknown words of {split} (%)")
        legend(figure, axes)

    return draw(
        "unknown",
        "Unknown words",
        "A teacher has seen its own language alone, a student all of them: the line is what other languages show it.",
        band_height(list(table.index), 2),
        paint,
    )
