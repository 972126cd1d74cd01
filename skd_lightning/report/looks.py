"""Colours and markers of systems: the same one for a system in every plot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from skd_lightning.analysis.collection import BASELINE, TEACHERS
from skd_lightning.analysis.comparison import BEST_TEACHER, MEAN_TEACHER
from skd_lightning.display.style import Look, looks

# Light ground, dark ground, marker.
FIXED = {
    TEACHERS: Look("#0b0b0b", "#ffffff", "d"),
    BEST_TEACHER: Look("#0b0b0b", "#ffffff", "d"),
    MEAN_TEACHER: Look("#6f6f6f", "#a8a8a8", "d"),
    BASELINE: Look("#5a5a5a", "#b4b4b4", "s"),
    "token": Look("#6f6a00", "#cfc84a", "v"),
    "emission": Look("#00805c", "#35c79a", "^"),
    "topk": Look("#d05a00", "#ff8f45", "o"),
    "topwk": Look("#a87400", "#f2b632", "P"),
    "posterior": Look("#0072b2", "#5ab4f0", "D"),
    "pos_topwk": Look("#aa3f98", "#e58ad6", "X"),
}


def system_looks(systems: Iterable[str], losses: Mapping[str, str]) -> dict[str, Look]:
    """Return a look for every system and every loss.

    A variant that bears another name than its loss looks like the loss if no other does; the rest take the further
    colours in their order.

    Args:
        systems: names, in the order of the tables.
        losses: the objective of each student.
    """
    first = {loss: name for name, loss in reversed(list(losses.items()))} | {name: name for name in losses}
    of_losses = {name: FIXED[loss] for name, loss in losses.items() if loss in FIXED and first[loss] == name}
    return looks(systems, of_losses | FIXED)
