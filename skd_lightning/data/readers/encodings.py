"""The encodings of files: which one a language's are in, and whether it is one of text."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from pathlib import Path

from skd_lightning.errors import UserError

Encoding = Mapping[str, str] | str | None
"""A name for all files, one by language with ``other`` for the rest, or None for what the files are known to be in."""

NO_TEXT = {"idna", "mbcs", "oem", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"}
"""Encodings of Python's that no file of text is in."""


def encoding_of(encoding: Encoding, language: str) -> str | None:
    """Return the name of a language's encoding; None where nothing is named.

    >>> encoding_of({"es": "latin-1", "other": "utf-8"}, "de")
    'utf-8'
    """
    return (
        encoding
        if encoding is None or isinstance(encoding, str)
        else encoding.get(language, encoding.get("other"))
    )


def refuse_unknown_encodings(encoding: Encoding) -> None:
    """Refuse names that Python does not know, and those of encodings that no file of text is in.

    Raises:
        UserError: naming the option and the first of them.
    """
    for name in [encoding] if isinstance(encoding, str) else (encoding or {}).values():
        if not name:
            raise UserError("--data.encoding is empty; give a name such as utf-8, or leave it out")
        try:
            found = codecs.lookup(name) if len(name) <= 40 else None
        except (LookupError, ValueError, ImportError):
            found = None
        if (
            found is None
            or not getattr(found, "_is_text_encoding", True)
            or found.name.replace("_", "-") in NO_TEXT
        ):
            raise UserError(
                f"--data.encoding: {name[:40]!r} is no encoding of text that Python knows; "
                "give a name such as utf-8 or latin-1"
            )


def decoded(content: bytes, encoding: str, path: Path) -> str:
    """Return the text of a file.

    Args:
        content: its bytes.
        encoding: its name in Python.
        path: for messages.

    Raises:
        UserError: the encoding is unknown, or the bytes are not in it; the line names the place of the first such byte.
    """
    refuse_unknown_encodings(encoding)
    try:
        text = content.decode(encoding).removeprefix("\ufeff")  # the mark of its byte order
    except UnicodeDecodeError as error:
        place = min(error.start, len(content) - 1)
        line = content.count(b"\n", 0, place) + 1
        raise UserError(
            f"{path}:{line}: byte 0x{content[place]:02x} is not {encoding} ({_ordinal(place + 1)} of the file); "
            "convert the file, or name its encoding with --data.encoding (for one language, such as "
            '\'{"es": "latin-1"}\')'
        ) from None
    except ValueError as error:  # of a decoder that finds its own words
        raise UserError(f"{path}: not {encoding} ({error}); name its encoding with --data.encoding") from None
    if found := re.search("[\0\ud800-\udfff]", text):
        line = text.count("\n", 0, found.start()) + 1
        if found[0] == "\0":
            raise UserError(
                f"{path}:{line}: a zero byte, no text; if it is UTF-16, say --data.encoding utf-16"
            )
        raise UserError(
            f"{path}:{line}: half a character ({found[0]!a}), no text; mend the file or --data.encoding"
        )
    return text


def _ordinal(number: int) -> str:
    """Return a number with its ending.

    >>> _ordinal(2), _ordinal(11), _ordinal(21)
    ('the 2nd', 'the 11th', 'the 21st')
    """
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"the {number:,}{ending}"
