"""Lines of a file of predictions: a sentence's words and one kind of answer, as JSON, checked."""

from __future__ import annotations

import json
import math
from typing import Any, Literal, NamedTuple

from skd_lightning.errors import UserError

AnswerKind = Literal["sequences", "probabilities", "spans"]
KINDS = ("tags", "sequences", "probabilities", "spans")


class Line(NamedTuple):
    """One sentence.

    Attributes:
        words: of the sentence.
        kind: of the answer; one sequence of tags is ``sequences``, too.
        answer: a list of (weight, tags); a list of {tag: probability}; or a list of (first, last, label, score).
    """

    words: tuple[str, ...]
    kind: AnswerKind
    answer: list[Any]


def read_line(raw: bytes, where: str) -> Line:
    """Return what a line says.

    Args:
        raw: the line.
        where: file and number of the line, for messages.

    Raises:
        UserError: what is wrong with it.

    >>> read_line(b'{"words": ["Anna", "sang"], "tags": ["S-PER", "O"]}', "x:1").answer
    [(1.0, ('S-PER', 'O'))]
    """
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        raise UserError(
            f"{where}: this is not JSON; expected one object a line, with words and tags"
        ) from None
    words = found.get("words") if isinstance(found, dict) else None
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise UserError(f'{where}: expected an object with "words", a list of strings')
    given = [kind for kind in KINDS if kind in found]
    if len(given) != 1:
        has = " and ".join(given) or "none of these"
        raise UserError(f"{where}: expected one of {', '.join(KINDS)} beside the words; it has {has}")
    (name,) = given
    answer = found[name]
    if name == "tags":
        return Line(tuple(words), "sequences", [(1.0, _tags(answer, len(words), where))])
    if not isinstance(answer, list):
        raise UserError(f"{where}: {name} are {_shown(answer)}, not a list")
    if name == "sequences":
        return Line(tuple(words), "sequences", _sequences(answer, len(words), where))
    if name == "probabilities":
        return Line(tuple(words), "probabilities", _probabilities(answer, len(words), where))
    return Line(tuple(words), "spans", _spans(answer, len(words), where))


def _tags(found: Any, words: int, where: str) -> tuple[str, ...]:
    if not isinstance(found, list) or not all(isinstance(tag, str) and tag for tag in found):
        raise UserError(f"{where}: tags are {_shown(found)}, not a list of names")
    if len(found) != words:
        raise UserError(f"{where}: {len(found)} tags for {words} words; give one a word")
    return tuple(found)


def _sequences(found: list[Any], words: int, where: str) -> list[tuple[float, tuple[str, ...]]]:
    if not found:
        raise UserError(f"{where}: no sequence; give one, or leave the line out")
    answer = []
    for pair in found:
        if not isinstance(pair, list) or len(pair) != 2:
            raise UserError(f"{where}: a sequence is {_shown(pair)}, not [weight, tags]")
        if not _number(pair[0]) or pair[0] <= 0:
            raise UserError(f"{where}: a weight is {_shown(pair[0])}, it must be a number above 0")
        answer.append((float(pair[0]), _tags(pair[1], words, where)))
    return answer


def _probabilities(found: list[Any], words: int, where: str) -> list[dict[str, float]]:
    if len(found) != words:
        raise UserError(
            f"{where}: probabilities of {len(found)} words for {words} words; give one object a word"
        )
    for place, own in enumerate(found, start=1):
        if not isinstance(own, dict) or "" in own:
            raise UserError(f"{where}: word {place} has {_shown(own)}, not {{tag: probability}}")
        for tag, value in own.items():
            if not _number(value) or value < 0:
                raise UserError(f"{where}: the probability of {tag} at word {place} is {_shown(value)}")
        if not sum(own.values()) > 0:
            raise UserError(f"{where}: no tag of word {place} has a probability above 0")
    return found


def _spans(found: list[Any], words: int, where: str) -> list[tuple[int, int, str, float]]:
    seen = set()
    for span in found:
        if not isinstance(span, list) or len(span) != 4 or not (isinstance(span[2], str) and span[2]):
            raise UserError(f"{where}: a span is {_shown(span)}, not [first word, last word, label, score]")
        first, last, label, score = span
        if type(first) is not int or type(last) is not int or not 0 <= first <= last < words:
            raise UserError(
                f"{where}: span {_shown(span)} does not lie in a sentence of {words} words; the first word is 0, and "
                "the last word belongs to the span"
            )
        if not _number(score):
            raise UserError(f"{where}: the score of span {_shown(span)} is no finite number")
        if (first, last, label) in seen:
            raise UserError(f"{where}: span {_shown(span)} stands twice")
        seen.add((first, last, label))
    return [tuple(span) for span in found]  # type: ignore[misc]


def _number(value: Any) -> bool:
    if type(value) is int:
        return abs(value) < 2**53
    return type(value) is float and math.isfinite(value)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else text[:39] + "…"
