"""Sentences of different lengths: joined in one array, laid out one under the other, cut into batches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def cells(lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Row and column of every word where sentences of these lengths stand one under the other.

    ``padded[cells(lengths)] = joined`` lays them out, ``padded[cells(lengths)]`` joins them again.
    """
    ends = np.cumsum(lengths)
    column = np.arange(lengths.sum()) - np.repeat(ends - lengths, lengths)
    return np.repeat(np.arange(len(lengths)), lengths), column


def distinct(items: Sequence[np.ndarray], words: int) -> tuple[np.ndarray, np.ndarray]:
    """The different numbers among those of all words, and which of them each word has.

    Args:
        items: for each sentence a number a word.
        words: to which all are padded, with the number 0.

    Returns:
        (distinct,) sorted; (sentences, words) places in it.
    """
    padded = np.zeros((len(items), words), dtype=np.int64)
    for row, item in zip(padded, items, strict=True):
        row[: len(item)] = item
    found, place = np.unique(padded, return_inverse=True)
    return found, place.reshape(padded.shape)


def cut_by_budget(order: Sequence[int], lengths: np.ndarray, tokens: int) -> list[list[int]]:
    """Cut an order of sentences into batches of at most ``tokens`` words, padding counted.

    A sentence that is longer than the budget alone is a batch of its own; nothing is cut short.
    """
    batches: list[list[int]] = []
    longest = 0
    for i in order:
        width = max(longest, int(lengths[i]), 1)
        if batches and width * (len(batches[-1]) + 1) <= tokens:
            batches[-1].append(int(i))
            longest = width
        else:
            batches.append([int(i)])
            longest = max(int(lengths[i]), 1)
    return batches


def exactly(batches: Sequence[list[int]], count: int, lengths: np.ndarray) -> list[list[int]]:
    """The same sentences in so many batches: the widest are halved, or the smallest shared out over their neighbours.

    Args:
        batches: neighbours in length, as :func:`cut_by_budget` makes them.
        count: how many there shall be; empty ones fill up where there are fewer sentences.
        lengths: of all sentences, in words.
    """

    def width(batch: list[int]) -> int:
        return len(batch) * max(1, int(lengths[batch].max())) if len(batch) > 1 else 0

    made = [list(batch) for batch in batches]
    widths = [width(batch) for batch in made] if len(made) < count else []
    while len(made) < count:
        widest = max(range(len(made)), key=widths.__getitem__, default=None)
        if widest is None or not widths[widest]:
            made.append([-1])
            widths.append(0)
        else:
            middle = len(made[widest]) // 2
            halves = [made[widest][:middle], made[widest][middle:]]
            made[widest : widest + 1], widths[widest : widest + 1] = halves, map(width, halves)
    while len(made) > max(1, count):
        smallest = min(range(len(made)), key=lambda place: len(made[place]))
        for distance, sentence in enumerate(made.pop(smallest)):
            # the places left and right of it, further and further away
            place = smallest + (distance // 2 if distance % 2 else -1 - distance // 2)
            made[place % len(made)].append(sentence)
    return made
