"""The bytes of a file: of a regular file alone, unpacked, and never more than a bound."""

from __future__ import annotations

import gzip
import os
import stat
import zlib
from pathlib import Path

from skd_lightning.errors import UserError

LARGEST = 2**30
"""Bytes of a file that is read, unpacked."""
UNSUSPICIOUS = 2**23
"""Bytes that any file may unpack to."""
RATIO = 100
"""Times its size that a file may unpack to beyond that; annotated text comes to about 6 times."""

_PACKED = b"\x1f\x8b"
_CHUNK = 2**20


def kind_of(path: Path) -> str:
    """Return what stands in a place, following links: ``a file``, ``a folder``, ``a link to nothing`` and so on."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return "a link to nothing" if os.path.lexists(path) else "nothing"
    except NotADirectoryError:
        return "nothing"
    except OSError as error:
        return "a link that leads back to itself" if path.is_symlink() else (error.strerror or str(error))
    kinds = {
        stat.S_IFREG: "a file",
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a pipe",
        stat.S_IFSOCK: "a socket",
    }
    return kinds.get(stat.S_IFMT(mode), "a device")


def is_packed(path: Path) -> bool:
    """Return True for a name that ends in ``.gz``, in capitals or not."""
    return path.suffix.lower() == ".gz"


def content_of(path: Path) -> bytes:
    """Return the bytes of a file, unpacked if its name ends in ``.gz``.

    Raises:
        UserError: there is no file (a pipe is not waited for), it is damaged or too large, or it unpacks to more than
            8 MiB and 100 times its size.
    """
    kind = kind_of(path)
    if kind == "nothing":
        raise UserError(f"{path}: no such file")
    if kind != "a file":
        raise UserError(f"{path}: {kind}, not a file; put the file itself there")
    try:
        if path.stat().st_size > LARGEST:
            raise UserError(f"{path}: larger than {LARGEST >> 30} GiB; split it into smaller files")
        content = _unpacked(path) if is_packed(path) else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: cannot be read ({error}); is the file complete?") from None
    if content.startswith(_PACKED):
        twice = " twice; unpack it once" if is_packed(path) else "; let its name end in .gz"
        raise UserError(f"{path}: packed with gzip{twice}")
    return content


def _unpacked(path: Path) -> bytes:
    """Return the content of a packed file, compared while it is unpacked with what was read of the file for it."""
    content = bytearray()
    with path.open("rb") as packed, gzip.GzipFile(fileobj=packed) as file:
        while chunk := file.read(_CHUNK):
            content += chunk
            if len(content) > max(UNSUSPICIOUS, RATIO * packed.tell()):
                raise UserError(
                    f"{path}: unpacks to more than {RATIO} times its size, which no text does; "
                    "if it is meant, store it unpacked"
                )
            if len(content) > LARGEST:
                raise UserError(
                    f"{path}: unpacks to more than {LARGEST >> 30} GiB; split it into smaller files"
                )
    return bytes(content)
