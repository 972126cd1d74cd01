"""Sentences of different lengths: joined in one array, laid out one under the other, cut into batches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def cells(lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return row and column of every word of sentences that stand one under the other, (words,) each.

    ``padded[cells(lengths)] = joined`` lays them out, ``padded[cells(lengths)]`` joins them again.

    Args:
        lengths: (sentences,) words of each sentence.

    >>> cells(np.array([2, 1]))
    (array([0, 0, 1]), array([0, 1, 0]))
    """
    ends = np.cumsum(lengths)
    column = np.arange(lengths.sum()) - np.repeat(ends - lengths, lengths)
    return np.repeat(np.arange(len(lengths)), lengths), column


def ranges(starts: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return the places of the entries of some ranges of a joined array, range by range.

    Args:
        starts: (ranges,) place of each one's first entry.
        sizes: (ranges,) entries of each.

    >>> ranges(np.array([5, 0]), np.array([2, 3]))
    array([5, 6, 0, 1, 2])
    """
    places: np.ndarray = np.arange(sizes.sum()) + np.repeat(starts - (np.cumsum(sizes) - sizes), sizes)
    return places


def distinct(items: Sequence[np.ndarray], words: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the different numbers among those of all words, and the place of each word's number among them.

    Args:
        items: a number for each word, for each sentence.
        words: length to which all are padded, with the number 0.

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

    Args:
        order: positions of the sentences; neighbours meet in a batch.
        lengths: (all sentences,) words of each sentence.
        tokens: budget of a batch in words.

    >>> cut_by_budget([0, 1, 2], np.array([2, 3, 9]), tokens=6)
    [[0, 1], [2]]
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


def regroup_into(batches: Sequence[list[int]], count: int, lengths: np.ndarray) -> list[list[int]]:
    """Return the same sentences in ``count`` batches: wide ones are halved, or small ones shared out to the others.

    Args:
        batches: neighbours in length, as :func:`cut_by_budget` makes them.
        count: number of batches wanted; if there are fewer sentences, batches of one empty sentence (-1) are added.
        lengths: (all sentences,) words of each sentence.

    >>> regroup_into([[0, 1, 2, 3], [4]], 3, np.array([1, 1, 2, 2, 3]))
    [[0, 1], [2, 3], [4]]
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
        left_over = made.pop(min(range(len(made)), key=lambda place: len(made[place])))
        sizes = np.array([len(batch) for batch in made])
        longest = np.array([lengths[batch].max() for batch in made])
        for sentence in left_over:
            # Where its batch is narrowest then: a long one among many short ones would pad them all to its length.
            place = int(np.argmin((sizes + 1) * np.maximum(longest, lengths[sentence])))
            made[place].append(sentence)
            sizes[place] += 1
            longest[place] = max(longest[place], lengths[sentence])
    return made
