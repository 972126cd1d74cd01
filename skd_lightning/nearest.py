"""Help for words that do not exist: the nearest one that does."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return ``: did you mean 'distill'?`` for the known word that is most like ``word``, or nothing.

    Examples:
        >>> suggestion("distil", ["distill", "demo"])
        ": did you mean 'distill'?"
        >>> suggestion("xyz", ["distill", "demo"])
        ''
    """
    found = difflib.get_close_matches(word, [*known], n=1)
    return f": did you mean '{found[0]}'?" if found else ""


def no_such(value: str, choices: Iterable[str]) -> str:
    """Return the complaint about a value that is none of the choices, with the nearest of them.

    Examples:
        >>> no_such("topkk", ["topk", "posterior"])
        "there is no 'topkk': did you mean 'topk'? Choices: topk, posterior"
        >>> no_such("Foo", ["topk", "posterior"])
        "there is no 'Foo'. Choices: topk, posterior"
    """
    names = [*choices]
    return f"there is no '{value}'{suggestion(value, names) or '.'} Choices: {', '.join(names)}"
