"""The features of words as 64-bit hashes, made by compiled loops.

A word has features of its own (its forms, shape, affixes and character n-grams) and features in the eyes of its
neighbours (its lower case, shape and last three characters), which are others at each distance. All of them depend on
the word alone, so that a word is read once, however often it occurs.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skd_lightning.encoders.loops import loop

Hashes = NDArray[np.uint64]

REACH = 2
"""Words to each side that see a word."""
BAGS = 2 * REACH + 1
"""Bags of features of a word: bag ``REACH + d`` is for the word at distance ``d`` before it, the middle one its own."""
AFFIX = 4
NGRAM = 3
SEEN = 3
"""Features of a word that a neighbour sees: its lower case, its shape and its ending."""
ENDING = 3
"""Characters of that ending."""
_KNOWN_CHARACTERS = 0x20000
"""Characters beyond are letters without case: the rarer Chinese characters and a few symbols."""
_OTHER, _LETTER, _UPPER, _DIGIT = range(4)
_WORD, _LOWER, _SHAPE, _PREFIX, _SUFFIX, _GRAM, _EDGE = range(1, 8)


def word_hashes(words: Sequence[str], salts: Sequence[int] = (0,)) -> tuple[Hashes, NDArray[np.int64]]:
    """Return the hashed features of words.

    Args:
        words: any strings.
        salts: each makes other features of the same words; a bag holds those of all salts.

    Returns:
        (features of all words,) hashes, bag by bag; (words, BAGS) their numbers.

    >>> hashes, sizes = word_hashes(["Ann"])
    >>> sizes.tolist()  # in the middle 2 forms, the shape, 3 prefixes, 3 suffixes and 3 trigrams
    [[3, 3, 12, 3, 3]]
    """
    text = "".join(words).encode("utf-32-le", "surrogatepass")
    lengths = np.fromiter(map(len, words), dtype=np.int64, count=len(words))
    sizes = np.full((len(words), BAGS), SEEN, dtype=np.int64)
    sizes[:, REACH] = 3 + 2 * np.minimum(lengths, AFFIX) + np.maximum(lengths, 1)
    sizes *= len(salts)
    hashes = np.empty(int(sizes.sum()), dtype=np.uint64)
    kinds, lower = _characters()
    codes = np.frombuffer(text, dtype=np.uint32)
    _fill(codes, np.cumsum(lengths), kinds, lower, np.array(salts, dtype=np.uint64), hashes)
    return hashes, sizes


def edge_hashes() -> tuple[Hashes, NDArray[np.int64]]:
    """Return the features of the edge of a sentence, which stands where a neighbour would be, as a word's."""
    hashes = np.zeros(BAGS - 1, dtype=np.uint64)
    _fill_edge(hashes)
    sizes = np.ones((1, BAGS), dtype=np.int64)
    sizes[0, REACH] = 0
    return hashes, sizes


@cache
def _characters() -> tuple[NDArray[np.uint8], NDArray[np.uint32]]:
    """Return the kind and the lower case of each known character; one of several characters is not taken."""
    characters = [chr(code) for code in range(_KNOWN_CHARACTERS)]
    kinds = [
        _UPPER if c.isupper() else _DIGIT if c.isdigit() else _LETTER if c.isalpha() else _OTHER
        for c in characters
    ]
    lower = [ord(small) if len(small := c.lower()) == 1 else ord(c) for c in characters]
    return np.array(kinds, dtype=np.uint8), np.array(lower, dtype=np.uint32)


@loop
def _step(state: Any, number: int) -> Any:
    """Take in a character: FNV-1a with a character for a byte."""
    return (state ^ np.uint64(number)) * np.uint64(0x100000001B3)


@loop
def _put(hashes: Hashes, at: int, state: Any, kind: int, bag: int, salts: Hashes) -> int:
    """Write a feature for each salt, mixed as splitmix64 does it, and return the place behind them."""
    for salt in salts:
        mixed = (state ^ salt) + np.uint64(8 * bag + kind) * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        hashes[at] = mixed ^ (mixed >> np.uint64(31))
        at += 1
    return at


@loop
def _fill_edge(hashes: Hashes) -> None:
    at = 0
    for bag in range(BAGS):
        if bag != REACH:
            at = _put(hashes, at, np.uint64(0), _EDGE, bag, np.zeros(1, dtype=np.uint64))


@loop
def _fill(
    codes: NDArray[np.uint32],
    ends: NDArray[np.int64],
    kinds: NDArray[np.uint8],
    lower: NDArray[np.uint32],
    salts: Hashes,
    hashes: Hashes,
) -> None:
    basis = np.uint64(0xCBF29CE484222325)
    at, first = 0, 0
    for end in ends:
        length = end - first
        marked = np.empty(length + 2, dtype=np.uint32)  # in lower case, between marks of beginning and end
        marked[0], marked[length + 1] = 2, 3
        word, lowered, shape = basis, basis, basis
        last = -1
        for i in range(length):
            code = codes[first + i]
            kind = _LETTER
            marked[i + 1] = code
            if code < len(kinds):
                kind = kinds[code]
                marked[i + 1] = lower[code]
            word, lowered = _step(word, code), _step(lowered, marked[i + 1])
            if kind != last:
                shape = _step(shape, kind)
            last = kind
        ending = basis
        for i in range(min(ENDING, length)):
            ending = _step(ending, marked[length - i])
        for bag in range(BAGS):
            if bag != REACH:
                at = _put(hashes, at, lowered, _LOWER, bag, salts)
                at = _put(hashes, at, shape, _SHAPE, bag, salts)
                at = _put(hashes, at, ending, _SUFFIX, bag, salts)
                continue
            at = _put(hashes, at, word, _WORD, bag, salts)
            at = _put(hashes, at, lowered, _LOWER, bag, salts)
            at = _put(hashes, at, shape, _SHAPE, bag, salts)
            prefix, suffix = basis, basis
            for i in range(min(AFFIX, length)):
                prefix, suffix = _step(prefix, marked[i + 1]), _step(suffix, marked[length - i])
                at = _put(hashes, at, prefix, _PREFIX, bag, salts)
                at = _put(hashes, at, suffix, _SUFFIX, bag, salts)
            for i in range(max(length, 1)):
                gram = basis
                for j in range(i, min(i + NGRAM, length + 2)):
                    gram = _step(gram, marked[j])
                at = _put(hashes, at, gram, _GRAM, bag, salts)
        first = end
