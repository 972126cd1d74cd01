"""Corpora under the names of their publication, so that they are read just as they were unpacked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class PublishedFiles:
    """The names under which the files of a task's corpora were published.

    Attributes:
        patterns: {language: {split: regular expression of the file's name}}; case does not matter, and any file may
            end in ``.gz``.
        example: one of these names, for messages.
        encoding: of all these files; None for the default of their format.
    """

    patterns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    example: str = ""
    encoding: str | None = None

    def find(self, language: str, folder: Path) -> dict[str, list[Path]]:
        """Return all that could be a language's files, {split: paths}, in ``<folder>/<language>`` and ``folder``."""
        places = [place for place in (folder / language, folder) if place.is_dir()]
        paths = [path for place in places for path in sorted(place.iterdir())]
        found = {
            split: [path for path in paths if _fits(pattern, path.name)]
            for split, pattern in self.patterns.get(language, {}).items()
        }
        return {split: files for split, files in found.items() if files}

    def languages(self, folder: Path) -> list[str]:
        """Return the languages of which some file lies there under its published name."""
        return [language for language in self.patterns if self.find(language, folder)]

    def holds(self, file: str) -> bool:
        """Return True if this is the name of a published file."""
        return any(_fits(pattern, file) for splits in self.patterns.values() for pattern in splits.values())


def _fits(pattern: str, name: str) -> bool:
    return re.fullmatch(rf"{pattern}(\.gz)?", name, re.IGNORECASE) is not None
