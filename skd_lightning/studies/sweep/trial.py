"""Folders of the runs of a sweep."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping

from skd_lightning.run_folder import SWEEPS
from skd_lightning.runs.run import Run

SWEEP_ID, RUN_ID = "WANDB_SWEEP_ID", "WANDB_RUN_ID"
"""Environment variables that the W&B agent sets for a trial."""


def as_trial(run: Run, environment: Mapping[str, str] = os.environ) -> Run:
    """Return the run, moved to ``<runs>/<task>/sweeps/<sweep>/<trial>`` if it is a trial of a sweep.

    The folder lies one level deeper than those of other runs, so that reports do not list trials among the variants.

    Args:
        run: a run.
        environment: variables that name the sweep and the trial.
    """
    sweep, trial = environment.get(SWEEP_ID), environment.get(RUN_ID)
    if not sweep or not trial:
        return run
    path = run.path.parents[1] / SWEEPS / sweep / trial
    return dataclasses.replace(run, path=path, title=f"{run.variant} {trial}")
