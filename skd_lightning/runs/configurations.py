"""The YAML files of ``experiments/``: where they are, and which recipes there are. Light to import."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import skd_lightning


def experiments() -> Path:
    """Return the folder of the YAML files: that of the working folder, else the one that came with the package."""
    package = Path(skd_lightning.__file__).parent
    candidates = (Path("experiments"), package / "experiments", package.parent / "experiments")
    return next((folder for folder in candidates if (folder / "student.yaml").is_file()), candidates[0])


def recipe_names() -> list[str]:
    """Return the recipes, sets of choices beyond the objective: the folders of ``experiments/recipes``."""
    return sorted(path.name for path in (experiments() / "recipes").glob("*") if path.is_dir())


def named_file(file: Path, folder: str) -> Path:
    """Return a file as it is named, else the one of that name in a folder of ``experiments``, where there is one.

    Args:
        file: a path; ``demo.yaml``, ``demo`` and ``experiments/suites/demo.yaml`` all name that of the package.
        folder: such as ``suites``.
    """
    if file.exists() or file.parent != Path():
        return packaged(file)
    own = packaged(Path("experiments", folder, file.name if file.suffix else f"{file.name}.yaml"))
    return own if own.is_file() else file


def packaged(file: Path) -> Path:
    """Return the package's file for a path in ``experiments/`` that the working folder has not; else the path."""
    if file.parts[:1] != ("experiments",) or file.exists():
        return file
    own = experiments().parent / file
    return own if own.is_file() else file


def with_packaged_configs(words: Sequence[str]) -> list[str]:
    """Return the words of a command line in which ``--config experiments/…`` is found wherever the package is."""
    found = list(words)
    for place, (before, word) in enumerate(itertools.pairwise(["", *words])):
        beginning = "" if before == "--config" else "--config="
        if word.startswith(f"{beginning}experiments/"):  # other values may be settings, which are no paths
            found[place] = f"{beginning}{packaged(Path(word.removeprefix(beginning)))}"
    return found


def file_names(folder: str) -> str:
    """Return the names of the files in a folder of ``experiments``, for a message."""
    return ", ".join(sorted(path.name for path in (experiments() / folder).glob("*.yaml")))
