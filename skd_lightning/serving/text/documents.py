"""Files as streams of sentences: as much of them is in memory as a sentence needs."""

from __future__ import annotations

import codecs
import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple

from skd_lightning.errors import UserError
from skd_lightning.serving.text.languages import known_as
from skd_lightning.serving.text.sentences import Splitter, by_rules, by_spaces
from skd_lightning.serving.text.word_splitting import LONGEST_WORD, Spans

Words = Literal["rules", "spaces", "given"]
"""Where the words come from: the splitter, white space, or the file, a word a line."""

PIECE = 1 << 16
"""Bytes that are read at once."""
LONGEST_GIVEN = 100_000
"""Words of a sentence whose words are given."""


class PlacedSentence(NamedTuple):
    """A sentence with its place in a document.

    Attributes:
        document: name of the document.
        language: its code; None where it is unknown.
        start: its first character, counted from 0 at the document's beginning; a byte order mark does not count.
        text: from the first word to the last.
        words: in order.
        offsets: first character and last character + 1 of each word in the document.
        before: white space between the sentence before and this one; of a very long one, the end.
    """

    document: str
    language: str | None
    start: int
    text: str
    words: tuple[str, ...]
    offsets: Spans
    before: str

    def places(self) -> Spans:
        """Return the first character and the last character + 1 of each word in :attr:`text`."""
        if len(self.text) == self.offsets[-1][1] - self.start:
            return [(start - self.start, end - self.start) for start, end in self.offsets]
        return joined_places(self.words)  # the text is made of given words


def sentences_of_text(text: str, language: str | None, name: str = "") -> Iterator[PlacedSentence]:
    """Yield the sentences of a text, split by the rules of its language."""
    return split_stream([text], by_rules(language or ""), name, language)


def language_of(path: Path, known: Collection[str]) -> str | None:
    """Return the language that a file's name tells, if it is a known one: ``de.txt``, ``x.de.txt``, ``de/x.txt``.

    >>> language_of(Path("news.de.txt"), ["de", "en"]), language_of(Path("en/1.txt"), ["en_ewt"])
    ('de', 'en_ewt')
    """
    parts = path.name.split(".")
    named = [*reversed(parts[:-1] if len(parts) > 1 else parts), path.parent.name]
    return next((language for part in named if (language := known_as(part, known))), None)


def sentences_of_file(
    opened: BinaryIO, name: str, language: str | None, words: Words
) -> Iterator[PlacedSentence]:
    """Yield the sentences of an open file.

    Args:
        opened: UTF-8; a file whose name ends in ``.jsonl`` holds an object with ``words`` or ``text`` on each line.
        name: of the file.
        language: of the text; None where it is unknown.
        words: where the words come from.

    Raises:
        UserError: the file is not UTF-8, or not what it should be; with the place.
    """
    pieces = decoded(opened, name)
    if name.endswith(".jsonl"):
        return _from_objects(pieces, name, language, words)
    if words == "given":
        return _from_columns(pieces, name, language)
    return split_stream(pieces, _splitter(words, language), name, language)


