"""The forms and the character features of words, by name."""

from __future__ import annotations

import zlib

FORMS = 2
"""Form features of a word, the first ones: as written, and in lower case."""
AFFIX = 4
"""Characters of the longest prefix and suffix."""
GRAM = 3
"""Characters of an n-gram."""


def word_shape(word: str) -> str:
    """Return the classes of a word's characters, runs collapsed.

    >>> word_shape("McDonald's3")
    'XxXx.xd'
    """
    shape = ""
    for char in word:
        kind = "X" if char.isupper() else "d" if char.isdigit() else "x" if char.isalpha() else "."
        if not shape.endswith(kind):
            shape += kind
    return shape


def character_features(word: str) -> list[str]:
    """Return the shape, the prefixes and suffixes of 1 to 4 characters, and the trigrams of a word with its ends."""
    lower = word.lower()
    reach = range(1, min(AFFIX, len(lower)) + 1)
    marked = f"<{lower}>"
    return [
        f"shape={word_shape(word)}",
        *(f"prefix={lower[:n]}" for n in reach),
        *(f"suffix={lower[-n:]}" for n in reach),
        *(f"gram={marked[i : i + GRAM]}" for i in range(max(len(marked) - GRAM + 1, 1))),
    ]


def feature_buckets(word: str, buckets: int) -> list[int]:
    """Return the buckets of a word's features in a hashed table, those of its ``FORMS`` first.

    Args:
        word: any string.
        buckets: size of the table; two features may share a bucket.
    """
    names = [f"word={word}", f"lower={word.lower()}", *character_features(word)]
    # Stable over processes, unlike hash(); text from the web may hold lone surrogates.
    return [zlib.crc32(name.encode("utf-8", "surrogatepass")) % buckets for name in names]
