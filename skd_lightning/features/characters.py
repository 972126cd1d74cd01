"""The forms and the character features of words, by name."""

from __future__ import annotations

import zlib

FORMS = 2
"""Form features of a word, the first ones: as written, and in lower case."""


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


def character_features(word: str, ngram: int = 3, affix: int = 4) -> list[str]:
    """Return the shape, the prefixes and suffixes of 1 to ``affix`` characters, and the inner n-grams of a word."""
    lower = word.lower()
    reach = range(1, min(affix, len(lower)) + 1)
    marked = f"<{lower}>"
    return [
        f"shape={word_shape(word)}",
        *(f"prefix={lower[:n]}" for n in reach),
        *(f"suffix={lower[-n:]}" for n in reach),
        *(f"gram={marked[i : i + ngram]}" for i in range(max(len(marked) - ngram + 1, 1))),
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
