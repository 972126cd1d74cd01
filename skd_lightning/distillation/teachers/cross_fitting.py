"""Cross-fitting: each sentence is asked of a teacher that was trained without it.

A teacher is nearly certain of what it was trained on, so that little is learned from it there beyond the gold tags. A
teacher that was trained on the other folds of the text speaks on a sentence as it would on new text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from skd_lightning.data.folds import Fold
from skd_lightning.data.run_settings import read_settings
from skd_lightning.errors import UserError
from skd_lightning.run_folder import RunFolder

FOLDS, UNLABELLED = "folds", "unlabelled"
"""Keys of an entry: teachers that were trained without each fold; those that speak on unlabelled text, if others."""


def folder_without(teachers: Path, fold: Fold) -> Path:
    """Return the folder of the teachers that were trained without a fold, beside that of the usual ones.

    >>> folder_without(Path("runs/uner/teachers"), Fold(2, 5)).as_posix()
    'runs/uner/teachers-fold2of5'
    """
    return teachers.with_name(f"{teachers.name}-fold{fold.number}of{fold.folds}")


def refuse_other_form(entry: Mapping[str, Any], what: str) -> None:
    """Refuse an entry of a file of teachers that names folds in another form.

    Args:
        entry: has the key ``folds``.
        what: the entry says, for the message.

    Raises:
        UserError: the folds are no list of two or more, or there are other keys.
    """
    folds = entry[FOLDS]
    if not set(entry) <= {FOLDS, UNLABELLED} or not isinstance(folds, list) or len(folds) < 2:
        raise UserError(
            f"{what} are {entry!r}; expected {{folds: [the teachers that were trained without fold 1, without fold 2, "
            "...]}, with unlabelled: TEACHERS if you like"
        )


def refuse_seen(teachers: Iterable[Path], fold: Fold) -> None:
    """Refuse teachers of a fold that may have been trained on it.

    Args:
        teachers: their run folders, whose settings say which fold they left out.
        fold: on whose sentences they are to speak.

    Raises:
        UserError: the settings of one are missing, or say something else.
    """
    for teacher in teachers:
        left_out = _left_out(teacher)
        if left_out != str(fold):
            trained = f"without fold {left_out}" if left_out else "on all of them, or does not say on which"
            raise UserError(
                f"{teacher}: it is to speak on the sentences of fold {fold} as on new ones, but was trained "
                f"{trained}; train one with: skd teachers --folds {fold.folds} (or --data.without_fold {fold})"
            )


def _left_out(teacher: Path) -> str | None:
    try:
        return read_settings(RunFolder(teacher)).data.without_fold
    except UserError:
        return None
