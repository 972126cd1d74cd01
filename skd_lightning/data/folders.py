"""The files of a task: its folder, the languages there, and the file of each split."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from skd_lightning.data import tasks
from skd_lightning.data.readers.files import kind_of
from skd_lightning.data.split_names import (
    COMPLETE,
    SPLITS,
    splits_of,
    stem_of,
    treebank_of,
    unread_ending,
    words_of,
)
from skd_lightning.errors import UserError

Candidates = dict[str, list[Path]]
"""{split: every file that could be it}."""

SHOWN = 8
"""Names that a message lists of a folder."""


def find_folder(task: str, data: str | None = None) -> Path | None:
    """Return the folder that holds the task's languages; None if there is none, so that the hub is asked.

    The root is ``data``, else ``$SKD_DATA``, else ``../shared/data``. Its folder ``<root>/<task>`` is taken if it
    exists, else the root itself, if language folders (or published files, or treebanks) lie in it.

    Raises:
        UserError: a root was named and the task is not there; the line lists what lies there.
    """
    named = data or os.environ.get("SKD_DATA")
    root = Path(named) if named else Path("../shared/data")
    own = root / task
    for folder in (own,) if own.is_dir() else (root,):
        if folder.is_dir() and languages_in(folder, task):
            return folder
    if named:
        raise UserError(_nothing_in(root, task))
    return None


def languages_in(folder: Path, task: str) -> list[str]:
    """Return the languages there: folders with a file of some split, and corpora under their published names.

    A treebank of Universal Dependencies goes by the code of its language, ``tr``; where there are several of one
    language, each by its own name, ``tr_imst``.
    """
    banks = _treebanks(folder)
    taken = {path.parent.name for splits in banks.values() for files in splits.values() for path in files}
    own = {
        path.name
        for path in folder.iterdir()
        if path.is_dir() and path.name not in taken and any(_by_split(path.iterdir()).values())
    }
    codes = [bank.partition("_")[0] for bank in banks]
    own |= {
        bank if codes.count(code) > 1 or code in own else code
        for bank, code in zip(banks, codes, strict=True)
    }
    return sorted(own | set(tasks.entry(task).published.languages(folder)))


def refuse_missing(folder: Path, task: str, language: str) -> None:
    """Refuse a language of which nothing lies in a task's folder.

    Raises:
        UserError: saying what stands in its place, and which languages are there.
    """
    there = languages_in(folder, task)
    if language in there or any(_is_of(bank, language) for bank in _treebanks(folder)):
        return
    place = folder / language
    kind = "nothing" if language in ("", ".", "..") or os.sep in language else kind_of(place)
    if kind == "nothing":
        raise UserError(f"{folder}: no language '{language}' there; there are {', '.join(there)}")
    if kind != "a folder":
        raise UserError(f"{place}: {kind}, not a folder; the files of '{language}' have to lie in one")
    if not any(_by_split(place.iterdir()).values()):  # else a clone that is called by the name of its folder
        raise UserError(f"{place}: no file whose name says train, dev or test; {_there(place)}")


def split_files(
    folder: Path, task: str, language: str, notes: list[str] | None = None
) -> dict[str, Path | None]:
    """Return the file of each split: of its published name, in the language's folder, or in a treebank's.

    Args:
        folder: of the task.
        task: its name.
        language: its code, or the name of a treebank.
        notes: gets a line about each file that was taken although others could be meant.

    Raises:
        UserError: several files could be one split, one file could be two, or no regular file stands there.
    """
    place = folder / language
    found = _by_split(place.iterdir()) if place.is_dir() else {split: [] for split in SPLITS}
    if not any(found.values()):
        found = _treebank(folder, language)
    published = tasks.entry(task).published.find(language, folder)
    return {
        split: _chosen(split, sorted({*found[split], *published.get(split, ())}), language, notes)
        for split in SPLITS
    }


def links_to_nothing(folder: Path) -> list[Path]:
    """Return the links in a task's folder that could be languages, but lead nowhere or back to themselves."""
    links = [path for path in folder.iterdir() if path.is_symlink() and "." not in path.name]
    return sorted(path for path in links if not path.exists())


def _by_split(paths: Iterable[Path]) -> Candidates:
    """Return the candidates of each split; folders only where nothing else is one, and not folders alone."""
    found: Candidates = {split: [] for split in SPLITS}
    for path in paths:
        for split in splits_of(path.name):
            found[split].append(path)
    if all(path.is_dir() for files in found.values() for path in files):
        return {split: [] for split in SPLITS}
    return {split: [path for path in files if not path.is_dir()] or files for split, files in found.items()}


