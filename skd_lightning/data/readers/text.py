"""The text of a file: unpacked, decoded, line by line."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path

from skd_lightning.data.tasks import published_encoding
from skd_lightning.errors import UserError


def content_of(path: Path) -> bytes:
    """Return the bytes of a file, unpacked if its name ends in ``.gz``.

    Raises:
        UserError: the file is missing or damaged.
    """
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if path.suffix == ".gz" else content
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: cannot be read ({error}); is the file complete?") from None


def lines_of(path: Path, named: str | None) -> Iterator[tuple[int, str]]:
    """Yield the number (from 1) and the text of each line of a file.

    Args:
        path: the file; one whose name ends in ``.gz`` is unpacked.
        named: encoding; if None, the one that the corpus was published in, which its name tells, else UTF-8.

    Raises:
        UserError: the file is missing, damaged or in another encoding.
    """
    content = content_of(path)
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
    except ValueError:  # 'undefined', or a NUL in the name
        raise UserError(f"--data.encoding: '{encoding}' is no encoding of text") from None
    for number, row in enumerate(io.StringIO(text, newline=None), start=1):
        yield number, row.rstrip("\n")


def _is_utf8(content: bytes) -> bool:
    """Return True if there are characters beyond ASCII, all of them in UTF-8."""
    try:
        return not content.isascii() and bool(content.decode("utf-8"))
    except UnicodeDecodeError:
        return False
