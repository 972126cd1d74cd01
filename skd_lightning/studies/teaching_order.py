"""Who of a suite teaches whom: students after those that they learn from, and no teacher that nobody trains."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from skd_lightning.distillation.teachers.kinds import is_on_hub
from skd_lightning.distillation.teachers.sets import words_in
from skd_lightning.errors import UserError
from skd_lightning.parsing import read_yaml
from skd_lightning.runs.run import Run


def generations(students: Sequence[Run]) -> list[list[Run]]:
    """Return the students in groups, each after those that its teachers are in."""
    waiting, groups = list(students), []
    teachers = {run.path: _teachers(run) for run in students}
    while waiting:
        missing = {run.path for run in waiting}
        ready = [run for run in waiting if not missing & teachers[run.path] - {run.path}]
        if not ready:  # a circle: each of them says what it lacks
            ready = waiting
        groups.append(ready)
        waiting = [run for run in waiting if run not in ready]
    return groups or [[]]


def _teachers(run: Run) -> set[Path]:
    """Return the folders that are named as a student's teachers, those in a file of teachers included."""
    named = run.teacher_paths()
    files = [path for path in named if path.suffix in (".yaml", ".yml")]
    # Words that are no folders, such as other languages, do no harm.
    return {*named, *(Path(word) for file in files for word in words_in(read_yaml(file)))}


def refuse_missing_teachers(run: Run, planned: Sequence[Path]) -> None:
    """Refuse teachers that are neither there nor made by the suite, before hours go into its other runs.

    Args:
        run: a student of the suite.
        planned: the folders of all runs of the suite.

    Raises:
        UserError: naming the first one.
    """
    for teacher in run.teacher_paths():
        made = any(teacher in (path, *path.parents) for path in planned)
        if not (made or teacher.exists() or is_on_hub(teacher)):
            raise UserError(
                f"--distillation.teachers {teacher}: nothing is there, and no run of the suite makes it; train it first"
            )
