"""Learning curves from the files of Lightning's CSVLogger, joined over resumed trainings and over seeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from skd_lightning.analysis.collection import TaskRuns
from skd_lightning.analysis.finished import FinishedRun, reason
from skd_lightning.run_folder import RunFolder

DEV = "dev/average"
"""The column of the score that selects the weights."""


def read(folder: RunFolder) -> pd.DataFrame:
    """Read the log of a run: one row an epoch (index: epochs done, from 1), of several dev scores the last.

    Raises:
        ValueError: the file is not such a log.
    """
    whole: pd.DataFrame = read_steps(folder).groupby(level=0).last()
    return whole


def read_steps(folder: RunFolder) -> pd.DataFrame:
    """Read the log of a run: a row for each step that something was logged at, with the same index.

    A resumed run has its earlier parts in ``metrics-1.csv``, ``metrics-2.csv`` …, the last one in ``metrics.csv``;
    of steps that were done twice the last values count.

    Raises:
        ValueError: the file is not such a log.
    """
    logs = [pd.read_csv(file) for file in folder.all_metrics()]
    if not logs:
        return pd.DataFrame()
    log = pd.concat(logs, ignore_index=True)
    if not {"epoch", "step"} <= set(log):
        raise ValueError("no columns epoch and step")
    log = log.apply(pd.to_numeric, errors="coerce").dropna(subset=["epoch"])
    log = log[[name for name in log if not str(name).startswith("test/")]]
    # The line of the test scores has an epoch too, and nothing else that is left.
    log = log.dropna(how="all", subset=[name for name in log if name not in ("epoch", "step")])
    log["step"] += 1  # Lightning counts from 0
    log["epoch"] = log["epoch"].astype(int) + 1
    steps: pd.DataFrame = log.groupby(["epoch", "step"], as_index=False).last()
    return steps.set_index("epoch")


def best_dev(folder: RunFolder) -> tuple[float, int, int] | None:
    """Return a run's best dev score, the step after which it was found, and its last step.

    None stands for a log that is not there, or that cannot be read.
    """
    try:
        steps = read_steps(folder)
    except (OSError, ValueError):
        return None
    if DEV not in steps or steps[DEV].isna().all():
        return None
    best = int(np.nanargmax(steps[DEV]))
    return float(steps[DEV].iloc[best]), int(steps["step"].iloc[best]), int(steps["step"].max())


def of_task(runs: TaskRuns, notes: list[str]) -> dict[str, list[pd.DataFrame]]:
    """Read the logs of all students by variant; those that cannot be read are named in ``notes``."""
    return {name: of_runs(group, notes) for name, group in runs.students.items()}


def of_runs(runs: Sequence[FinishedRun], notes: list[str]) -> list[pd.DataFrame]:
    """Read the logs of a variant's runs; those that cannot be read are named in ``notes``."""
    found = []
    for run in runs:
        try:
            log = read(run.folder)
        except (OSError, ValueError) as error:  # pandas' own errors are ValueErrors
            place = f"{run.name}/{run.folder.metrics.name}"
            notes.append(f"{place}: not readable ({reason(error)}); no curves of it")
            continue
        if len(log):
            found.append(log)
    return found


def curve(logs: Sequence[pd.DataFrame], column: str) -> pd.DataFrame:
    """Return mean, lowest and highest value over seeds by epoch, and the mean number of optimiser steps done.

    Epochs that not all seeds have reached are left out: the mean would jump there.
    """
    known = [log.dropna(subset=[column]) for log in logs if column in log]
    known = [log for log in known if len(log)]
    if not known:
        return pd.DataFrame(columns=["step", "mean", "low", "high"])
    values = pd.concat([log[column] for log in known], axis=1).dropna()
    steps = pd.concat([log["step"] for log in known], axis=1).reindex(values.index)
    return pd.DataFrame(
        {
            "step": steps.mean(axis=1),
            "mean": values.mean(axis=1),
            "low": values.min(axis=1),
            "high": values.max(axis=1),
        }
    )
