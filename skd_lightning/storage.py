"""What is kept on disk: complete or not at all, and found again by what it was made from."""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from torch import nn

from skd_lightning.errors import UserError


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A temporary folder that takes the name ``folder`` when its content is complete."""
    temporary = _unfinished(folder)
    temporary.mkdir()
    try:
        yield temporary
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def new_file(file: Path) -> Iterator[BinaryIO]:
    """A temporary file, open for writing, that takes the name ``file`` when its content is complete and on disk."""
    temporary = _unfinished(file)
    try:
        with temporary.open("wb") as opened:
            yield opened
            opened.flush()
            os.fsync(opened.fileno())  # some file systems say only here that they are full
        os.replace(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)


def _unfinished(path: Path) -> Path:
    """A name beside ``path`` for what shall become it. (Those of ``tempfile`` can be read by their owner only.)"""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.with_name(f".{path.name}-{secrets.token_hex(4)}")


def remove_unfinished(folder: Path) -> None:
    """Remove what a killed process has left of :func:`new_file` and :func:`new_folder`."""
    for path in list(folder.rglob(".*-????????")):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def write_text(file: Path, text: str) -> None:
    """All of it or nothing."""
    with new_file(file) as opened:
        opened.write(text.encode())


@contextmanager
def alone_in(folder: Path, wait: bool = True) -> Iterator[None]:
    """Make what belongs into a folder while no other process does; what a killed one left half-made is removed.

    Args:
        folder: made where it is missing.
        wait: for another process that is at work there.

    Raises:
        UserError: another process is at work there, and ``wait`` is False.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a") as lock:
        try:  # ends with the process, however that ends; loader workers do not inherit it
            fcntl.lockf(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise UserError(f"{folder}: another process is at work there; wait for it or stop it") from None
        remove_unfinished(folder)
        yield


def add_weights(digest: hashlib._Hash, module: nn.Module) -> None:
    """Add the names and values of all weights and buffers to a digest."""
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
