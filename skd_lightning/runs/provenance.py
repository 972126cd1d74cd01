"""What a run is made from, beside its settings: code, corpora, teachers. Told by content, so that a change is seen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import skd_lightning
from skd_lightning.data.corpora import corpus_files
from skd_lightning.errors import UserError
from skd_lightning.storage import write_text
from skd_lightning.taggers.loading import BEST

FILE = "provenance.json"
LEARNING = ("crf", "data", "distillation", "encoders", "taggers", "metrics.py", "ragged.py", "tags.py")
"""The parts of the package that decide what is learned."""


def provenance(data: Mapping[str, Any], languages: Sequence[str], teachers: Path | None) -> dict[str, str]:
    """{what: hash of its content, or version}.

    Args:
        data: the settings of the data.
        languages: what is trained on.
        teachers: folder of the teachers, or None where nothing is learned from them.
    """
    package = Path(skd_lightning.__file__).parent
    code = hashlib.sha256()
    for part in LEARNING:
        for file in sorted((package / part).rglob("*.py")) or [package / part]:
            code.update(file.read_bytes())
    found = {"code of skd_lightning": code.hexdigest()[:16]}
    found |= {name: version(name) for name in ("torch", "pytorch-lightning")}
    for file in corpus_files(data["task"], data["data"], languages, data["unlabelled"]):
        found[f"corpus {file.parent.name}/{file.name}"] = _hash(file)
    for language in languages if teachers else ():
        assert teachers is not None
        if (teachers / language / BEST).is_file():
            found[f"teacher {language}"] = _hash(teachers / language / BEST)
    return found


def write(folder: Path, found: Mapping[str, str]) -> None:
    """Keep it in the run's folder."""
    write_text(folder / FILE, json.dumps(found, indent=2, ensure_ascii=False) + "\n")


def changed(folder: Path, found: Mapping[str, str]) -> list[str]:
    """What is no longer as it was when the run began; nothing for a run that did not write it down."""
    file = folder / FILE
    if not file.is_file():
        return []
    before = json.loads(file.read_text())
    return [name for name in {**before, **found} if before.get(name) != found.get(name)]


def verify(folder: Path, found: Mapping[str, str]) -> None:
    """Refuse to go on with a training under which something has changed.

    Raises:
        UserError: naming what has changed.
    """
    if names := changed(folder, found):
        raise UserError(
            f"{folder}: since this training began, these changed: {', '.join(names)}; "
            "bring them back to go on with it, or add --anew to start from scratch"
        )


def _hash(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()[:16]
