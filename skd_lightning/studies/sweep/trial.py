"""Where the runs of a sweep lie."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping

from skd_lightning.runs.plan import Run

SWEEP_ID, RUN_ID = "WANDB_SWEEP_ID", "WANDB_RUN_ID"
"""Environment variables that the agent sets for a trial."""


def as_trial(run: Run, environment: Mapping[str, str] = os.environ) -> Run:
    """The run in a folder of its own, ``<runs>/<task>/sweeps/<sweep>/<trial>``, where it is a sweep's trial.

    One level deeper than other runs, so that reports do not list trials among the variants.
    """
    sweep, trial = environment.get(SWEEP_ID), environment.get(RUN_ID)
    if not sweep or not trial:
        return run
    folder = run.folder.parents[1] / "sweeps" / sweep / trial
    return dataclasses.replace(run, folder=folder, title=f"{run.variant} {trial}")
