"""How a run takes the place of another one in its folder: a finished run stays until its successor has finished."""

from __future__ import annotations

import os

from skd_lightning.run_folder import RunFolder
from skd_lightning.storage import remove


def working_folder(folder: RunFolder) -> RunFolder:
    """Return where a training of this folder writes: the folder itself, or ``next/`` beside a finished run."""
    return folder.successor if folder.finished else folder


def has_finished(folder: RunFolder, key: str) -> bool:
    """Return True where the folder's results are of the settings with this key and no retraining waits to go on."""
    waiting = folder.successor.key() == key and folder.successor.last.is_file()
    return folder.finished and folder.key() == key and not waiting


def make_room(work: RunFolder) -> bool:
    """Empty the working folder for a new training: a stopped one of other settings moves to ``stopped/``.

    Returns:
        True if there was one; :func:`give_back` undoes it.
    """
    found = work.content()
    if not found:
        return False
    remove(work.stopped.path)
    work.stopped.path.mkdir()
    for path in found:
        os.replace(path, work.stopped.path / path.name)
    return True


def give_back(work: RunFolder) -> None:
    """Move the training that :func:`make_room` moved back into the working folder, where nothing has been done."""
    _move(work.stopped, work)
    if work.stopped.path.is_dir():
        work.stopped.path.rmdir()


def take_place(folder: RunFolder) -> None:
    """Move a finished successor into the folder and the run that was there to ``previous/``.

    Results move last on both ways, so that a process that dies in between leaves a state from which the next call
    goes on; nothing is done where there is no finished successor.
    """
    new = folder.successor
    if new.finished:
        if folder.finished and (folder.previous.finished or folder.previous.path.is_symlink()):
            remove(folder.previous.path)
        if folder.finished:
            folder.previous.path.mkdir(exist_ok=True)
            _move(folder, folder.previous)
        _move(new, folder)
    if new.path.is_dir() and not any(new.path.iterdir()):
        new.path.rmdir()


def _move(source: RunFolder, target: RunFolder) -> None:
    for path in source.content():
        remove(target.path / path.name)
        os.replace(path, target.path / path.name)
