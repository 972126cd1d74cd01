"""Words by gold and predicted tag, summed over teachers or over the seeds of a student."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from skd_lightning.analysis.finished import FinishedRun, reason
from skd_lightning.metrics import add_confusions


def together(
    runs: Iterable[FinishedRun], notes: list[str]
) -> tuple[tuple[str, ...], NDArray[np.int64]] | None:
    """Add up the confusion matrices of runs, which may know different tags.

    Args:
        runs: a system's taggers; those without a matrix are passed over.
        notes: matrices that cannot be read are named here.

    Returns:
        The names of the tags, and (tags, tags) words ``[gold, predicted]``; None where no run has a matrix.
    """
    found = []
    for run in runs:
        try:
            counts = run.confusion()
        except (OSError, ValueError, EOFError) as error:
            place = f"{run.name}/{run.folder.confusion.name}"
            notes.append(f"{place}: not readable ({reason(error)}); not in the confusion matrix")
            continue
        if counts is not None:
            found.append((tuple(run.results.tags), counts))
    if not found:
        return None
    tags = max((tags for tags, _ in found), key=len)
    if missing := sorted({tag for other, _ in found for tag in other} - set(tags)):
        tags = (*tags, *missing)
    return tags, add_confusions(tags, found)
