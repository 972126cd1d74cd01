"""Annotated files become sentences; the name of a file tells its format."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from skd_lightning.data.readers import semeval
from skd_lightning.data.readers.columns import CONLLU, IOB2, PLAIN, read_columns, read_regular
from skd_lightning.data.readers.encodings import Encoding, encoding_of
from skd_lightning.data.readers.files import content_of
from skd_lightning.data.sentence import Sentence

LAYOUTS = {"conllu": CONLLU, "iob2": IOB2}
"""Formats of columns by the ending of the file's name; every other name has ``PLAIN`` columns."""


def read(
    path: str | Path,
    language: str,
    word_column: int | None = None,
    tag_column: int | None = None,
    encoding: Encoding = None,
) -> list[Sentence]:
    """Return all sentences of a file, in its order.

    ``.conllu``: 10 columns, tags from UPOS; multiword ranges (``3-4``) and empty nodes (``5.1``) are left out.
    ``.iob2``: Universal NER, id, word, tag. ``.xml`` (or ``.xml.gold``): SemEval-2016 Task 5, see ``semeval``.
    Everything else: columns between tabs, or between spaces where a line has no tab; the first is the word and the
    last the tag, a single one is text without annotation. Any of them may end in ``.gz``.

    Args:
        path: the file.
        language: code of its language.
        word_column: column of the word, from 0; the format's own if None.
        tag_column: column of the tag; negative counts from the end; the format's own if None.
        encoding: of the file, or {language: encoding} with ``other`` for the rest; if None, Latin-1 for the files of
            CoNLL-2002 and 2003 (known by their names), the declared one for XML, and UTF-8 for all others.

    Raises:
        UserError: the file is missing, damaged, in another encoding, or a line lacks a column.
    """
    path = Path(path)
    encoding = encoding_of(encoding, language)
    kind = _kind(path)
    if kind == "xml":
        return semeval.parse(content_of(path), path, language, encoding)
    layout = LAYOUTS.get(kind, PLAIN)
    if word_column is None:
        return read_regular(path, language, layout, tag_column, encoding)
    return read_columns(path, language, layout.with_columns(word_column, tag_column), encoding)


def has_one_column(path: str | Path, sentences: Iterable[Sentence]) -> bool:
    """Return True if these sentences of a file have no tags because each of its lines has one column.

    So has a file whose columns something else than tabs or spaces parts, such as commas.

    Args:
        path: the file.
        sentences: read from it.
    """
    kind = _kind(Path(path))
    return kind != "xml" and kind not in LAYOUTS and all(sentence.tags is None for sentence in sentences)


def _kind(path: Path) -> str:
    """Return the ending that decides about a file's format."""
    return path.name.lower().removesuffix(".gz").removesuffix(".gold").rpartition(".")[2]
