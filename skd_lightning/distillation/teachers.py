"""The teachers of a task: who speaks on which language."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from skd_lightning.errors import UserError


@dataclass(frozen=True)
class TeacherSet:
    """The run folders of the teachers of a task, ``<folder>/<language>/``.

    Attributes:
        folder: of the teachers, such as ``runs/demo/teachers``.
    """

    folder: Path

    def of(self, language: str) -> tuple[Path, ...]:
        """Return the run folders of the teachers that speak on a language; empty where there is none."""
        folder = self.folder / language
        return (folder,) if folder.is_dir() else ()

    def missing(self, languages: Iterable[str]) -> list[str]:
        """Return the languages on which no teacher speaks, in the order given."""
        return [language for language in languages if not self.of(language)]

    def require(self, languages: Iterable[str]) -> None:
        """Refuse languages on which no teacher speaks.

        Raises:
            UserError: naming the languages and the command that trains their teachers.
        """
        if missing := self.missing(languages):
            named, codes = " or ".join(f"'{language}'" for language in missing), " ".join(missing)
            raise UserError(
                f"no teacher for language {named} in {self.folder}; train it with: skd teachers --langs {codes} "
                f'(or make teachers LANGS="{codes}"), and the same task and data'
            )
