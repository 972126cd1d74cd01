"""Kinds of teachers, told by their names: run folders, pretrained token classifiers, files of predictions."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from skd_lightning.distillation.teachers.converted import speaking_in
from skd_lightning.distillation.teachers.predictions_file import PredictionsFile
from skd_lightning.distillation.teachers.roles import Learner, Speaker
from skd_lightning.distillation.teachers.token_classifier import TokenClassifier, is_model_folder
from skd_lightning.features.windows import Pooling
from skd_lightning.hub_access import HUB
from skd_lightning.run_folder import RunFolder

LINES = ".jsonl"


def teacher_at(place: Path, language: str) -> Path | None:
    """Return the teacher that a place has for a language; None where it has none.

    Args:
        place: a teacher, who speaks on every language; or a folder with one a language, as a run folder, a model's
            folder, or a file ``<language>.jsonl``.
        language: code.
    """
    for own in (place / language, place / f"{language}{LINES}"):
        if own.is_dir() or (own.suffix == LINES and own.is_file()):
            return own
    there = RunFolder(place).best.is_file() or is_model_folder(place)
    return place if there or is_on_hub(place) or (place.suffix == LINES and place.is_file()) else None


def is_on_hub(place: Path) -> bool:
    """Return True for ``hf:owner/name``."""
    return str(place).startswith(HUB)


def identity(place: Path) -> str | None:
    """Return what tells a teacher from one of other content, as far as that can be told without loading it.

    The key of a run; hashes of a model's files, or of a file of predictions; the name of a model on the hub.
    """
    if is_on_hub(place):
        return str(place)
    if place.suffix == LINES:
        return hash_of(place)
    if not is_model_folder(place):
        return RunFolder(place).key()
    others = (place / name for name in ("config.json", "tokenizer.json"))
    return " ".join(
        hash_of(file) for file in [*sorted(place.glob("*.safetensors")), *others] if file.is_file()
    )


def hash_of(file: Path) -> str:
    """Return a hash of the content of a file."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()[:16]


def content(place: Path) -> Path | None:
    """Return the file that a teacher's answers come from; None for a model on the hub, or where there is none."""
    candidates = [place] if place.suffix == LINES else [RunFolder(place).best, place / "model.safetensors"]
    return next((file for file in candidates if file.is_file()), None)


def open_teacher(
    place: Path,
    student: Learner,
    outside: bool,
    names: Mapping[str, str],
    pieces: Mapping[Path, Pooling],
) -> Speaker:
    """Return a teacher that speaks in the scheme of a student's tags.

    Args:
        place: the teacher.
        student: to be taught.
        outside: run folders may read files outside of themselves.
        names: of tags, see :func:`map_tags`.
        pieces: {model: pieces whose mean a word's log-probabilities are}, the first where nothing is said.

    Raises:
        UserError: naming the teacher.
    """
    scheme = student.tag_set.scheme
    if place.suffix == LINES:
        speaker: Speaker = PredictionsFile(place, student.tag_set, names)
    elif is_on_hub(place) or is_model_folder(place):
        speaker = TokenClassifier(str(place), scheme, student.device, pieces.get(place, "first"), names)
    else:
        speaker = student.load_teacher(place, outside)
    return speaking_in(speaker, scheme)