def _chosen(split: str, files: list[Path], language: str, notes: list[str] | None) -> Path | None:
    """Return the one file that is a split, after those that by convention come beside it."""
    complete = [path for path in files if not set(COMPLETE).isdisjoint(words_of(path.name))]
    annotated = {stem_of(path.name) for path in files if "conllu" in words_of(path.name)}
    text = [path for path in files if "txt" in words_of(path.name) and stem_of(path.name) in annotated]
    left = complete if len(complete) == 1 else [path for path in files if path not in text]
    if len(left) > 1:
        place = os.path.commonpath([path.parent for path in left])
        names = ", ".join(os.path.relpath(path, place) for path in left)
        raise UserError(
            f"{place}: {len(left)} files could be {split} of {language}: {names}; "
            "keep one there, and move or rename the others"
        )
    if not left:
        return None
    (path,) = left
    if len(says := splits_of(path.name)) > 1:
        raise UserError(f"{path}: its name says {' and '.join(says)}; rename it so that it says one of them")
    if (kind := kind_of(path)) != "a file":
        raise UserError(f"{path}: {kind}, not a file; put the file of {split} there, or remove it")
    if len(files) > 1 and notes is not None:
        others = ", ".join(other.name for other in files if other != path)
        why = "its name says that it is annotated" if complete else "which holds the text alone"
        notes.append(f"{language}: {path.name} is {split}, not {others} ({why})")
    return path


def _treebanks(folder: Path) -> dict[str, Candidates]:
    """Return {name: candidates} of treebanks as they are cloned: ``UD_Turkish-IMST/tr_imst-ud-train.conllu``."""
    found: dict[str, list[Path]] = {}
    clones = [path for path in folder.iterdir() if path.name.startswith("UD_") and path.is_dir()]
    for path in sorted(path for place in [folder, *clones] for path in place.iterdir()):
        if bank := treebank_of(path.name):
            found.setdefault(bank, []).append(path)
    return {bank: _by_split(files) for bank, files in found.items()}


def _treebank(folder: Path, language: str) -> Candidates:
    """Return the candidates of the one treebank that a language means."""
    found = {bank: files for bank, files in _treebanks(folder).items() if _is_of(bank, language)}
    if len(found) > 1:
        names = ", ".join(f"--langs {bank}" for bank in found)
        raise UserError(f"{folder}: {len(found)} treebanks of '{language}' are there; say which: {names}")
    return next(iter(found.values()), {split: [] for split in SPLITS})


def _is_of(bank: str, language: str) -> bool:
    return bank == language or bank.startswith(f"{language}_")


def _nothing_in(root: Path, task: str) -> str:
    """Return the message about a root that does not hold the task."""
    if (kind := kind_of(root)) != "a folder":
        said = "no folder of that name" if kind == "nothing" else f"{kind}, not a folder"
        return f"{root}: {said}; --data names the folder of the corpora"
    example = tasks.entry(task).published.example
    published = f", nor {task}/{example} and the like" if example else ""
    folders = [path.name for path in root.iterdir() if path.is_dir()]
    return (
        f"{root}: no folder {task}/<language> with train, dev and test files there{published}; "
        f"{_there(root / task if task in folders else root)}{tasks.suggestion(task, folders)}"
    )


def _there(folder: Path) -> str:
    """Return what lies in a folder, for a message."""
    names = _names(folder, inside=True)
    rule = "the name of a file has to say its split, such as train.tsv"
    if endings := sorted({ending for path in _files(folder) if (ending := unread_ending(path.name))}):
        rule = (
            f"no reader reads {' or '.join(endings)}; write columns, word and tag between tabs (.tsv, .txt, .conll), "
            "or CoNLL-U (.conllu), Universal NER (.iob2) or SemEval (.xml)"
        )
    return f"{folder} holds {names}; {rule}" if names else f"{folder} is empty"


def _files(folder: Path) -> list[Path]:
    """Return the files of a folder and of those directly in it."""
    paths = list(folder.iterdir())
    paths += [inner for path in paths if kind_of(path) == "a folder" for inner in path.iterdir()]
    return [path for path in paths if kind_of(path) == "a file"]


def _names(folder: Path, inside: bool) -> str:
    """Return what a folder holds, in the order of the names: folders with what they hold, and links to nothing."""
    names = []
    paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    for path in paths[:SHOWN]:
        kind = kind_of(path)
        if kind == "a folder":
            held = _names(path, inside=False) if inside else ""
            names.append(f"{path.name}/ ({held})" if held else f"{path.name}/")
        else:
            names.append(path.name if kind == "a file" else f"{path.name} ({kind})")
    more = f" and {len(paths) - SHOWN:,} more" if len(paths) > SHOWN else ""
    return ", ".join(names) + more
