"""Files with a word a line and its tag in a column: CoNLL-U, Universal NER's IOB2, CoNLL and everything like it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from skd_lightning.data.readers.text import lines_of
from skd_lightning.data.sentence import Sentence
from skd_lightning.data.tasks import published_encoding
from skd_lightning.errors import UserError
from skd_lightning.tags import OUTSIDE, split_tag


@dataclass(frozen=True)
class Layout:
    """The columns of a format.

    Attributes:
        word: column of the word, from 0.
        tag: column of the tag, from 0; negative counts from the end.
        numbered: tabs alone part the columns, and the first one holds the number of the word; lines that are numbered
            with a range (``3-4``) or a decimal (``5.1``) are no words.
        empty: sentences of a file in which every tag is this one are without annotation.
    """

    word: int
    tag: int
    numbered: bool = False
    empty: str | None = None

    def with_columns(self, word: int | None, tag: int | None) -> Layout:
        """Return this layout with the columns that the user has named."""
        return replace(self, word=self.word if word is None else word, tag=self.tag if tag is None else tag)


CONLLU = Layout(1, 3, numbered=True, empty="_")
IOB2 = Layout(1, 2, numbered=True)
PLAIN = Layout(0, -1)


class Row(NamedTuple):
    """A line of a file: its number (from 1), its text and its fields."""

    line: int
    text: str
    fields: list[str]


def read_regular(
    path: Path, language: str, layout: Layout, tag: int | None, encoding: str | None
) -> list[Sentence]:
    """Return the sentences of a file whose lines all have the same columns, those of its format.

    Words that are numbered within their sentence are recognised under any name, as in GermEval 2014 (number, word,
    outer entities, inner entities): they are read as ``IOB2``.

    Args:
        path: the file.
        language: code of its language.
        layout: of its format.
        tag: column of the tags, if the user has named it; the lines may then differ behind it.
        encoding: of the file.

    Raises:
        UserError: as :func:`read_columns`; lines differ in their columns (a word may hold a tab), the words are
            numbered but no entities follow, or no word has its form.
    """
    form = _Form(layout == PLAIN)
    sentences = read_columns(path, language, layout.with_columns(None, tag), encoding, form)
    if tag is None:
        form.refuse_ragged(path)
    if layout == PLAIN and form.is_numbered():
        sentences = read_columns(path, language, IOB2.with_columns(None, tag), encoding)
        kinds = {kind for sentence in sentences for kind in sentence.tags or ()}
        if tag is None and not all(kind == OUTSIDE or split_tag(kind)[1] for kind in kinds):
            raise UserError(
                f"{path}: its first column numbers the words; end its name in .conllu if it is CoNLL-U, else say "
                "--data.word_column 1 and the column of the tags, from 0, with --data.tag_column"
            )
    if layout == CONLLU and sentences and {word for s in sentences for word in s.words} == {"_"}:
        raise UserError(
            f"{path}: no words in it, only '_'; fill in the texts, as the README of the treebank says"
        )
    return sentences


class _Form:
    """Counts of the columns of a file's lines."""

    def __init__(self, numbered: bool) -> None:
        self._widths: Counter[int] = Counter()
        self._first: dict[int, int] = {}
        self._numbered = numbered  # as long as every line says so

    def see(self, rows: Sequence[Row]) -> None:
        """Count the lines of a sentence, unless it is text without annotation."""
        widths = {len(row.fields) for row in rows}
        if widths != {1}:
            for width in widths:
                same = rows if len(widths) == 1 else [row for row in rows if len(row.fields) == width]
                self._widths[width] += len(same)
                self._first.setdefault(width, same[0].line)
        if self._numbered:
            self._numbered = all(row.fields[0] == str(i) for i, row in enumerate(rows, start=1))

    def width(self) -> int:
        """Return the columns that most lines have; 0 of a file without annotation."""
        return max(self._widths, key=lambda width: (self._widths[width], -width), default=0)

    def is_numbered(self) -> bool:
        """Return True if the first column counts the words of every sentence, and not only words of one."""
        return self._numbered and self.width() > 2

    def refuse_ragged(self, path: Path) -> None:
        """Refuse the first line that has not as many columns as most."""
        odd = sorted((line, width) for width, line in self._first.items() if width != self.width())
        if odd:
            line, width = odd[0]
            raise UserError(
                f"{path}:{line}: {width} columns, other lines have {self.width()}; does a word hold a tab or a space? "
                "Mend the line, or choose --data.word_column and --data.tag_column"
            )


