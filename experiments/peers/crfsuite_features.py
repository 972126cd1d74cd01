"""The features of crfsuite's words, without the libraries that training needs."""

from __future__ import annotations

import re
from collections.abc import Sequence


def shape(word: str) -> str:
    """Return the shape of a word: X, x and d for letters and digits, runs cut to three.

    >>> shape("Lincolnshire-2024")
    'Xxxx-ddd'
    """
    signs = "".join("d" if c.isdigit() else "X" if c.isupper() else "x" if c.isalpha() else c for c in word)
    return re.sub(r"(.)\1{3,}", r"\1\1\1", signs)


def features(words: Sequence[str]) -> list[list[str]]:
    """Return the features of each word of a sentence."""
    shapes = [shape(word) for word in words]
    rows = []
    for i, word in enumerate(words):
        row = ["bias", f"word={word}", f"lower={word.lower()}", f"shape={shapes[i]}"]
        row += [f"prefix{n}={word[:n]}" for n in range(1, 5)]
        row += [f"suffix{n}={word[-n:]}" for n in range(1, 5)]
        for step in (-2, -1, 1, 2):
            if 0 <= i + step < len(words):
                other = words[i + step]
                row += [
                    f"{step}:word={other}",
                    f"{step}:shape={shapes[i + step]}",
                    f"{step}:suffix={other[-3:]}",
                ]
            else:
                row.append(f"{step}:none")
        rows.append(row)
    return rows
