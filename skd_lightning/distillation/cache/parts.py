"""Parts of a cache entry: named arrays in a folder, with a checksum each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, Field

from skd_lightning.parsing import read_json
from skd_lightning.storage import UNFINISHED, alone_in, new_folder

SCHEMA = 4

Arrays = Mapping[str, np.ndarray]


class _Meta(BaseModel):
    """Facts that stand beside the arrays of a part; a name of an array is no path."""

    sha256: dict[Annotated[str, Field(pattern=r"^\w+$")], str]


class Parts:
    """The folder of a cache entry, whose parts are written once and opened often.

    Args:
        folder: ``<cache>/<key>``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rebuilt: list[str] = []
        """Folders of the parts that were found damaged, and made again."""
        self._opened: dict[str, dict[str, np.ndarray]] = {}

    def bytes(self) -> int:
        """Return the size of all parts on disk, in bytes."""
        total = 0
        for folder in self.folder.iterdir():
            with suppress(FileNotFoundError):  # another process writes parts, or replaces a damaged one
                if not UNFINISHED.fullmatch(folder.name):
                    total += sum(file.stat().st_size for file in folder.glob("*"))
        return total

    def has(self, part: str) -> bool:
        """Return True if a part was written, damaged or not."""
        return (self.folder / part).is_dir()

    def open(self, part: str) -> dict[str, np.ndarray] | None:
        """Return the arrays of a part, memory-mapped; None where it was never written or is damaged.

        Every file is read once and compared with its checksum, which takes about 1 ns a byte.
        """
        if part in self._opened:
            return self._opened[part]
        folder = self.folder / part
        if not folder.is_dir():
            return None
        try:
            checksums = read_json(_Meta, folder / "meta.json", "made again").sha256
            if {name: _checksum(folder / f"{name}.npy") for name in checksums} != checksums:
                raise ValueError("wrong checksum")
            arrays = _mapped(folder, checksums)
        except (OSError, ValueError, EOFError):
            if str(folder) not in self.rebuilt:
                self.rebuilt.append(str(folder))
            return None
        self._opened[part] = arrays
        return arrays

    def write(self, part: str, arrays: Arrays) -> dict[str, np.ndarray]:
        """Store the arrays of a part, all or none of them, and open them."""
        with new_folder(self.folder / part) as folder:
            for name, array in arrays.items():
                np.save(folder / f"{name}.npy", array, allow_pickle=False)
            checksums = {name: _checksum(folder / f"{name}.npy") for name in arrays}
            (folder / "meta.json").write_text(json.dumps({"schema": SCHEMA, "sha256": checksums}))
        self._opened[part] = _mapped(self.folder / part, arrays)
        return self._opened[part]

    def find_or_make(self, part: str, make: Callable[[], Arrays]) -> tuple[dict[str, np.ndarray], bool]:
        """Return the arrays of a part, and True if they were there already."""
        found = self.open(part)
        if found is not None:
            return found, True
        with alone_in(self.folder):
            found = self.open(part)  # another process may have made it while this one waited
            return (self.write(part, make()), False) if found is None else (found, True)


def _mapped(folder: Path, names: Iterable[str]) -> dict[str, np.ndarray]:
    return {
        name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in sorted(names)
    }


def _checksum(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
