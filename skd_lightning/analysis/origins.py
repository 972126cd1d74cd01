"""The origins of a task's runs: states of the code that learns, and versions of the libraries."""

from __future__ import annotations

from collections import Counter

from skd_lightning.analysis.collection import TaskRuns
from skd_lightning.errors import UserError
from skd_lightning.parsing import read_json
from skd_lightning.runs.provenance import CODE, LIBRARIES


def origins(runs: TaskRuns) -> Counter[tuple[str, ...]]:
    """Return the number of runs that each state has made: the hash of the code, then the version of each library.

    Runs whose provenance is missing or damaged count under ``("",)``.
    """
    found: Counter[tuple[str, ...]] = Counter()
    for run in runs.runs():
        try:
            parts = read_json(dict[str, str], run.folder.provenance, "make the run again")
            found[(parts[CODE], *(parts[name] for name in LIBRARIES))] += 1
        except (KeyError, UserError):
            found[("",)] += 1
    return found
