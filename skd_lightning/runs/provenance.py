"""Provenance of a run: hashes of the code, corpora and teachers that it was made from, so that a change is seen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import skd_lightning
from skd_lightning.data.corpora import corpus_files
from skd_lightning.distillation.teachers import TeacherSet
from skd_lightning.distillation.teachers.kinds import content, hash_of
from skd_lightning.errors import UserError
from skd_lightning.parsing import read_json
from skd_lightning.run_folder import RunFolder
from skd_lightning.storage import write_text

LEARNING = (
    *("crf", "data", "distillation", "encoders", "entity_spans", "features", "taggers"),
    *("metrics.py", "predictions.py", "ragged.py", "tags.py"),
)
"""Parts of the package that decide what a training learns."""

CODE, LIBRARIES = "code of skd_lightning", ("torch", "pytorch-lightning")
"""Names of the parts that every run has."""


def provenance(
    data: Mapping[str, Any], languages: Sequence[str], teachers: TeacherSet | None
) -> dict[str, str]:
    """Return {name of a part: hash of its content, or version}.

    Corpora from the hub have no files here and are not hashed.

    Args:
        data: settings of the data.
        languages: languages that are trained on.
        teachers: None for a run that does not learn from teachers.
    """
    package = Path(skd_lightning.__file__).parent
    code = hashlib.sha256()
    for part in LEARNING:
        for file in sorted((package / part).rglob("*.py")) or [package / part]:
            code.update(file.read_bytes())
    found = {CODE: code.hexdigest()[:16]}
    found |= {name: version(name) for name in LIBRARIES}
    for file in corpus_files(data["task"], data["data"], languages, data["unlabelled"]):
        found[f"corpus {file.parent.name}/{file.name}"] = hash_of(file)
    for folder, name in _short_names(teachers.folders(languages) if teachers else []).items():
        if (made := content(folder)) is not None:
            found[f"teacher {name}"] = hash_of(made)
    return found


def _short_names(folders: Sequence[Path]) -> dict[Path, str]:
    """Return a name for each folder, the end of its path that no other one has.

    >>> list(_short_names([Path("runs/demo/topk/seed1"), Path("runs/demo/token/seed1"), Path("runs/en")]).values())
    ['topk/seed1', 'token/seed1', 'en']
    """

    def end(folder: Path, parts: int) -> str:
        return "/".join(folder.parts[-parts:])

    names = {}
    for folder in folders:
        others, parts = [other for other in folders if other != folder], 1
        while parts < len(folder.parts) and end(folder, parts) in [end(other, parts) for other in others]:
            parts += 1
        names[folder] = end(folder, parts)
    return names


def write(folder: RunFolder, found: Mapping[str, str]) -> None:
    """Write the provenance into the folder of a run."""
    write_text(folder.provenance, json.dumps(found, indent=2, ensure_ascii=False) + "\n")


def changed(folder: RunFolder, found: Mapping[str, str]) -> list[str]:
    """Return the parts that differ from those when the run began; empty for a run without a provenance file."""
    file = folder.provenance
    if not file.is_file():
        return []
    before = read_json(dict[str, str], file, "add --anew to start from scratch")
    return [name for name in {**before, **found} if before.get(name) != found.get(name)]


def verify(folder: RunFolder, found: Mapping[str, str]) -> None:
    """Refuse to resume a training whose code, corpora or teachers have changed.

    Raises:
        UserError: a part has changed; the message names it.
    """
    if names := changed(folder, found):
        raise UserError(
            f"{folder.path}: since this training began, these changed: {', '.join(names)}; "
            "bring them back to go on with it, or add --anew to start from scratch"
        )
