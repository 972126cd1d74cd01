"""Annotated files to sentences: CoNLL-U, Universal NER's IOB2, SemEval's XML, column files; gzip or not."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from skd_lightning.data import semeval
from skd_lightning.data.published import published_encoding
from skd_lightning.data.sentence import Sentence
from skd_lightning.errors import UserError


class Row(NamedTuple):
    """A line of a file: its number (from 1) and its fields."""

    line: int
    fields: list[str]


def read(
    path: str | Path,
    language: str,
    word_column: int | None = None,
    tag_column: int | None = None,
    encoding: str | None = None,
) -> list[Sentence]:
    """All sentences of a file; the format follows from its name.

    ``.conllu``: 10 columns, tags from UPOS; multiword ranges (``3-4``) and empty nodes (``5.1``) are left out.
    ``.iob2``: Universal NER, id, word, tag. ``.xml`` (or ``.xml.gold``): SemEval-2016 Task 5, see ``semeval``.
    Everything else: columns between tabs, or between spaces where a line has no tab; the first is the word and the
    last the tag, a single one is text without annotation. Any of them may end in ``.gz``.

    Args:
        path: the file.
        language: code of its language.
        word_column: column of the word, from 0; the format's own if None.
        tag_column: column of the tag; negative counts from the end.
        encoding: of the file; if None, Latin-1 for the files of CoNLL-2002 and 2003 (known by their names), the
            declared one for XML, and UTF-8 for all others.

    Raises:
        UserError: the file is missing, damaged, in another encoding, or a line lacks a column.
    """
    path = Path(path)
    kind = path.name.removesuffix(".gz").removesuffix(".gold").rpartition(".")[2]
    if kind == "xml":
        return semeval.parse(_content(path), path, language)
    conllu, iob2 = kind == "conllu", kind == "iob2"
    word = word_column if word_column is not None else (1 if conllu or iob2 else 0)
    tag = tag_column if tag_column is not None else (3 if conllu else 2 if iob2 else -1)
    sentences = []
    for rows in _blocks(path, encoding, tabs_only=conllu or iob2):
        if conllu or iob2:
            rows = [row for row in rows if not re.fullmatch(r"\d+[-.]\d+", row.fields[0])]
        sentence = _sentence(rows, word, tag, path, language)
        if sentence.words:
            sentences.append(sentence)
    if conllu and all(set(sentence.tags or "_") == {"_"} for sentence in sentences):
        sentences = [replace(sentence, tags=None) for sentence in sentences]
    return _without_prefix(sentences, language)


def _sentence(rows: list[Row], word: int, tag: int, path: Path, language: str) -> Sentence:
    lines = tuple(row.line for row in rows)
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
        if not row.fields[tag] or not row.fields[word]:
            missing = "word" if not row.fields[word] else "tag"
            raise UserError(f"{path}:{row.line}: the {missing} is empty; mend the line")
    words = tuple(row.fields[word] for row in rows)
    return Sentence(words, tuple(row.fields[tag] for row in rows), language, str(path), lines)


def _blocks(path: Path, encoding: str | None, tabs_only: bool) -> Iterator[list[Row]]:
    """Rows of one sentence after the other; comments and document boundaries are left out."""
    rows: list[Row] = []
    comments = published_encoding(path.name) is None  # CoNLL's own files have none
    for number, text in read_lines(path, encoding):
        # Only spaces part columns: in Latin-1 a word may hold what Unicode takes for white space.
        fields = text.split("\t") if tabs_only or "\t" in text else [f for f in text.split(" ") if f]
        if not text.strip() or fields[0] == "-DOCSTART-":
            if rows:
                yield rows
            rows = []
        # A word may be "#": then a tag follows and nothing more. A comment stands before the first word.
        elif (
            rows
            or not comments
            or not text.startswith("#")
            or (_is_hash_word(fields, text) and not tabs_only)
        ):
            rows.append(Row(number, fields))
    if rows:
        yield rows


def _is_hash_word(fields: list[str], text: str) -> bool:
    return "\t" in text or (len(fields) == 2 and not text.startswith("# "))


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if path.suffix == ".gz" else content
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: cannot be read ({error}); is the file complete?") from None


def read_lines(path: Path, named: str | None) -> Iterator[tuple[int, str]]:
    """Number (from 1) and text of each line of a file, unpacked where it ends in ``.gz``; errors as :func:`read`."""
    content = _content(path)
    encoding = named or published_encoding(path.name) or "utf-8"
    if named is None and encoding == "latin-1" and _is_utf8(content):
        raise UserError(
            f"{path}: this corpus was published in Latin-1, but the file is in UTF-8; "
            "say --data.encoding utf-8, or name the file train.tsv (dev.tsv, test.tsv) in a folder of its language"
        )
    try:
        text = content.decode("utf-8-sig" if encoding.lower().replace("-", "") == "utf8" else encoding)
    except LookupError:
        raise UserError(f"--data.encoding: '{encoding}' is no encoding that Python knows") from None
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"{path}:{line}: byte 0x{content[error.start]:02x} is not {encoding}; "
            "convert the file, or name its encoding with --data.encoding"
        ) from None
    for number, row in enumerate(io.StringIO(text, newline=None), start=1):
        yield number, row.rstrip("\n")


def _is_utf8(content: bytes) -> bool:
    """Does it hold characters beyond ASCII, all of them in UTF-8."""
    try:
        return not content.isascii() and bool(content.decode("utf-8"))
    except UnicodeDecodeError:
        return False


def _without_prefix(sentences: list[Sentence], language: str) -> list[Sentence]:
    """WikiAnn writes ``en:word`` in some languages: taken away where every word of the file has it."""
    prefix = f"{language}:"
    if not sentences or not all(word.startswith(prefix) for sentence in sentences for word in sentence.words):
        return sentences
    # The word after the prefix may be nothing but white space or nothing at all: keep a placeholder for it.
    return [
        replace(sentence, words=tuple(word[len(prefix) :] or prefix for word in sentence.words))
        for sentence in sentences
    ]
