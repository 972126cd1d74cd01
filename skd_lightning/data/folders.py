"""The files of a task: its folder, the languages there, and the file of each split."""

from __future__ import annotations

import os
from pathlib import Path

from skd_lightning.data import tasks
from skd_lightning.errors import UserError

SPLITS = {
    "train": ("train",),
    "dev": ("dev", "valid", "validation", "testa"),
    "test": ("test", "testb"),
    "unlabelled": ("unlabelled", "unlabeled"),
}
"""{split: words that mark its file}; the name of a file begins or ends with one of them."""


def find_folder(task: str, data: str | None = None) -> Path | None:
    """Return the folder that holds the task's languages; None if there is none, so that the hub is asked.

    The root is ``data``, else ``$SKD_DATA``, else ``../shared/data``. Its folder ``<root>/<task>`` is taken if it
    exists, else the root itself if language folders (or published files) lie in it.

    Raises:
        UserError: a root was named and the task is not there.
    """
    named = data or os.environ.get("SKD_DATA")
    root = Path(named) if named else Path("../shared/data")
    for folder in (root / task, root):
        if folder.is_dir() and languages_in(folder, task):
            return folder
    if named:
        example = tasks.entry(task).published.example
        published = f", nor {task}/{example} and the like" if example else ""
        own = [path.name for path in root.iterdir() if path.is_dir()] if root.is_dir() else []
        raise UserError(
            f"{root}: no folder {task}/<language> with train, dev and test files there{published}"
            f"{tasks.suggestion(task, own)}"
        )
    return None


def languages_in(folder: Path, task: str) -> list[str]:
    """Return the languages there: folders with a file of some split, and corpora under their published names."""
    own = {path.name for path in folder.iterdir() if path.is_dir() and any(_by_split(path).values())}
    return sorted(own | set(tasks.entry(task).published.languages(folder)))


def split_files(folder: Path, task: str, language: str) -> dict[str, Path | None]:
    """Return the file of each split: the one under its published name, else the one in the language's folder."""
    return {**_by_split(folder / language), **tasks.entry(task).published.find(language, folder)}


def _by_split(folder: Path) -> dict[str, Path | None]:
    """Return the file of each split in a language's folder."""
    found: dict[str, Path | None] = dict.fromkeys(SPLITS)
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        stem = path.name.partition(".")[0].lower()
        for split, names in SPLITS.items():
            # "train_ud" or "en_ewt-ud-train" are common: the split is the last or the first part of the name
            parts = stem.replace("_", "-").split("-")
            if path.is_file() and found[split] is None and (parts[0] in names or parts[-1] in names):
                found[split] = path
    return found