def decoded(opened: BinaryIO, name: str) -> Iterator[str]:
    """Yield the text of a file piece by piece, as it stands there, but for a byte order mark.

    Raises:
        UserError: naming the first byte that is not UTF-8.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    before, begun = 0, False
    while True:
        piece = opened.read1(PIECE) if hasattr(opened, "read1") else opened.read(PIECE)
        waiting = len(decoder.getstate()[0])
        try:
            text = decoder.decode(piece, final=not piece)
        except UnicodeDecodeError as error:
            place = before - waiting + error.start
            raise UserError(
                f"{name}: byte {place:,} (0x{error.object[error.start]:02x}) is not UTF-8; convert the file first"
            ) from None
        before += len(piece)
        if not begun and text:
            text, begun = text.removeprefix("\ufeff"), True
        if text:
            yield text
        if not piece:
            return


def split_stream(
    pieces: Iterable[str], split: Splitter, name: str, language: str | None
) -> Iterator[PlacedSentence]:
    """Yield the sentences of a text that comes in pieces; how it is cut into these does not matter."""
    rest, base, gap = "", 0, ""
    waiting = iter(pieces)
    complete = False
    while not complete:
        piece = next(waiting, None)
        complete = piece is None
        rest += piece or ""
        found, used = split(rest, complete)
        last = 0
        for words in found:
            first, end = words[0][0], words[-1][1]
            before = gap + rest[last:first]
            yield PlacedSentence(
                name,
                language,
                base + first,
                rest[first:end],
                tuple([rest[a:b] for a, b in words]),
                [(base + a, base + b) for a, b in words],
                before[-LONGEST_WORD:],
            )
            last, gap = end, ""
        gap = (gap + rest[last:used])[-LONGEST_WORD:]
        rest, base = rest[used:], base + used


def _splitter(words: Words, language: str | None) -> Splitter:
    return by_rules(language or "") if words == "rules" else by_spaces


def _lines(pieces: Iterable[str], name: str, longest: int) -> Iterator[tuple[int, str]]:
    """Yield the place of the first character and the text of each line, without its end.

    Raises:
        UserError: a line is longer than ``longest`` characters, where that is not 0.
    """
    rest, base, number = "", 0, 0
    for piece in pieces:
        *lines, rest = (rest + piece).split("\n")
        for line in lines:
            number += 1
            yield base, line.removesuffix("\r")
            base += len(line) + 1
        if longest and len(rest) > longest:
            raise UserError(
                f"{name}:{number + 1}: a line of more than {longest:,} characters, where a word should stand"
            )
    if rest:
        yield base, rest.removesuffix("\r")


def _from_columns(pieces: Iterable[str], name: str, language: str | None) -> Iterator[PlacedSentence]:
    """Yield the sentences of a file with a word a line, in its first column, and blank lines between sentences.

    Tabs part the columns; spaces do where no line of the first sentence has a tab and all have as many parts, two or
    more. A line ``-DOCSTART-`` is no word and ends a sentence.

    Raises:
        UserError: a sentence is too long, or a line has more or fewer parts than others, so that a word may hold a
            space.
    """
    rows: list[_Row] = []
    # Columns between spaces, 1 where these are part of a word; None until that is known.
    width: int | None = None
    for number, (base, line) in enumerate(_lines(pieces, name, 100 * LONGEST_WORD), start=1):
        ends = not line.split("\t", 1)[0].strip() or line.split()[0] == "-DOCSTART-"
        if not ends and (rows or not line.startswith("# ")):
            rows.append(_Row(number, base, line))
        elif ends and rows:
            width = width or _width(rows)
            yield _given(_words(rows, width, name), name, language)
            rows = []
        if len(rows) > LONGEST_GIVEN:
            raise UserError(
                f"{name}:{number}: no blank line in {LONGEST_GIVEN:,} lines; one ends each sentence"
            )
    if rows:
        yield _given(_words(rows, width or _width(rows), name), name, language)


class _Row(NamedTuple):
    """A line with a word: its number (from 1), the place of its first character, and the line."""

    number: int
    base: int
    line: str


def _width(rows: Sequence[_Row]) -> int:
    """Return how many columns spaces part, 1 where they part none."""
    widths = {len(_parts(row.line)) for row in rows}
    return 1 if len(widths) > 1 or any("\t" in row.line for row in rows) else widths.pop()


def _parts(line: str) -> list[str]:
    return [part for part in line.split(" ") if part]  # as the corpora: a word may hold another white space


def _words(rows: Sequence[_Row], width: int, name: str) -> list[tuple[int, str]]:
    """Return the place and the text of each line's word.

    Raises:
        UserError: a line has more or fewer columns.
    """
    found = []
    for number, base, line in rows:
        parts = _parts(line)
        if width > 1 and len(parts) != width:
            raise UserError(
                f"{name}:{number}: {len(parts)} columns between spaces, other lines have {width}; mend the line, or "
                "put a tab behind each word if words hold spaces"
            )
        word = parts[0] if width > 1 else line.split("\t", 1)[0].strip()
        found.append((base + line.index(word), word))
    return found


def _given(rows: Sequence[tuple[int, str]], name: str, language: str | None) -> PlacedSentence:
    words = tuple(word for _, word in rows)
    offsets = [(start, start + len(word)) for start, word in rows]
    return PlacedSentence(name, language, rows[0][0], " ".join(words), words, offsets, "\n")


def _from_objects(
    pieces: Iterable[str], name: str, language: str | None, words: Words
) -> Iterator[PlacedSentence]:
    """Yield the sentences of JSON lines; each line is a document of its own.

    Raises:
        UserError: a line is no object with ``words`` or ``text``.
    """
    for number, (_, line) in enumerate(_lines(pieces, name, 0), start=1):
        if not line.strip():
            continue
        place = f"{name}:{number}"
        try:
            found: Any = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UserError(
                f"{place}: no JSON ({error}); a file of JSON lines has an object on each"
            ) from None
        own = found.get("language", language) if isinstance(found, dict) else None
        given, text = (found.get("words"), found.get("text")) if isinstance(found, dict) else (None, None)
        if own is not None and not isinstance(own, str):
            raise UserError(f'{place}: its language is no code such as "en"')
        if isinstance(given, list) and given and all(isinstance(word, str) for word in given):
            yield _joined(given, place, own)
        elif given is None and isinstance(text, str):
            yield from split_stream([text], _splitter(words, own), place, own)
        elif given != []:
            raise UserError(f"{place}: expected an object with a list of strings as words, or with a text")


def _joined(words: Sequence[str], name: str, language: str | None) -> PlacedSentence:
    """Return the sentence of words without a text; its text is the words with a space between each two."""
    return PlacedSentence(name, language, 0, " ".join(words), tuple(words), joined_places(words), "\n")


def joined_places(words: Sequence[str]) -> Spans:
    """Return the places of words in their text, in which a space stands between each two.

    >>> joined_places(["Anna", "Berg"])
    [(0, 4), (5, 9)]
    """
    places: Spans = []
    start = 0
    for word in words:
        places.append((start, start + len(word)))
        start += len(word) + 1
    return places
