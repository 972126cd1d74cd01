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

    def find(self, language: str, folder: Path) -> dict[str, Path]:
        """Return the files of a language, {split: file}, in ``<folder>/<language>`` or in ``folder``.

        Where test data lie beside their gold annotations (``.xml`` and ``.xml.gold``), the annotated file is taken.
        """
        found: dict[str, Path] = {}
        for split, pattern in self.patterns.get(language, {}).items():
            for place in (folder / language, folder):
                matches = [
                    path
                    for path in (sorted(place.iterdir()) if place.is_dir() else [])
                    if path.is_file() and _fits(pattern, path.name)
                ]
                if matches and split not in found:
                    found[split] = min(matches, key=lambda path: ".gold" not in path.name.lower())
        return found

    def languages(self, folder: Path) -> list[str]:
        """Return the languages of which some file lies there under its published name."""
        return [language for language in self.patterns if self.find(language, folder)]

    def holds(self, file: str) -> bool:
        """Return True if this is the name of a published file."""
        return any(_fits(pattern, file) for splits in self.patterns.values() for pattern in splits.values())


def _fits(pattern: str, name: str) -> bool:
    return re.fullmatch(rf"{pattern}(\.gz)?", name, re.IGNORECASE) is not None
