"""Tables and figures of a distribution over tag sequences: best sequences, marginals, the effect of temperature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from skd_lightning.crf import LinearChainCRF
from skd_lightning.data.sentence import Sentence
from skd_lightning.display.heat import heat_map
from skd_lightning.display.style import Plot, draw, legend, looks
from skd_lightning.explore.corpus_figures import MARKERS


def kbest_table(crf: LinearChainCRF, words: Sequence[str], tags: Sequence[str], k: int) -> pd.DataFrame:
    """Return the k best tag sequences of a sentence, best first; fewer where there are not so many.

    Args:
        crf: of this sentence alone (a batch of 1).
        words: of the sentence.
        tags: names, by number.
        k: number of sequences.

    Returns:
        A table with the columns ``probability`` p(y|x), ``cumulative`` (of this sequence and the better ones),
        ``weight`` (p renormalised over the k: the weights of ``topwk``), then one a word with its tag, a dot where
        it is that of the best sequence; index from 1.
    """
    best = crf.kbest(k)
    real = torch.isfinite(best.scores[0])
    probabilities = crf.log_prob(best.paths)[0][real].double().exp()
    paths = [path[: len(words)] for path in best.paths[0][real].tolist()]
    rows = [
        [tags[tag] if rank == 0 or tag != first else "·" for tag, first in zip(path, paths[0], strict=True)]
        for rank, path in enumerate(paths)
    ]
    table = pd.DataFrame(rows, columns=list(words), index=pd.RangeIndex(1, len(rows) + 1, name="rank"))
    numbers = {
        "probability": probabilities,
        "cumulative": probabilities.cumsum(0),
        "weight": probabilities / probabilities.sum(),
    }
    return pd.concat(
        [pd.DataFrame({name: x.tolist() for name, x in numbers.items()}, table.index), table], axis=1
    )


def posterior_table(crf: LinearChainCRF, words: Sequence[str], tags: Sequence[str]) -> pd.DataFrame:
    """Return the marginals p(y_i | x) of a sentence (a batch of 1): rows are tags, columns words."""
    marginals = crf.marginals[0, : len(words)].T.cpu().numpy()
    return pd.DataFrame(marginals, index=pd.Index(tags, name="tag"), columns=pd.Index(words, name="word"))


def posterior_map(crf: LinearChainCRF, sentence: Sentence, tags: Sequence[str], title: str) -> Plot:
    """Draw the marginals of a sentence (a batch of 1), its gold tags in frames where it has them."""
    table = posterior_table(crf, sentence.words, tags)
    rows = {tag: row for row, tag in enumerate(tags)}
    gold = [(rows[tag], column) for column, tag in enumerate(sentence.tags or ()) if tag in rows]
    caption = "Posterior probability of each tag of each word, per cent; frames: gold tags."
    return heat_map(table, title, caption, gold)


def tempered_table(
    crf: LinearChainCRF, word: int, tags: Sequence[str], temperatures: Sequence[float]
) -> pd.DataFrame:
    """Return a word's marginals at several temperatures, tempered in both ways: rows are these, columns tags.

    Args:
        crf: of one sentence (a batch of 1).
        word: place in the sentence, from 0.
        tags: names, by number.
        temperatures: each gives a row for tempered marginals, q^{1/T} renormalised (the paper's code), and one for
            the marginals of tempered potentials.
    """
    marginals = crf.marginals[0, word]
    rows = {"as it is": marginals}
    for temperature in temperatures:
        soft = marginals ** (1 / temperature)
        rows[f"marginals, T = {temperature:g}"] = soft / soft.sum()
        rows[f"potentials, T = {temperature:g}"] = crf.tempered(temperature).marginals[0, word]
    table = pd.DataFrame({name: row.tolist() for name, row in rows.items()}, index=pd.Index(tags, name="tag"))
    return table.T


def mass_table(crfs: Mapping[str, LinearChainCRF], k: int) -> pd.DataFrame:
    """Return the probability of the best sequences together, mean over sentences: a column a name, index 1 to k."""
    columns = {}
    for name, crf in crfs.items():
        best = crf.kbest(k)
        # Where there are fewer than k, the rest has the score -inf and no probability.
        probabilities = (best.scores - crf.log_partition[:, None]).double().exp()
        columns[name] = probabilities.cumsum(1).mean(0).tolist()
    return pd.DataFrame(columns, index=pd.RangeIndex(1, k + 1, name="k"))


def show_mass(table: pd.DataFrame) -> Plot:
    """Draw the curves of :func:`mass_table`, at most four."""
    seen = looks(table.columns)

    def paint(figure: Figure, axes: Axes) -> None:
        for marker, name in zip(MARKERS, table, strict=False):
            axes.plot(
                table.index, 100 * table[name], color=seen[str(name)].colour, marker=marker, markersize=5,
                linewidth=1.4, label=str(name),
            )  # fmt: skip
        axes.grid(axis="y")
        axes.set_ylim(top=101)
        axes.set_xlabel("k")
        axes.set_ylabel("probability covered (%)")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        legend(figure, axes)

    caption = "Probability that the k best tag sequences of a sentence have together, mean over sentences."
    return draw("mass", "What the k best sequences cover", caption, 3.6, paint)