def read_columns(
    path: Path, language: str, layout: Layout, encoding: str | None, form: _Form | None = None
) -> list[Sentence]:
    """Return the sentences of a file of columns; see :func:`readers.read`.

    Raises:
        UserError: the file cannot be read, or a line lacks a column.
    """
    sentences = []
    for block in _blocks(path, encoding, layout.numbered):
        rows = [row for row in block if not (layout.numbered and re.fullmatch(r"\d+[-.]\d+", row.fields[0]))]
        sentence = _sentence(rows, layout, path, language)
        if form:
            form.see(rows)
        if sentence.words:
            sentences.append(sentence)
    if layout.empty and all(set(sentence.tags or layout.empty) == {layout.empty} for sentence in sentences):
        sentences = [replace(sentence, tags=None) for sentence in sentences]
    return _without_prefix(sentences, language)


def _sentence(rows: list[Row], layout: Layout, path: Path, language: str) -> Sentence:
    lines = tuple(row.line for row in rows)
    word, tag = layout.word, layout.tag
    single = [row for row in rows if len(row.fields) == 1]
    if rows and len(single) == len(rows) and word == 0:
        return Sentence(tuple(row.fields[0] for row in rows), None, language, str(path), lines)
    for row in rows:
        columns = len(row.fields)
        needed = max(word, tag if tag >= 0 else -tag - 1) + 1
        if columns < needed or columns == 1:
            raise UserError(
                f"{path}:{row.line}: expected at least {max(needed, 2)} columns, found {columns} "
                f"({' '.join(row.fields)[:40]!r}); mend the line or choose --data.word_column and --data.tag_column"
            )
        if not row.fields[tag].strip(" ") or not row.fields[word]:
            missing = "word" if not row.fields[word] else "tag"
            raise UserError(f"{path}:{row.line}: the {missing} is empty; mend the line")
    words = tuple(row.fields[word] for row in rows)
    # A blank behind a tag would make another tag of it.
    return Sentence(words, tuple(row.fields[tag].strip(" ") for row in rows), language, str(path), lines)


def _blocks(path: Path, encoding: str | None, numbered: bool) -> Iterator[list[Row]]:
    """Yield the rows of one sentence after the other, without the comments before them."""
    comments = published_encoding(path.name) is None  # CoNLL's own files have none
    width = 2
    for block in _paragraphs(path, encoding, numbered):
        width = next((len(row.fields) for row in block if not row.text.startswith("#")), width)
        first = 0
        while comments and first < len(block) and _is_comment(block[first], width, numbered):
            first += 1
        if block[first:]:
            yield block[first:]


def _paragraphs(path: Path, encoding: str | None, numbered: bool) -> Iterator[list[Row]]:
    """Yield the lines that stand together, without document boundaries."""
    rows: list[Row] = []
    tabs = numbered
    for number, text in lines_of(path, encoding):
        # Tabs part all lines from the first one on that has any; comments may have some where spaces part the others.
        tabs = tabs or ("\t" in text and not text.startswith("#"))
        # Only spaces part columns: in Latin-1 a word may hold what Unicode takes for white space.
        fields = text.split("\t") if tabs or "\t" in text else [f for f in text.split(" ") if f]
        if not text.strip() or fields[0] == "-DOCSTART-":
            if rows:
                yield rows
            rows = []
        else:
            rows.append(Row(number, text, fields))
    if rows:
        yield rows


def _is_comment(row: Row, width: int, numbered: bool) -> bool:
    """Tell a comment from a word that begins with ``#``, which has as many columns as other lines.

    GermEval's comments begin with ``#``, a tab and the address of the text.
    """
    if numbered or not row.text.startswith("#"):
        return row.text.startswith("#")
    if "\t" in row.text:
        return row.text.startswith("# ") or row.fields[1].startswith(("http://", "https://"))
    if row.fields[0] == "#":  # as before the text of a comment
        return len(row.fields) != width or row.fields[-1] not in ("#", OUTSIDE)
    return len(row.fields) != width


def _without_prefix(sentences: list[Sentence], language: str) -> list[Sentence]:
    """Take away ``en:``, which WikiAnn writes before every word in some languages, if every word of a file has it."""
    prefix = f"{language}:"
    if not sentences or not all(word.startswith(prefix) for sentence in sentences for word in sentence.words):
        return sentences
    # The word after the prefix may be nothing but white space or nothing at all: keep a placeholder for it.
    return [
        replace(sentence, words=tuple(word[len(prefix) :] or prefix for word in sentence.words))
        for sentence in sentences
    ]
