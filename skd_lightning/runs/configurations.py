"""The YAML files of ``experiments/``: where they are, and which recipes there are. Light to import."""

from __future__ import annotations

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
    if file.exists() or file.parent not in (Path(), Path("experiments", folder)):
        return file
    packaged = experiments() / folder / (file.name if file.suffix else f"{file.name}.yaml")
    return packaged if packaged.is_file() else file


def file_names(folder: str) -> str:
    """Return the names of the files in a folder of ``experiments``, for a message."""
    return ", ".join(sorted(path.name for path in (experiments() / folder).glob("*.yaml")))
