"""Test sentences that one system gets right and another one wrong."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from skd_lightning.analysis.comparison import PAIRED
from skd_lightning.analysis.scores import PARTS, Counts, Scores
from skd_lightning.metrics import COLUMNS


@dataclass(frozen=True)
class Sides:
    """Places of sentences among the test sentences of each language, in the order of the corpus.

    Attributes:
        gained: those that the first system gets wrong and the second one right.
        lost: those that the first system gets right and the second one wrong.
    """

    gained: dict[str, list[int]]
    lost: dict[str, list[int]]


def changed_sides(first: Scores, second: Scores, metric: str) -> Sides:
    """Return the sentences on which two systems differ, on the languages in which they were tested on the same ones."""
    sides = Sides({}, {})
    for language in sorted(first.counts.keys() & second.counts.keys()):
        ours, theirs = first.counts[language], second.counts[language]
        if np.array_equal(ours[:, PAIRED], theirs[:, PAIRED]):
            before, after = is_right(ours, metric), is_right(theirs, metric)
            sides.gained[language] = np.flatnonzero(~before & after).tolist()
            sides.lost[language] = np.flatnonzero(before & ~after).tolist()
    return sides


def is_right(counts: Counts, metric: str) -> NDArray[np.bool_]:
    """Return (sentences,) True where all words, or all entities and no others, are right; also without any of them.

    >>> table = np.zeros((2, len(COLUMNS)), dtype=np.int64)
    >>> table[:, COLUMNS.index("predicted")] = table[:, COLUMNS.index("found")] = 1
    >>> table[:, COLUMNS.index("gold")] = 1, 2
    >>> is_right(table, "f1").tolist()
    [True, False]
    """
    found, predicted, gold = (counts[:, COLUMNS.index(name)] for name in PARTS[metric])
    right: NDArray[np.bool_] = (found == predicted) & (found == gold)
    return right


def take_turns(places: Mapping[str, Sequence[int]], number: int, seed: str) -> list[tuple[str, int]]:
    """Draw sentences at random, in turn one of each language; the same seed draws the same ones.

    Args:
        places: of the sentences in each language.
        number: of the sentences to draw; fewer where there are not so many.
        seed: any text.

    >>> [language for language, _ in take_turns({"de": [3, 4, 9], "en": [1]}, 3, "seed")]
    ['de', 'en', 'de']
    """
    shuffled = []
    for language in sorted(places):
        order = random.Random(f"{seed} {language}").sample(list(places[language]), len(places[language]))
        shuffled.append([(language, place) for place in order])
    turns = [drawn for turn in zip_longest(*shuffled) for drawn in turn if drawn is not None]
    return turns[:number]
