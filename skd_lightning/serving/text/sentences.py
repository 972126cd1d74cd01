"""The sentences of a text: where they end, and the words in each."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable

from skd_lightning.serving.text.languages import ENUMERATIONS, NUMBERED, LanguageRules, rules_of
from skd_lightning.serving.text.word_splitting import INVISIBLE, LONGEST_WORD, Spans, cut_words, spans_of

LONGEST_SENTENCE = 500
"""Words; a longer sentence is cut behind this one."""
LOOK_AHEAD = 3
"""Words behind the end of a sentence that tell if it is one."""
HELD_BACK = 2 * LONGEST_WORD
"""Characters at the end of an incomplete text in which words may still change."""

Splitter = Callable[[str, bool], tuple[list[Spans], int]]
"""From a text, and True if no more of it follows, to the words of its sentences and the characters that they take."""

_SELF_STANDING = frozenset("。！？｡।॥؟۔։።၊။៕༎")
"""Marks that end a sentence with no space behind them too."""
_ENDING = _SELF_STANDING | frozenset(".!?…．")
_CLOSING = frozenset("\"'”’»›)]}」』）】》〉｣")
WIDE_GAP = 1_000
"""Characters of white space that end a sentence too."""
_GAPS = {
    "\n": re.compile(r"\n[^\S\r\n]*\r?\n"),
    "\r": re.compile(r"\r[^\S\r\n]*\r"),
    "\u2029": re.compile("\u2029"),
    "\x0c": re.compile("\x0c"),
}
"""Blank lines and ends of pages, by the character that each begins with."""
_BLANK = re.compile(rf"[\s{INVISIBLE}]*")
_SPACE = re.compile(r"\s*")
_LINE_END = re.compile("[\n\r\u2029\x0c]")
_ORDINAL = re.compile(r"\d{1,4}|[IVX]{1,5}")
_FIELD = re.compile(rf"\S{{1,{LONGEST_WORD}}}")


def by_rules(language: str) -> Splitter:
    """Return the splitter of a language, or, for "" and for those that no table has, the one of no language.

    A sentence ends at a blank line, behind :data:`LONGEST_SENTENCE` words, and at a mark that ends one in any script,
    with the quotes and brackets that close there: not at the dot of an abbreviation, nor before a lower-case word.

    >>> text = 'Mr. Berg came at 5.30. "Go!" he said.'
    >>> found, length = by_rules("en")(text, True)
    >>> [text[words[0][0] : words[-1][1]] for words in found]
    ['Mr. Berg came at 5.30.', '"Go!" he said.']
    """
    rules = rules_of(language)

    def split(text: str, complete: bool) -> tuple[list[Spans], int]:
        spans = spans_of(text, language)
        return _sentences(text, spans, lambda own: _ends(text, own, rules), _BLANK, complete)

    return split


def by_spaces(text: str, complete: bool) -> tuple[list[Spans], int]:
    r"""Split a text of words between white space, with a sentence on each line; see :data:`Splitter`.

    >>> by_spaces("Anna Berg .\nYes\n", True)
    ([[(0, 4), (5, 9), (10, 11)], [(12, 15)]], 16)
    """

    def ends(spans: Spans) -> tuple[list[int], list[int]]:
        lines = _LINE_END.finditer(text, spans[0][0], spans[-1][0])
        begins = {bisect_left(spans, (line.start(),)) for line in lines} | _behind_wide_gaps(
            text, spans, _SPACE
        )
        return sorted(begins), []

    return _sentences(text, cut_words(_FIELD.finditer, text), ends, _SPACE, complete)


def _sentences(
    text: str,
    spans: Spans,
    ends_of: Callable[[Spans], tuple[list[int], list[int]]],
    blank: re.Pattern[str],
    complete: bool,
) -> tuple[list[Spans], int]:
    """Return the sentences that words make, and the number of characters that they take.

    Where more text may follow, sentences that it could change are left out.
    """
    if not complete and len(text) > WIDE_GAP and blank.fullmatch(text, len(text) - WIDE_GAP):
        complete = True  # so wide a gap parts sentences, whatever follows
    certain = len(spans) if complete else bisect_left(spans, (len(text) - HELD_BACK,))
    found: list[Spans] = []
    first = 0
    while first < len(spans):
        window = spans[first : first + 4 * LONGEST_SENTENCE + LOOK_AHEAD]
        decided = len(spans) if first + len(window) == len(spans) else first + len(window) - LOOK_AHEAD
        ends, dotted = ends_of(window)
        joined = {first + place for place in dotted}
        begin = first
        for natural_end in [*(first + end for end in ends), first + len(window)]:
            words = _with_dots(spans, begin, natural_end, joined)[: LONGEST_SENTENCE + 1]
            longest = len(words) > LONGEST_SENTENCE
            end = bisect_left(spans, words.pop(), begin) if longest else natural_end
            if end > decided:
                break
            if not complete and end + LOOK_AHEAD > certain:
                return found, spans[begin][0]
            found.append(words)
            begin = end
            if longest:  # what follows is split as if it were a text of its own
                break
        first = begin
    return found, len(text)


def _with_dots(spans: Spans, begin: int, end: int, joined: set[int]) -> Spans:
    """Return the words of a sentence, the dots of abbreviations joined to them."""
    if not joined or joined.isdisjoint(range(begin, end)):
        return spans[begin:end]
    words: Spans = []
    for place in range(begin, end):
        if place in joined:
            words[-1] = (words[-1][0], spans[place][1])
        else:
            words.append(spans[place])
    return words


def _ends(text: str, spans: Spans, rules: LanguageRules) -> tuple[list[int], list[int]]:
    """Return the places of the first words of all sentences but the first, and of the dots that belong to a word."""
    total = len(spans)
    begins = _behind_gaps(text, spans)
    dotted: list[int] = []
    for place in [i for i, (first, _) in enumerate(spans) if text[first] in _ENDING]:
        first, end = spans[place]
        if text[first:end] == "." and place and spans[place - 1][1] == first:
            before = text[spans[place - 1][0] : first]
            if _takes_dot(before, "" if place + 1 in begins else _following(text, spans, place), rules):
                if not rules.dots_apart:
                    dotted.append(place)
                if before.lower() not in ENUMERATIONS:
                    continue
        after = place + 1
        while after < total and _closes(text, spans, after, rules):
            after += 1
        if after == total or (spans[after][0] == spans[after - 1][1] and text[end - 1] not in _SELF_STANDING):
            continue
        near = 1 if after + 1 in begins else 2  # what is behind a gap belongs to another sentence
        if not _goes_on(text, spans[after : after + near]):
            begins.add(after)
    return sorted(begins), dotted


def _behind_gaps(text: str, spans: Spans) -> set[int]:
    """Return the places of the words behind blank lines, ends of pages and wide gaps."""
    start, end = spans[0][0], spans[-1][0]
    found = [
        lines.finditer(text, start, end) for mark, lines in _GAPS.items() if text.find(mark, start, end) >= 0
    ]
    begins = {bisect_left(spans, (gap.start(),)) for gaps in found for gap in gaps}
    return begins | _behind_wide_gaps(text, spans, _BLANK)


def _behind_wide_gaps(text: str, spans: Spans, blank: re.Pattern[str]) -> set[int]:
    half = WIDE_GAP // 2  # a part of the text that lies wholly in a wide gap, if there is one
    parts = range(spans[0][0], spans[-1][0] - half + 1, half)
    if not any(blank.fullmatch(text, part, part + half) for part in parts):
        return set()
    return {i for i in range(1, len(spans)) if spans[i][0] - spans[i - 1][1] >= WIDE_GAP}


def _following(text: str, spans: Spans, place: int) -> str:
    """Return the word behind another one, with a space before it if there is one."""
    if place + 1 == len(spans):
        return ""
    first, end = spans[place + 1]
    return " " * (first > spans[place][1]) + text[first:end]


def _closes(text: str, spans: Spans, place: int, rules: LanguageRules) -> bool:
    """Tell if a word is a quote or bracket that closes behind the end of a sentence."""
    first = spans[place][0]
    gap = first - spans[place - 1][1]
    return text[first] in _CLOSING and (gap == 0 or (rules.spaced_quotes and gap == 1 and text[first] == "»"))


def _goes_on(text: str, spans: Spans) -> bool:
    """Tell if a sentence goes on with these words: the first, or the one behind a quote or dash, is in lower case."""
    for first, _ in spans:
        if text[first].isalnum():
            return text[first].islower()
    return False


def _takes_dot(before: str, following: str, rules: LanguageRules) -> bool:
    """Tell if the dot behind a word belongs to it."""
    lower, after = before.lower(), following.strip()
    if lower in NUMBERED or (len(before) == 1 and before.islower()):
        return after[:1].isdigit()
    if lower in rules.abbreviations:
        return True
    if len(before) == 1 and before.isupper():
        return before != rules.pronoun and after[:1].isalpha()
    if rules.ordinal and after != following and _ORDINAL.fullmatch(before):
        return after[:1].islower() or (rules.nouns_in_upper_case and len(before) < 3 and after.isalpha())
    return False
