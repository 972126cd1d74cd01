"""The tags that a finished run gave to the test words, beside the gold tags."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skd_lightning.analysis.finished import Finished, reason
from skd_lightning.metrics import COLUMNS
from skd_lightning.runs.tagged_words import GOLD, PREDICTED, SEEN
from skd_lightning.tags import continues, split_tag


@dataclass(frozen=True)
class TaggedWords:
    """The annotated test words of one language, end to end.

    Attributes:
        predicted: (words,) numbers of the decoded tags.
        gold: (words,) numbers of the gold tags.
        seen: (words,) bool, True for a word that stands in the language's annotated training sentences.
        lengths: (sentences,) words of each test sentence, in the order of the corpus; 0 for one without annotation.
        tags: names of the tags, in the order of their numbers.
    """

    predicted: NDArray[np.int64]
    gold: NDArray[np.int64]
    seen: NDArray[np.bool_]
    lengths: NDArray[np.int64]
    tags: tuple[str, ...]

    def sentence(self, place: int) -> tuple[list[str], list[str]]:
        """Return the predicted and the gold tags of one sentence."""
        end = int(self.lengths[: place + 1].sum())
        words = slice(end - int(self.lengths[place]), end)
        predicted, gold = ([self.tags[i] for i in tags[words]] for tags in (self.predicted, self.gold))
        return predicted, gold


def read_tagged_words(run: Finished, notes: list[str]) -> dict[str, TaggedWords]:
    """Return the test words of a run by language; without those that it has not kept, or that are not of its results.

    Args:
        run: finished; languages whose sentences were not counted are left out.
        notes: files that cannot be read are named here.
    """
    found = {}
    for language, counts in run.test.counts.items():
        file = run.folder.predictions / f"{language}.npy"
        if not file.is_file():
            continue
        try:
            columns = np.load(file, allow_pickle=False)
            found[language] = _checked(columns, counts, tuple(run.results.tags))
        except (OSError, ValueError, EOFError) as error:
            place = f"{run.name}/{run.folder.predictions.name}/{file.name}"
            notes.append(f"{place}: not readable ({reason(error)}); not used")
    return found


def _checked(columns: NDArray[np.int64], counts: NDArray[np.int64], tags: tuple[str, ...]) -> TaggedWords:
    """Refuse columns that the counts were not made from."""
    lengths, correct = (counts[:, COLUMNS.index(name)] for name in ("words", "correct"))
    if not isinstance(columns, np.ndarray):  # what np.load makes of an archive
        raise ValueError("not an array")
    if columns.shape != (lengths.sum(), 3) or columns.dtype.kind != "u":
        raise ValueError(f"{columns.dtype} of shape {columns.shape}, not ({lengths.sum()} words, 3)")
    predicted, gold, seen = (columns[:, place].astype(np.int64) for place in (PREDICTED, GOLD, SEEN))
    if max(predicted.max(initial=0), gold.max(initial=0)) >= len(tags) or seen.max(initial=0) > 1:
        raise ValueError(f"there are {len(tags)} tags, and a word is seen (1) or not (0)")
    sums = np.cumsum(np.append(0, predicted == gold))
    ends = np.cumsum(lengths)
    if (sums[ends] - sums[ends - lengths] != correct).any():
        raise ValueError("not of the counts: other words are right")
    return TaggedWords(predicted, gold, seen.astype(bool), lengths, tags)


def spans(tags: NDArray[np.int64], lengths: NDArray[np.int64], names: tuple[str, ...]) -> NDArray[np.int64]:
    """Return (entities, 3) the first word, the last word + 1 and the number of the type of all entities, in order.

    Entities are those of :func:`skd_lightning.tags.entities` in each sentence; a type's number is its place among the
    sorted types, from 1.

    Args:
        tags: (words,) numbers of tags, sentences end to end.
        lengths: (sentences,) words of each.
        names: of the tags.

    >>> spans(np.array([1, 2, 0, 1, 1]), np.array([4, 1]), ("O", "B-PER", "I-PER")).tolist()
    [[0, 2, 1], [3, 4, 1], [4, 5, 1]]
    """
    kinds = [split_tag(name)[1] for name in names]
    number = {kind: i for i, kind in enumerate(sorted({"", *kinds}))}
    types = np.array([number[kind] for kind in kinds])[tags]
    carries_on = np.array([[continues(a, b) for b in names] for a in names])
    cut = np.ones(len(tags) + 1, dtype=bool)  # word i does not carry on the entity of word i - 1
    cut[1:-1] = ~carries_on[tags[:-1], tags[1:]]
    cut[np.cumsum(lengths)] = True
    cuts = np.flatnonzero(cut)
    begins = np.flatnonzero(cut[:-1] & (types > 0))
    ends = cuts[np.searchsorted(cuts, begins, side="right")]
    return np.stack([begins, ends, types[begins]], axis=1)
