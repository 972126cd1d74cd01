"""The tasks that have a name of their own: each module here is the entry of one, and its ``TASK`` says all about it.

A new task is a new file here; nothing lists them. Their names come from the names of the files, so that the command
line knows them without importing anything.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from skd_lightning.data.task import Task


@cache
def task_names() -> tuple[str, ...]:
    """Return the names of all tasks that have an entry, in alphabetical order.

    >>> "demo" in task_names() and "upos" in task_names()
    True
    """
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def entry(name: str) -> Task:
    """Return the entry of a task; an empty one for a task of the user's own, about which nothing is particular."""
    from skd_lightning.data.task import Task

    if name not in task_names():
        return Task()
    found: Task = importlib.import_module(f"{__name__}.{name}").TASK
    return found


def suggestion(name: str, folders: Sequence[str] = ()) -> str:
    """Return the end of a message about a name that nothing has: the nearest task, if one is near.

    Args:
        name: the name that was asked for.
        folders: names of the user's own tasks, which may be meant as well.

    >>> suggestion("upso")
    "; did you mean 'upos'?"
    >>> suggestion("upos"), suggestion("my_reviews")
    ('', '')
    """
    known = [*task_names(), *folders]
    near = [] if name in known else difflib.get_close_matches(name, known, n=1)
    return f"; did you mean '{near[0]}'?" if near else ""


def published_encoding(file: str) -> str | None:
    """Return the encoding in which a corpus was published, told by the name of its file; None if that tells nothing.

    >>> published_encoding("deu.testa.gz")
    'latin-1'
    """
    for task in map(entry, task_names()):
        if task.published.encoding and task.published.holds(file):
            return task.published.encoding
    return None
