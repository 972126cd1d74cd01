"""Text without annotation, on which only teachers speak: plain text, or any annotated file without its tags."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from skd_lightning.data.readers import read
from skd_lightning.data.readers.encodings import Encoding, encoding_of
from skd_lightning.data.readers.files import kind_of
from skd_lightning.data.readers.text import lines_of
from skd_lightning.data.sentence import Sentence
from skd_lightning.data.split_names import is_foreign
from skd_lightning.errors import UserError


def read_untagged(path: Path, language: str, encoding: Encoding = None, **columns: Any) -> list[Sentence]:
    """Return the sentences of a file without tags.

    ``.txt`` is plain text: a sentence a line, words between white space (punctuation should be set apart as in the
    annotated files). Everything else is read as :func:`readers.read` does, and its tags are left out. Any of them may
    end in ``.gz``.

    Args:
        path: the file.
        language: code of its language.
        encoding: of the file; None as for :func:`readers.read`.
        columns: ``word_column`` and ``tag_column`` of :func:`readers.read`.

    Raises:
        UserError: as :func:`readers.read`.
    """
    if path.name.lower().removesuffix(".gz").endswith(".txt"):
        lines = [(number, text.split()) for number, text in lines_of(path, encoding_of(encoding, language))]
        return [
            Sentence(tuple(words), None, language, str(path), (number,) * len(words))
            for number, words in lines
            if words
        ]
    return without_tags(read(path, language, encoding=encoding, **columns))


def unlabelled_files(folder: Path, language: str) -> list[Path]:
    """Return the files of one language in a folder of unlabelled text."""
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    return [path for path in paths if path.name.startswith(f"{language}.") and not is_foreign(path.name)]


def read_unlabelled(folder: Path, language: str, **reading: Any) -> list[Sentence]:
    """Read the text of one language from a folder that holds ``<language>.txt`` (``.conllu``, ``.tsv``, ``.gz`` …).

    Raises:
        UserError: there is no such folder, or no such file in it.
    """
    if (kind := kind_of(folder)) != "a folder":
        raise UserError(f"{folder}: {kind}, not a folder of unlabelled text (--data.unlabelled)")
    files = unlabelled_files(folder, language)
    if not files:
        names = ", ".join(sorted(path.name for path in folder.iterdir())[:8]) or "nothing"
        raise UserError(
            f"{folder}: no unlabelled text '{language}.txt' there (--data.unlabelled); there lies {names}"
        )
    return [sentence for file in files for sentence in read_untagged(file, language, **reading)]


def without_tags(sentences: Iterable[Sentence]) -> list[Sentence]:
    """Return copies of the sentences without their tags."""
    return [replace(sentence, tags=None) for sentence in sentences]


def sample_of_text(
    text: Mapping[str, Sequence[Sentence]], annotated: Mapping[str, int], ratio: float | None
) -> list[int]:
    """Return the numbers of the sentences that are enough for what reads all of them some hundred times.

    They are ``ratio`` for each annotated sentence of their language, as in an epoch; all of a language that nobody
    annotated; the same in every run.

    Args:
        text: {language: unlabelled sentences}, numbered in this order.
        annotated: {language: number of annotated sentences}.
        ratio: None for all.
    """
    chosen: list[int] = []
    first = 0
    for language, sentences in text.items():
        numbers: Sequence[int] = range(first, first + len(sentences))
        if ratio is not None and annotated[language]:
            most = min(len(numbers), round(ratio * annotated[language]))
            numbers = sorted(random.Random(f"3 {language}").sample(numbers, most))
        chosen += numbers
        first += len(sentences)
    return chosen
