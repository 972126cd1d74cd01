"""Weights & Biases: one run for each training, and what it shows when the test is done."""

from __future__ import annotations

import io
import netrc
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import WandbLogger

from skd_lightning.runs.record import CONFUSION, read_results
from skd_lightning.taggers.optimization import MONITOR

RUN_ID = "wandb_run_id"
"""Key of a checkpoint: a training that goes on from it goes on in this W&B run."""


@dataclass(frozen=True)
class Labels:
    """What W&B calls a training.

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
    """The logger of a training; W&B hears of it when the trainer has started, and is never asked for a login.

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
    """Is a key configured, in the environment or (by ``wandb login``) in ~/.netrc."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    try:
        return netrc.netrc().authenticators("api.wandb.ai") is not None
    except (OSError, netrc.NetrcParseError):
        return False


def stored_run_id(checkpoint: Path) -> str | None:
    """The W&B run that a checkpoint was written in, None where there is none."""
    content = torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)
    run_id: str | None = content.get(RUN_ID)
    return run_id


def _logger(trainer: pl.Trainer) -> WandbLogger | None:
    return next((logger for logger in trainer.loggers if isinstance(logger, WandbLogger)), None)


class WandbRun(pl.Callback):
    """Curves over epochs, and the run's id in every checkpoint that a training can go on from."""

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """All processes are there, so the one that reports may begin."""
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
        """Keep the id."""
        logger = _logger(trainer)
        if logger and logger.version:  # only the process that reports has one, and it writes the checkpoint
            checkpoint[RUN_ID] = str(logger.version)

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """End the run, else the next training of this process would go on in it."""
        import wandb

        if wandb.run is not None:
            wandb.run.finish(exit_code=1)


def finish(trainer: pl.Trainer, folder: Path, teachers: Path | None) -> None:
    """Show what the test found, and end the W&B run, if there is one.

    Args:
        trainer: has tested; in the process that reports.
        folder: of the run, with its results.
        teachers: folder of the teachers' runs, None for a teacher.
    """
    logger = _logger(trainer)
    if logger is None:
        return
    import wandb
    from PIL import Image

    from skd_lightning.display.confusion import confusion_figure

    run = logger.experiment
    results = read_results(folder)
    assert results is not None
    columns, rows = score_table(results, teachers)
    image = Image.open(
        io.BytesIO(confusion_figure(results["tags"], confusion_matrices(folder, results, teachers)))
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


def score_table(results: Mapping[str, Any], teachers: Path | None) -> tuple[list[str], list[list[Any]]]:
    """Column names and rows: the test score of each language, a student's beside its teachers' and the baseline's.

    The baseline is that of the same seed; what has not been trained is None, or has no column.
    """
    systems = {str(results["role"]): results["languages"]}
    if teachers is not None:
        systems["teachers"] = {
            code: found["languages"].get(code)
            for code in results["languages"]
            if (found := read_results(teachers / code))
        }
        baseline = read_results(teachers.parent / "none" / f"seed{results['seed']}")
        if baseline and results["loss"] != "none":
            systems["baseline"] = baseline["languages"]
    systems = {name: scores for name, scores in systems.items() if scores}
    metric = results["metric"]
    rows = [
        [code, *((scores.get(code) or {}).get(metric) for scores in systems.values())]
        for code in results["languages"]
    ]
    means = [
        None if None in column else float(np.mean(column))
        for column in zip(*(row[1:] for row in rows), strict=True)
    ]
    return ["language", *(f"{name} {metric}" for name in systems)], [*rows, ["average", *means]]


def confusion_matrices(
    folder: Path, results: Mapping[str, Any], teachers: Path | None
) -> dict[str, np.ndarray]:
    """Confusion counts of the run, and of its teachers together, which may know fewer tags."""
    tags = results["tags"]
    found = {str(results["role"]): np.load(folder / CONFUSION, allow_pickle=False)}
    place = {tag: i for i, tag in enumerate(tags)}
    together = np.zeros_like(found[results["role"]])
    known = []
    for code in results["languages"] if teachers is not None else ():
        other = read_results(teachers / code)
        if other and set(other.get("tags", [None])) <= set(tags):
            numbers = [place[tag] for tag in other["tags"]]
            together[np.ix_(numbers, numbers)] += np.load(teachers / code / CONFUSION, allow_pickle=False)
            known.append(code)
    return {f"teachers ({' '.join(known)})": together, **found} if known else found
