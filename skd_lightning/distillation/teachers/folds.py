"""Cross-fitting: each sentence is asked of a teacher that was trained without it.

A teacher is nearly certain of what it was trained on, so that little is learned from it there beyond the gold tags. A
teacher that was trained on the other folds of the text speaks on a sentence as it would on new text.
"""

from __future__ import annotations

from pathlib import Path

import yaml

from skd_lightning.data.folds import Fold
from skd_lightning.errors import UserError
from skd_lightning.run_folder import RunFolder


def folder_without(teachers: Path, fold: Fold) -> Path:
    """Return the folder of the teachers that were trained without a fold, beside that of the usual ones.

    >>> folder_without(Path("runs/uner/teachers"), Fold(2, 5)).as_posix()
    'runs/uner/teachers-fold2of5'
    """
    return teachers.with_name(f"{teachers.name}-fold{fold.number}of{fold.folds}")


def refuse_seen(teacher: Path, fold: Fold) -> None:
    """Refuse the teacher of a fold that may have been trained on it.

    Args:
        teacher: its run folder, whose settings say which fold it left out.
        fold: on whose sentences it is to speak.

    Raises:
        UserError: the settings are missing, or say something else.
    """
    try:
        left_out = yaml.safe_load(RunFolder(teacher).config.read_text())["data"].get("without_fold")
    except (OSError, UnicodeDecodeError, yaml.YAMLError, LookupError, TypeError, AttributeError):
        left_out = None
    if left_out != str(fold):
        trained = f"without fold {left_out}" if left_out else "on all of them, or does not say on which"
        raise UserError(
            f"{teacher}: it is to speak on the sentences of fold {fold} as on new ones, but was trained {trained}; "
            f"train one with: skd teachers --folds {fold.folds} (or --data.without_fold {fold})"
        )
