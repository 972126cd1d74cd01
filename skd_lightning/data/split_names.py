"""The names of files: which split, and which treebank, a file says that it is."""

from __future__ import annotations

import re
from pathlib import PurePath

SPLITS = {
    "train": ("train", "training"),
    "dev": ("dev", "devel", "development", "val", "valid", "validation", "testa"),
    "test": ("test", "testb"),
    "unlabelled": ("unlabelled", "unlabeled"),
}
"""{split: words that mark its file}, wherever they stand in the name."""

COMPLETE = ("gold", "annotated")
"""Words that mark the file with the annotations where one without them lies beside it."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_FOREIGN = re.compile(
    r"\..*|.*(~|\.(bak|bin|cfg|gif|html?|ini|ipynb|jpe?g|jsonl?|log|md|npy|orig|parquet|pdf|pkl|png|pt|py"
    r"|rst|sh|swp|tar|tgz|tmp|toml|ya?ml|zip))",
    re.IGNORECASE,
)
_TREEBANK = re.compile(r"([a-z]+_[a-z0-9]+)-ud-(train|dev|test).*\.(conllu|txt)(\.gz)?")


def words_of(name: str) -> list[str]:
    """Return the words of a file's name in lower case: runs of letters, parted by a capital after a small one.

    >>> words_of("wnut17train.conll"), words_of("nerTrain_DE.tsv")
    (['wnut', 'train', 'conll'], ['ner', 'train', 'de', 'tsv'])
    """
    return [word.lower() for word in _WORD.findall(name)]


def splits_of(name: str) -> list[str]:
    """Return the splits that a file's name says; a file of unlabelled text is nothing else.

    >>> splits_of("emerging.dev.conll"), splits_of("train.unlabelled.txt"), splits_of("latest.tsv")
    (['dev'], ['unlabelled'], [])
    >>> splits_of("train-dev.tsv"), splits_of("train.log")
    (['train', 'dev'], [])
    """
    return [] if is_foreign(name) else _said(name)


def unread_ending(name: str) -> str | None:
    """Return the ending for whose sake a file is passed over although its name says a split; None for other files.

    >>> unread_ending("train.jsonl"), unread_ending("notes.md"), unread_ending("train.tsv")
    ('.jsonl', None, None)
    """
    ending = PurePath(name).suffix
    return ending if ending and not name.startswith(".") and is_foreign(name) and _said(name) else None


def _said(name: str) -> list[str]:
    words = words_of(name)
    found = [split for split, marks in SPLITS.items() if not set(marks).isdisjoint(words)]
    return ["unlabelled"] if "unlabelled" in found else found


def is_foreign(name: str) -> bool:
    """Return True for hidden files, backups, and endings that no reader reads.

    >>> is_foreign("de.txt"), is_foreign("de.txt~"), is_foreign("de.json")
    (False, True, True)
    """
    return _FOREIGN.fullmatch(name) is not None


def treebank_of(name: str) -> str | None:
    """Return the treebank that a file of Universal Dependencies belongs to; None for any other file.

    >>> treebank_of("tr_imst-ud-train.conllu"), treebank_of("train.conllu")
    ('tr_imst', None)
    """
    match = _TREEBANK.fullmatch(name)
    return match[1] if match else None


def stem_of(name: str) -> str:
    """Return a file's name without its ending, packed or not.

    >>> stem_of("tr_imst-ud-train.conllu.gz")
    'tr_imst-ud-train'
    """
    return re.sub(r"\.gz$", "", name, flags=re.IGNORECASE).rpartition(".")[0]
