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
