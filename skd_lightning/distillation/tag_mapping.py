"""Tags of teachers in the student's tags, by name."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from skd_lightning.distillation.scheme_conversion import counterpart
from skd_lightning.errors import UserError
from skd_lightning.tags import TagSet


def map_tags(
    teacher: TagSet, student: TagSet, where: str, names: Mapping[str, str] | None = None
) -> np.ndarray:
    """Return (teacher's tags,) the place of each tag of the teacher among the student's.

    Args:
        teacher: its tags.
        student: its tags.
        where: the teacher's folder, for messages.
        names: {name of a type, or of a tag without a scheme: the student's name for it}, such as
            ``{"PERSON": "PER", "MISC": "O"}``; names that are missing there stay as they are.

    Raises:
        UserError: the student lacks a tag, or one of them tags entities and the other does not.

    BIOES tags that the student has no names for in IOB2 become those of the same sequences: S- is B-, and E- is I-.
    (IOB2 tags are none of BIOES by themselves, see :mod:`scheme_conversion`.)

    >>> ours, theirs = TagSet(("O", "B-PER"), "iob2"), TagSet(("O", "B-MISC", "B-PERSON"), "iob2")
    >>> map_tags(theirs, ours, "runs/theirs", {"PERSON": "PER", "MISC": "O"})
    array([0, 0, 1])
    """
    falls_together = (teacher.scheme, student.scheme) == ("bioes", "iob2")
    if teacher.scheme != student.scheme and not falls_together:
        raise UserError(
            f"{where}: the teacher tags in scheme {teacher.scheme}, the student in {student.scheme}; "
            "take a teacher of the same task"
        )
    renamed = [_renamed(name, names or {}) for name in teacher.names]
    if falls_together:
        renamed = [counterpart(name) for name in renamed]
    unknown = [
        tag if name == tag else f"{tag} ({name})"
        for tag, name in zip(teacher.names, renamed, strict=True)
        if name not in student.names
    ]
    if unknown:
        raise UserError(
            f"{where}: the student does not know the teacher's tags {', '.join(unknown)}; "
            f"it knows {', '.join(student.names)}; say what they are to it under 'tags' in the file of teachers"
        )
    return np.array([student.index(name) for name in renamed], dtype=np.int64)


def _renamed(tag: str, names: Mapping[str, str]) -> str:
    """Return the student's name of a tag such as "B-PERSON", "O" or "NOUN"."""
    if tag in names:
        return names[tag]
    position, dash, kind = tag.partition("-")
    if not dash or kind not in names:
        return tag
    return names[kind] if names[kind] == "O" else f"{position}-{names[kind]}"
