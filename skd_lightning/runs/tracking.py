"""Weights & Biases: one run for each training, with its curves, its scores and its confusion matrix."""

from __future__ import annotations

import io
import netrc
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import WandbLogger

from skd_lightning.distillation.names import BASELINE
from skd_lightning.distillation.teachers import TeacherSet
from skd_lightning.metrics import add_confusions
from skd_lightning.run_folder import RunFolder
from skd_lightning.runs.record import Results
from skd_lightning.taggers.optimization import MONITOR

RUN_ID = "wandb_run_id"
"""Key of a checkpoint: a training that goes on from it goes on in this W&B run."""


@dataclass(frozen=True)
class Labels:
    """Names of a training at W&B.

    Attributes:
        name: of the run.
        group: runs of one task and objective stand together.
        job_type: ``teacher`` or ``student``.
        run_id: of the W&B run that this training began in, None for a new one.
    """

    name: str
    group: str | None = None
    job_type: str | None = None
    run_id: str | None = None


def make_logger(folder: Path, project: str, labels: Labels, config: Mapping[str, Any]) -> WandbLogger:
    """Return the logger of a training; it speaks to W&B once the trainer has started, and never asks for a login.

    Args:
        folder: of the training's files.
        project: at W&B.
        labels: of the run.
        config: all settings, plain values.
    """
    if not _has_key():
        os.environ.setdefault(
            "WANDB_MODE", "offline"
        )  # else it asks for a login, or fails without a terminal
    return WandbLogger(
        project=project,
        save_dir=folder,
        name=labels.name,
        group=labels.group,
        job_type=labels.job_type,
        id=labels.run_id,
        resume="allow",
        config=dict(config),
    )


def _has_key() -> bool:
    """Return True if a key is configured, in the environment or (by ``wandb login``) in ~/.netrc."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    try:
        return netrc.netrc().authenticators("api.wandb.ai") is not None
    except (OSError, netrc.NetrcParseError):
        return False


def stored_run_id(checkpoint: Path) -> str | None:
    """Return the id of the W&B run that a checkpoint was written in, None where there is none."""
    content = torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)
    run_id: str | None = content.get(RUN_ID)
    return run_id


def _logger(trainer: pl.Trainer) -> WandbLogger | None:
    return next((logger for logger in trainer.loggers if isinstance(logger, WandbLogger)), None)


class WandbRun(pl.Callback):
    """Log curves over epochs, and keep the run's id in every checkpoint that a training can go on from."""

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin the W&B run: all processes are there."""
        logger = _logger(trainer)
        if trainer.is_global_zero and logger:
            logger.experiment.define_metric("epoch")
            logger.experiment.define_metric("*", step_metric="epoch", step_sync=True)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log the learning rate of each part as the epoch begins with it."""
        groups = [group for optimizer in trainer.optimizers for group in optimizer.param_groups]
        rates = {f"lr/{group['name']}": float(group["lr"]) for group in groups}
        pl_module.log_dict(rates, on_step=False, on_epoch=True)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Keep the id of the W&B run."""
        logger = _logger(trainer)
        if logger and logger.version:  # only the process that reports has one, and it writes the checkpoint
            checkpoint[RUN_ID] = str(logger.version)

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """End the W&B run, else the next training of this process would go on in it."""
        import wandb

        if wandb.run is not None:
            wandb.run.finish(exit_code=1)


def finish_tracking(
    trainer: pl.Trainer, results: Results, folder: RunFolder, teachers: TeacherSet | None
) -> None:
    """Log scores and confusion matrix of the test, and end the W&B run, if there is one.

    Args:
        trainer: has tested; in the process that reports.
        results: of the test.
        folder: where they are.
        teachers: of a student, also of one that does not learn from them.
    """
    logger = _logger(trainer)
    if logger is None:
        return
    import wandb
    from PIL import Image

    from skd_lightning.display.confusion import confusion_figure

    run = logger.experiment
    columns, rows = score_table(results, teachers)
    image = Image.open(
        io.BytesIO(confusion_figure(results.tags, confusion_matrices(folder, results, teachers)))
    )
    run.log(
        {
            "scores": wandb.Table(columns=[*columns], data=[*rows]),
            "confusion": wandb.Image(image),
            "epoch": trainer.current_epoch,
        }
    )
    best = next(found for found in trainer.checkpoint_callbacks if getattr(found, "monitor", None) == MONITOR)
    run.summary[MONITOR] = float(best.best_model_score)  # type: ignore[attr-defined]  # of the epoch that is kept
    run.finish()


def score_table(results: Results, teachers: TeacherSet | None) -> tuple[list[str], list[list[Any]]]:
    """Return column names and rows: test scores by language, a student's beside its teachers' and the baseline's.

    The baseline is that of the same seed; what has not been trained is None, or has no column.
    """
    systems: dict[str, dict[str, float]] = {results.role: _scores(results)}
    if teachers is not None:
        systems["teachers"] = {
            code: found.score(code)
            for code, _, found in _teachers(results, teachers)
            if code in found.languages
        }
        baseline = _finished(RunFolder(teachers.home / BASELINE / f"seed{results.seed}"))
        if baseline and results.loss != BASELINE:
            systems["baseline"] = _scores(baseline)
    systems = {name: scores for name, scores in systems.items() if scores}
    rows = [[code, *(scores.get(code) for scores in systems.values())] for code in results.languages]
    means = [
        None if None in column else float(np.mean(column))
        for column in zip(*(row[1:] for row in rows), strict=True)
    ]
    return ["language", *(f"{name} {results.metric}" for name in systems)], [*rows, ["average", *means]]


def confusion_matrices(
    folder: RunFolder, results: Results, teachers: TeacherSet | None
) -> dict[str, np.ndarray]:
    """Return the confusion counts of the run, and of its teachers together, which may know fewer tags."""
    found: dict[str, np.ndarray] = {results.role: np.load(folder.confusion, allow_pickle=False)}
    known = {
        code: (other.tags, np.load(place.confusion, allow_pickle=False))
        for code, place, other in (_teachers(results, teachers) if teachers else ())
        if set(other.tags) <= set(results.tags)
    }
    if not known:
        return found
    return {f"teachers ({' '.join(known)})": add_confusions(results.tags, known.values()), **found}


def _scores(results: Results) -> dict[str, float]:
    return {code: results.score(code) for code in results.languages}


def _teachers(results: Results, teachers: TeacherSet) -> Iterator[tuple[str, RunFolder, Results]]:
    """Yield language, folder and results of each finished teacher."""
    for code in results.languages:
        for folder in map(RunFolder, teachers.of(code)):
            if found := _finished(folder):
                yield code, folder, found


def _finished(folder: RunFolder) -> Results | None:
    """Return the results of a run to compare with; None where they are not there, or damaged."""
    try:
        return Results.read(folder)
    except ValueError:
        return None
