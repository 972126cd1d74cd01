"""The text of a file, line by line."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

from skd_lightning.data.readers.encodings import decoded
from skd_lightning.data.readers.files import content_of
from skd_lightning.data.tasks import published_encoding
from skd_lightning.errors import UserError

LONGEST = 2**20
"""Characters of a line that is read."""


def lines_of(path: Path, named: str | None) -> Iterator[tuple[int, str]]:
    """Yield the number (from 1) and the text of each line of a file.

    Args:
        path: the file; one whose name ends in ``.gz`` is unpacked.
        named: encoding; if None, the one that the corpus was published in, which its name tells, else UTF-8.

    Raises:
        UserError: the file is missing, damaged or in another encoding, or a line is too long.
    """
    content = content_of(path)
    encoding = named or published_encoding(path.name) or "utf-8"
    if named is None and encoding == "latin-1" and _is_utf8(content):
        raise UserError(
            f"{path}: this corpus was published in Latin-1, but the file is in UTF-8; "
            "say --data.encoding utf-8, or name the file train.tsv (dev.tsv, test.tsv) in a folder of its language"
        )
    text = decoded(content, encoding, path)
    for number, row in enumerate(io.StringIO(text, newline=None), start=1):
        if len(row) > LONGEST:
            raise UserError(
                f"{path}:{number}: a line of more than {LONGEST:,} characters; break it into sentences"
            )
        yield number, row.rstrip("\n")


def _is_utf8(content: bytes) -> bool:
    """Return True if there are characters beyond ASCII, all of them in UTF-8."""
    try:
        return not content.isascii() and bool(content.decode("utf-8"))
    except UnicodeDecodeError:
        return False
