"""Test scores of one tagger, and the counts of single sentences that they were made from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skd_lightning.metrics import COLUMNS

PARTS = {"f1": ("found", "predicted", "gold"), "accuracy": ("correct", "words", "words")}
"""A score is 2 · first / (second + third), sums over sentences: F1, and with the words twice accuracy."""

Counts = NDArray[np.int64]


@dataclass
class Scores:
    """Scores of a tagger on test data.

    Attributes:
        languages: the score of each language, in [0, 1].
        sentences: number of sentences of each language.
        counts: for each language whose counts are known (sentences, 9) in corpus order, columns as in
            ``metrics.COLUMNS``.
    """

    languages: dict[str, float]
    sentences: dict[str, int]
    counts: dict[str, Counts] = field(default_factory=dict)

    def mean(self, languages: Iterable[str] | None = None) -> float:
        """Return the macro mean over these languages (default: all it has); not a number where there are none."""
        chosen = [self.languages[language] for language in (languages or self.languages)]
        return float(np.mean(chosen)) if chosen else float("nan")

    def add(self, language: str, other: Scores) -> None:
        """Take over what another tagger has on a language."""
        self.languages[language] = other.languages[language]
        self.sentences[language] = other.sentences[language]
        if language in other.counts:
            self.counts[language] = other.counts[language]

    def only(self, languages: Iterable[str]) -> Scores:
        """Return a copy without other languages."""
        found = Scores({}, {})
        for language in languages:
            if language in self.languages:
                found.add(language, self)
        return found


def parts(counts: Counts, metric: str) -> Counts:
    """Turn (sentences, 9) counts into the (sentences, 3) that :func:`ratio` makes the score from."""
    return counts[:, [COLUMNS.index(name) for name in PARTS[metric]]].astype(np.int64)


def ratio(sums: NDArray[Any]) -> NDArray[np.float64]:
    """Turn (..., 3) sums over sentences into (...) scores; 0 where there is nothing to divide by.

    >>> float(ratio(np.array([3, 4, 2])))
    1.0
    """
    below = np.asarray(sums[..., 1] + sums[..., 2], dtype=np.float64)
    return np.divide(2.0 * sums[..., 0], below, out=np.zeros_like(below), where=below > 0)


def common(groups: Sequence[Iterable[str]]) -> list[str]:
    """Return what all groups hold, sorted; nothing for no group.

    >>> common([["de", "en", "fr"], ["fr", "de"]])
    ['de', 'fr']
    """
    sets = [set(group) for group in groups]
    return sorted(set.intersection(*sets)) if sets else []
