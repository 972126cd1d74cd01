"""A runtime's knowledge of words without their sentences, remembered from one call to the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

REMEMBERED = 2**15
"""Words that are remembered at most; then all are forgotten, which costs less than choosing among them."""


class WordMemory:
    """Rows of numbers, one a word, made once for each distinct word.

    Args:
        make: makes (n, size) float32 rows for n words.
        padding: (size,) the row that stands beyond the edges of sentences: number 0.
    """

    def __init__(
        self, make: Callable[[Sequence[str]], NDArray[np.float32]], padding: NDArray[np.float32]
    ) -> None:
        self._make, self._padding = make, padding
        self._forget()

    def _forget(self) -> None:
        self._places: dict[str, int] = {}
        self.rows = self._padding[None].copy()
        """(words met, size)."""

    def numbers(self, sentences: Sequence[Sequence[str]]) -> list[list[int]]:
        """Return the row of each word of some sentences; rows of earlier calls may have been forgotten."""
        if len(self._places) > REMEMBERED:
            self._forget()
        places = self._places
        new = [word for word in dict.fromkeys(w for words in sentences for w in words) if word not in places]
        if new:
            used = len(places) + 1
            if used + len(new) > len(self.rows):
                larger = np.empty((2 * (used + len(new)), self.rows.shape[1]), dtype=np.float32)
                larger[:used] = self.rows[:used]
                self.rows = larger
            self.rows[used : used + len(new)] = self._make(new)
            places.update(zip(new, range(used, used + len(new)), strict=True))
        return [[places[word] for word in words] for words in sentences]
