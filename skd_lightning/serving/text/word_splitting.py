"""The words of a text: one regular expression a language, and no word without its place."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import cache
from itertools import chain

from skd_lightning.serving.text.languages import code_of, rules_of

Spans = list[tuple[int, int]]
"""First character and last character + 1 of words."""
LONGEST_WORD = 1_000
"""Characters; longer ones are cut, so that a text without spaces needs no more memory than another."""

_SCANNED = (
    range(0x3400),
    range(0xA000, 0xAC00),
    range(0xD7A4, 0x12000),
    range(0x16800, 0x17000),
    range(0x1BC00, 0x1F000),
)
_LETTERS = (range(0xAC00, 0xD7A4), range(0x12000, 0x16800), range(0x17000, 0x1B000), range(0x1B170, 0x1BC00))
"""Code points of which categories are looked up, and those that are letters; above are Chinese characters."""
_UNSPACED = (
    r"\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3038-\u303b\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fd-\u30ff"
    r"\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)
_KATAKANA = r"[\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9f]"
_JAPANESE = (
    r"[\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff]{1,2}"
    "|から|まで|など|ため|こと|する|ない|として|です|ます|した|いる|ある|れる|よう|この|その|また|という"
)
"""Pairs of Chinese characters, and the commonest words of several kana."""
_STACKED = r"\u0e01-\u0e4e\u0e81-\u0ece\u0edc-\u0edf\u1000-\u103f\u1050-\u108f\u109a-\u109d\u1780-\u17d3\uaa60-\uaa7f"
INVISIBLE = (
    r"\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff"
    r"\U000e0000-\U000e007f"
)
"""Control characters and marks of format that are no white space, as inside of ``[…]``."""
_PICTURE = (
    r"[\u2190-\u21ff\u2300-\u23ff\u25a0-\u27bf\u2900-\u297f\u2b00-\u2bff\u3030\u303d\u3297\u3299"
    r"\U0001f000-\U0001faff]"
)
_MODIFIERS = r"\ufe0e\ufe0f\u20e3\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f"
_EMOJI = (
    r"[\U0001f1e6-\U0001f1ff]{2}"
    r"|[0-9#*]\ufe0f?\u20e3"
    rf"|{_PICTURE}[{_MODIFIERS}]{{0,9}}(?:\u200d{_PICTURE}[{_MODIFIERS}]{{0,9}}){{0,9}}"
)
_EMOTICON = r"[:;][-']?[)(DPp](?!\w)"
_ADDRESS = r"(?:https?://|www\.)[^\s<>\"]{0,900}[^\W_]/?"
_REPEATED = r"[!?]{1,100}|``|''|,,|°[CF](?!\w)|" + "|".join(
    f"{re.escape(mark)}{{2,100}}" for mark in ".-=*~$+<>#"
)
_MAIL = r"[\w.+-]{1,64}+@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}"


@cache
def _classes() -> tuple[str, str]:
    """Return the ranges of letters, digits and marks in scripts with spaces, and of marks, as inside of ``[…]``."""
    unspaced = re.compile(f"[{_UNSPACED}{_STACKED}]").match
    marks, letters = [], [code for known in _LETTERS for code in known]
    for code in chain.from_iterable(_SCANNED):
        kind = unicodedata.category(chr(code))[0]
        if kind == "M":
            marks.append(code)
        # Beyond the basic plane unassigned ones count too: fewer ranges are faster to go through.
        if (kind in "LNM" or (code > 0xFFFF and kind == "C")) and not unspaced(chr(code)):
            letters.append(code)
    return "_" + _ranges(sorted(letters)), _ranges(marks) + r"\U000e0100-\U000e01ef"


def _ranges(codes: list[int]) -> str:
    r"""Return sorted code points as ranges.

    >>> _ranges([97, 98, 99, 101])
    '\\U00000061-\\U00000063\\U00000065-\\U00000065'
    """
    found: list[list[int]] = []
    for code in codes:
        if found and found[-1][1] == code - 1:
            found[-1][1] = code
        else:
            found.append([code, code])
    return "".join(rf"\U{first:08x}-\U{last:08x}" for first, last in found)


@cache
def _pattern(language: str) -> re.Pattern[str]:
    """Return the expression that matches one word after the other; what it repeats is bounded, as its time is."""
    letters, marks = _classes()
    language, rules = code_of(language), rules_of(language)
    letter = f"[{letters}]"
    inner = [
        r"['’ʼ·&\u200c\u200d\u00ad\u2060]",
        r"\.(?=(?:[a-z][\w-]{1,62}\.){0,8}[a-z]{2,4}(?!\w))",
        r'["״׳](?=[א-ת])',
    ]
    if language == "en":
        inner[0] = r"['’](?=[A-Z])|[&\u200c\u200d\u00ad\u2060]"
    if not rules.hyphenated:
        inner.append(f"(?!{rules.clitics})[-‐‑]" if rules.clitics else "[-‐‑]")
    if rules.colon:
        inner.append(":(?=[a-zåäö])")
    run = f"{letter}{{1,{LONGEST_WORD}}}+"
    parts = [
        rf"{run}(?=\s)",  # most words, found without trying the others
        _ADDRESS,
        _MAIL,
        rf"{rules.elided}['’](?={letter})" if rules.elided else None,
        rules.clitics,
        rules.hosts,
        rf"(?:[^\W\d_]\.-?){{1,100}}[^\W\d_]\.(?!{letter})",
        r"\d{1,100}(?:[.,:/]\d{1,100}){1,100}(?!\w)",
        f"{run}(?:(?:{'|'.join(inner)}){run}){{0,100}}",
        _EMOJI,
        _EMOTICON,
        r"[#@][^\W\d]\w{0,100}",
        f"{_KATAKANA}{{1,100}}",
        _JAPANESE if language == "ja" else None,
        f"[{_UNSPACED}{_STACKED}][{marks}]{{0,100}}",
        _REPEATED,
        rf"[^\s{INVISIBLE}]",
    ]
    return re.compile(rf"(?=\S)(?:{'|'.join(part for part in parts if part)})")


def spans_of(text: str, language: str) -> Spans:
    """Return the places of the words of a text, in order.

    Every character stands in a word, but for white space, control characters and invisible marks of format.

    Args:
        text: any.
        language: its code, or that of a treebank; "" where it is unknown.

    >>> text = "Prices rose 1.5%, didn't they? See http://example.org/a."
    >>> [text[first:end] for first, end in spans_of(text, "en")]
    ['Prices', 'rose', '1.5', '%', ',', 'did', "n't", 'they', '?', 'See', 'http://example.org/a', '.']
    """
    return cut_words(_pattern(language).finditer, text)


def cut_words(words: Callable[[str, int], Iterator[re.Match[str]]], text: str) -> Spans:
    """Return the places of the words that ``words`` finds; one too long is cut, and the search begins anew."""
    spans = [found.span() for found in words(text, 0)]
    place = 0
    while (place := _too_long(spans, place)) < len(spans):
        first = spans[place][0]
        spans[place:] = [(first, first + LONGEST_WORD)]
        spans += [found.span() for found in words(text, first + LONGEST_WORD)]
    return spans


def _too_long(spans: Spans, place: int) -> int:
    """Return the place of the first word from ``place`` on that is too long; their number if there is none."""
    return next((i for i in range(place, len(spans)) if spans[i][1] - spans[i][0] > LONGEST_WORD), len(spans))
