"""The XML of SemEval-2016 Task 5 (aspect-based sentiment analysis), subtask 1: opinion targets become tagged words.

The XML marks targets by character offsets. A text is cut into words (see :func:`words_in`), and a word that a target
touches belongs to its aspect term: ``B-ASP``, then ``I-ASP``. A target that ends inside a word takes the whole word.
Of targets that share a word the longest stays, of equally long ones the first; several opinions on one target are one
aspect term; the target ``NULL`` (the opinion names nothing) is none.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

from skd_lightning.data.readers.encodings import decoded
from skd_lightning.data.sentence import Sentence
from skd_lightning.errors import UserError
from skd_lightning.tags import OUTSIDE

ASPECT = "ASP"
"""The one entity type of the task."""


@cache
def _word() -> re.Pattern[str]:
    r"""Return the expression of a word; ``\w`` alone has no marks, which many scripts write vowels with."""
    signs = map(chr, range(sys.maxunicode + 1))
    marks = "".join(sign for sign in signs if unicodedata.category(sign)[0] == "M")
    return re.compile(rf"\w[\w\u200c\u200d{marks}]*|\S")


def words_in(text: str) -> list[tuple[int, int]]:
    """Return the places of the words of a text, each as ``(first character, last + 1)``.

    A word is a run of letters, digits and underscores (with the marks on them and what joins them), or any other
    character that is not white space. ``text[first:end]`` gives it back.

    >>> text = "don't, really!"
    >>> [text[first:end] for first, end in words_in(text)]
    ['don', "'", 't', ',', 'really', '!']
    """
    return [match.span() for match in _word().finditer(text)]


def parse(content: bytes, path: Path, language: str, encoding: str | None = None) -> list[Sentence]:
    """Return the sentences of a file without those marked ``OutOfScope``, which nobody annotated.

    A file in which no sentence has ``<Opinions>`` (test data before the gold annotations) is without tags.

    Args:
        content: the file's bytes.
        path: of the file, for messages.
        language: code of its language.
        encoding: of the file; the one that it declares if None.

    Raises:
        UserError: no well-formed XML, an encoding that nobody knows, no sentence in it, no texts, or an opinion whose
            target is not in the text.
    """
    try:
        root = ElementTree.fromstring(decoded(content, encoding, path) if encoding else content)
    except ElementTree.ParseError as error:
        raise UserError(
            f"{path}:{error.position[0]}: not well-formed XML ({error}); is the file complete?"
        ) from None
    except UserError:
        raise
    except (LookupError, ValueError):  # of the encoding that the XML declares
        declared = re.search(rb"encoding\s*=\s*[\"']([^\"']{1,40})", content[:200])
        named = declared[1].decode("ascii", "replace") if declared else "?"
        raise UserError(
            f"{path}:1: its encoding {named!r} cannot be read; convert the file to UTF-8 and say so in this line, "
            "or name its encoding with --data.encoding"
        ) from None
    elements = list(root.iter("sentence"))
    if not elements:
        raise UserError(f"{path}: no <sentence> in it; expected the format of SemEval-2016 Task 5, subtask 1")
    annotated = any(element.find("Opinions") is not None for element in elements)
    sentences = []
    for element in elements:
        if element.get("OutOfScope", "").upper() == "TRUE":
            continue
        text = element.findtext("text") or ""
        words = words_in(text)
        tags = _tags(element, text, words, path) if annotated else None
        if words:
            forms = tuple(text[first:end] for first, end in words)
            sentences.append(Sentence(forms, tags, language, str(path)))
    if not any(element.findtext("text", "").strip() for element in elements):
        raise UserError(
            f"{path}: none of its {len(elements):,} sentences has a text; fill them in, as those who published the "
            "annotations say"
        )
    return sentences


def _tags(
    element: ElementTree.Element, text: str, words: list[tuple[int, int]], path: Path
) -> tuple[str, ...]:
    spans = []
    for opinion in element.iter("Opinion"):
        found = _target(opinion, text, f"{path}: sentence {element.get('id', '?')}")
        touched = [i for i, (first, end) in enumerate(words) if found and first < found[1] and end > found[0]]
        if touched:
            spans.append((touched[0], touched[-1] + 1))
    tags = [OUTSIDE] * len(words)
    for first, end in sorted(spans, key=lambda span: (span[0] - span[1], span[0])):
        if set(tags[first:end]) == {OUTSIDE}:
            tags[first:end] = [f"B-{ASPECT}"] + [f"I-{ASPECT}"] * (end - first - 1)
    return tuple(tags)


def _target(opinion: ElementTree.Element, text: str, where: str) -> tuple[int, int] | None:
    """Return the characters of an opinion's target; None for an opinion that names none."""
    target = opinion.get("target", "")
    if target in ("", "NULL"):
        return None
    if not text:
        raise UserError(
            f"{where} has a target ({target!r}) but no text; the corpus is to be filled with its texts"
        )
    try:
        first, end = int(opinion.get("from", "")), int(opinion.get("to", ""))
    except ValueError:
        raise UserError(f"{where}: target {target!r} lacks its offsets (from, to); mend the file") from None
    if text[first:end].casefold() == target.casefold():  # some languages have their targets in lower case
        return first, end
    # The published files have a few offsets beside the target: the nearest place where it stands is meant.
    places = [match.start() for match in re.finditer(re.escape(target), text, re.IGNORECASE)]
    if places:
        first = min(places, key=lambda place: abs(place - first))
        return first, first + len(target)
    if 0 <= first < end <= len(text):
        return first, end
    raise UserError(f"{where}: target {target!r} is not in the text ({first} to {end}); mend the file")
