"""The features of words as 64-bit hashes, of all words of a call at once.

A word has features of its own (its forms, shape, affixes and character n-grams) and features in the eyes of its
neighbours (its lower case, shape and last three characters), which are others at each distance. All of them depend on
the word alone, so that a word is read once, however often it occurs.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from skd_lightning.ragged import cells, ranges

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
_UNREAD = 255
_WORD, _LOWER, _SHAPE, _PREFIX, _SUFFIX, _GRAM, _EDGE = range(1, 8)
_BEGINNING, _END = 2, 3
"""Marks around a word."""
_BASIS, _PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)
_CHUNK = 2**18
"""Characters of words that are padded to one length at a time, which bounds the memory."""

# Read once a character: reading all of them would take a tenth of a second at every start.
_kinds = np.full(_KNOWN_CHARACTERS, _UNREAD, dtype=np.uint8)
_lower = np.zeros(_KNOWN_CHARACTERS, dtype=np.uint32)


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
    codes = np.frombuffer("".join(words).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    kinds, lower = _read(codes)
    lengths = np.fromiter(map(len, words), dtype=np.int64, count=len(words))
    starts = np.cumsum(lengths) - lengths
    sizes = np.full((len(words), BAGS), SEEN, dtype=np.int64)
    sizes[:, REACH] = 3 + 2 * np.minimum(lengths, AFFIX) + np.maximum(lengths, 1)
    numbers = sizes.sum(1)
    places = np.cumsum(numbers) - numbers
    states, names = (np.empty(int(numbers.sum()), dtype=np.uint64) for _ in range(2))
    for some in _of_similar_length(lengths):
        own, inside = cells(lengths[some])
        at = ranges(starts[some], lengths[some])
        padded = np.zeros((3, len(some), int(lengths[some].max(initial=0))), dtype=np.uint64)
        padded[:, own, inside] = codes[at], lower[at], kinds[at]
        goal = ranges(places[some], numbers[some])
        states[goal], names[goal] = _states(padded, lengths[some])
    return _mixed(states[:, None] ^ np.array(salts, dtype=np.uint64), names[:, None]).ravel(), sizes * len(
        salts
    )


def salts_of(language: str) -> list[int]:
    """Return the salts of the features that all languages share, and of a language's own unless it is ""."""
    return [0, zlib.crc32(language.encode())] if language else [0]


def edge_hashes() -> tuple[Hashes, NDArray[np.int64]]:
    """Return the features of the edge of a sentence, which stands where a neighbour would be, as a word's."""
    bags = np.array([bag for bag in range(BAGS) if bag != REACH], dtype=np.uint64)
    sizes = np.ones((1, BAGS), dtype=np.int64)
    sizes[0, REACH] = 0
    return _mixed(np.zeros(len(bags), dtype=np.uint64), bags * np.uint64(8) + np.uint64(_EDGE)), sizes


def _of_similar_length(lengths: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Yield the places of words that are padded to one length, at most ``_CHUNK`` characters or a single word."""
    order = np.argsort(lengths, kind="stable")
    first = 0
    while first < len(order):
        widths = np.maximum(lengths[order[first : first + _CHUNK]], 1)
        fit = int(np.searchsorted(widths * np.arange(1, len(widths) + 1), _CHUNK, side="right"))
        yield order[first : first + max(fit, 1)]
        first += max(fit, 1)


def _read(codes: NDArray[np.uint32]) -> tuple[NDArray[np.uint8], NDArray[np.uint32]]:
    """Return the kind and the lower case of each character; one of several characters is not taken."""
    known = codes < _KNOWN_CHARACTERS
    inside = np.where(known, codes, 0)
    for code in np.unique(inside[_kinds[inside] == _UNREAD]).tolist():
        c = chr(code)
        small = c.lower()
        _lower[code] = ord(small) if len(small) == 1 else code
        _kinds[code] = (
            _UPPER if c.isupper() else _DIGIT if c.isdigit() else _LETTER if c.isalpha() else _OTHER
        )
    return np.where(known, _kinds[inside], _LETTER), np.where(known, _lower[inside], codes)


def _step(state: Hashes, number: Hashes) -> Hashes:
    """Take in a character: FNV-1a with a character for a byte."""
    return (state ^ number) * _PRIME


def _mixed(states: Hashes, names: Hashes) -> Hashes:
    """Return hashes, mixed as splitmix64 does it, from states and the numbers of bags and kinds of features."""
    mixed = states + names * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    hashes: Hashes = mixed ^ (mixed >> np.uint64(31))
    return hashes


def _states(padded: Hashes, lengths: NDArray[np.int64]) -> tuple[Hashes, Hashes]:
    """Return the states of the features of words of similar length, and the numbers of their bags and kinds.

    Args:
        padded: (3, words, longest) codes, lower case and kinds of their characters.
        lengths: (words,) characters of each word.
    """
    codes, lower, kinds = padded
    count, longest = codes.shape
    marked = np.zeros((count, longest + NGRAM), dtype=np.uint64)  # in lower case, between marks
    marked[:, 0], marked[:, 1 : longest + 1] = _BEGINNING, lower
    marked[np.arange(count), lengths + 1] = _END

    word, lowered, shape, ending = (np.full(count, _BASIS) for _ in range(4))
    affixes = np.full((2, AFFIX, count), _BASIS)  # prefixes and suffixes of each length
    prefix, suffix = np.full(count, _BASIS), np.full(count, _BASIS)
    for i in range(longest):
        inside = i < lengths
        word = np.where(inside, _step(word, codes[:, i]), word)
        lowered = np.where(inside, _step(lowered, lower[:, i]), lowered)
        other = inside & (kinds[:, i] != kinds[:, i - 1]) if i else inside
        shape = np.where(other, _step(shape, kinds[:, i]), shape)
        if i < AFFIX:
            from_end = marked[np.arange(count), np.maximum(lengths - i, 0)]
            prefix, suffix = _step(prefix, lower[:, i]), _step(suffix, from_end)
            affixes[:, i] = prefix, suffix
            if i < ENDING:
                ending = np.where(inside, suffix, ending)
    grams = np.full((count, max(longest, 1)), _BASIS)
    for j in range(NGRAM):
        part = marked[:, j : j + grams.shape[1]]
        there = np.arange(j, j + grams.shape[1]) < (lengths + 2)[:, None]
        grams = np.where(there, _step(grams, part), grams)

    seen = np.stack([lowered, shape, ending], axis=1)
    forms = np.stack([word, lowered, shape], axis=1)
    own = np.concatenate([forms, affixes.transpose(2, 1, 0).reshape(count, -1), grams], axis=1)
    always = np.ones((count, 3), dtype=bool)
    reached = np.repeat(np.arange(AFFIX) < lengths[:, None], 2, axis=1)
    has_gram = np.arange(grams.shape[1]) < np.maximum(lengths, 1)[:, None]
    own_kinds = [_WORD, _LOWER, _SHAPE, *[_PREFIX, _SUFFIX] * AFFIX, *[_GRAM] * grams.shape[1]]

    in_view = (seen, always, [_LOWER, _SHAPE, _SUFFIX])
    bags = (
        [in_view] * REACH
        + [(own, np.concatenate([always, reached, has_gram], axis=1), own_kinds)]
        + [in_view] * REACH
    )
    states, there = (np.concatenate([bag[n] for bag in bags], axis=1) for n in range(2))
    names = np.array([8 * n + kind for n, bag in enumerate(bags) for kind in bag[2]], dtype=np.uint64)
    return states[there], np.broadcast_to(names, there.shape)[there]
