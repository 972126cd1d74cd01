"""Files and folders that are complete or absent, and that one process at a time writes."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from skd_lightning.errors import UserError

if TYPE_CHECKING:
    from torch import nn

LOCK = ".skd-lock"
"""Name of the file that :func:`alone_in` locks. It stays: a lock file that is removed can be held twice."""
UNFINISHED = re.compile(r"\..+\.skd-unfinished-[0-9a-f]{8}")
"""Names under which files and folders are written before they are complete; nobody else gives such names."""


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty folder that takes the name ``folder`` when the block ends, and vanishes when the block fails.

    What had that name is removed, after the new folder is in its place; of a link only the link itself.
    """
    temporary, before = _unfinished(folder), _unfinished(folder)
    temporary.mkdir()
    try:
        yield temporary
        if os.path.lexists(folder):
            os.replace(folder, before)
        os.replace(temporary, folder)
    finally:
        remove(temporary)
        remove(before)


@contextmanager
def new_file(file: Path) -> Iterator[BinaryIO]:
    """Yield a file, open for writing, that takes the name ``file`` when the block ends and all is on disk.

    It vanishes when the block fails. A file or a link that had the name is replaced, never written through.
    """
    temporary = _unfinished(file)
    try:
        with temporary.open("wb") as opened:
            yield opened
            opened.flush()
            os.fsync(opened.fileno())  # some file systems say only here that they are full
        os.replace(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(file: Path, text: str) -> None:
    """Write all of a text to a file, or nothing."""
    with new_file(file) as opened:
        opened.write(text.encode())


def remove(path: Path) -> None:
    """Remove a file, a folder with its content, or a link without its target; a missing path is fine.

    A folder is renamed first: a process that dies on the way leaves no half of it under the folder's own name.
    """
    if path.is_dir() and not path.is_symlink():
        doomed = path if UNFINISHED.fullmatch(path.name) else _unfinished(path)
        os.replace(path, doomed)
        shutil.rmtree(doomed, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def remove_unfinished(folder: Path) -> None:
    """Remove what a killed process left of :func:`new_file` and :func:`new_folder` directly in a folder."""
    for path in list(folder.iterdir()):
        if UNFINISHED.fullmatch(path.name):
            remove(path)


@contextmanager
def alone_in(folder: Path, *below: str, wait: bool = True) -> Iterator[None]:
    """Hold a folder for this process while the block runs, and remove what a killed process left unfinished in it.

    The lock ends with the process, however that ends; loader workers do not inherit it.

    Args:
        folder: made where it is missing. It may be a link itself.
        below: names of folders in it that the block writes to as well, whether they exist yet or not.
        wait: for another process that holds the folder.

    Raises:
        UserError: a folder ``below`` is a link, so that writing would reach another place; or another process
            holds the folder, and ``wait`` is False.
    """
    from filelock import FileLock, Timeout  # a tenth of a second, and nothing that reads needs it

    folder.mkdir(parents=True, exist_ok=True)
    for path in (folder / name for name in below):
        if path.is_symlink():
            raise UserError(f"{path}: is a link to another place; put a folder there, or nothing")
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(blocking=wait)
    except Timeout:
        raise UserError(f"{folder}: another process is at work there; wait for it or stop it") from None
    try:
        for path in (folder, *(folder / name for name in below)):
            if path.is_dir():
                remove_unfinished(path)
        yield
    finally:
        lock.release()


def add_weights(digest: hashlib._Hash, module: nn.Module) -> None:
    """Add the names and values of all weights and buffers of a module to a digest."""
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())


def _unfinished(path: Path) -> Path:
    """Return a name beside ``path`` for what shall become it, and make the folder of both.

    Names of ``tempfile`` would not do: only their owner may read such files.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.with_name(f".{path.name}.skd-unfinished-{secrets.token_hex(4)}")
