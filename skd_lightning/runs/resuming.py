"""Checkpoints and signals: a training that is stopped at any moment resumes as if it had not been stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins import TorchCheckpointIO
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, NonNegativeInt
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.plugins.environments import SLURMEnvironment

from skd_lightning.errors import Stopped, UserError
from skd_lightning.parsing import first_error
from skd_lightning.run_folder import RunFolder
from skd_lightning.storage import new_file
from skd_lightning.taggers.checkpoints import read_checkpoint
from skd_lightning.taggers.optimization import MONITOR

GRACEFUL = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
"""Signals on which a training saves its state before it stops; SLURM is asked to send SIGUSR1."""


class _Progress(BaseModel):
    seconds: FiniteFloat
    score: FiniteFloat | None


class _State(BaseModel):
    """The parts of a checkpoint that a training needs to go on from it."""

    model_config = ConfigDict(strict=True)

    state_dict: dict[str, Any] = Field(min_length=1)
    optimizer_states: list[dict[str, Any]] = Field(min_length=1)
    lr_schedulers: list[dict[str, Any]]
    loops: dict[str, dict[str, Any]] = Field(min_length=1)
    callbacks: dict[str, dict[str, Any]] = Field(min_length=1)
    epoch: NonNegativeInt
    global_step: NonNegativeInt
    version: str = Field(alias="pytorch-lightning_version")
    tagger: dict[str, Any]
    last_state: _Progress


def refuse_damaged(file: Path) -> None:
    """Refuse a checkpoint that no training can go on from.

    Raises:
        UserError: it is not readable, lacks a part, or has weights that are not finite.
    """
    try:
        with first_error():
            state = _State.model_validate(read_checkpoint(file))
        for name, value in state.state_dict.items():
            if value.is_floating_point() and not value.isfinite().all():
                raise ValueError(f"{name} is not finite")
    except Exception as error:  # a damaged file raises whatever its first wrong byte leads to
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{file}: damaged ({reason}); add --anew to start from scratch") from None


class AtomicCheckpoints(TorchCheckpointIO):
    """Writes checkpoints that are complete or absent; Lightning's own go through /tmp, which may be another disk."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Write the checkpoint beside the old one, then replace the old one."""
        with new_file(Path(path)) as file:
            torch.save(checkpoint, file)

    def load_checkpoint(
        self, path: str | Path, map_location: Any = None, weights_only: bool | None = True
    ) -> dict[str, Any]:
        """Read a file of this machine; nothing in it is unpickled, whatever is asked for.

        Raises:
            UserError: it is no checkpoint, or a damaged one.
        """
        try:
            return read_checkpoint(path)
        except (OSError, UserError):
            raise
        except Exception as error:  # a damaged file raises whatever its first wrong byte leads to
            # Of PyTorch's words the first sentence: those behind it advise to unpickle the file all the same.
            reason = (str(error).splitlines() or [type(error).__name__])[0].partition(". ")[0]
            raise UserError(f"{path}: no checkpoint, or a damaged one ({reason})") from error


class BestWeights(ModelCheckpoint):
    """Keeps ``best.ckpt``, the weights with the best dev score.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._file = folder.best
        super().__init__(
            folder.checkpoints,
            folder.best.stem,
            monitor=MONITOR,
            mode="max",
            save_weights_only=True,
            save_on_train_epoch_end=False,  # after each validation, of which an epoch may have several
            auto_insert_metric_name=False,
            enable_version_counter=False,
        )

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Know the best score again, also where the run's folder has been moved: Lightning would forget it then.

        The path is written as Lightning writes it: it deletes the file of any other one once there are better weights,
        which would be these. A score whose weights are gone is forgotten.
        """
        score = state_dict["best_model_score"]
        if not self._file.is_file() or score is None:
            return
        path = str(self._file.parent.resolve() / self._file.name)
        paths = {"best_model_path": path, "kth_best_model_path": path, "best_k_models": {path: score}}
        super().load_state_dict({**state_dict, "dirpath": self.dirpath, **paths})


class LastState(pl.Callback):
    """Keeps ``last.ckpt``; a training resumed from it reaches the same weights as an uninterrupted one.

    The checkpoint is written after the first step of each epoch, ``minutes`` after the last one, and when a signal
    asks the training to stop, always after an optimiser step that no validation follows. At that point a checkpoint
    holds everything: no gradients of part of a step are pending, no scores that the ``plateau`` schedule waits for,
    no new best weights. Randomness in a step depends only on seed, epoch, batch and process (see
    ``Tagger.on_train_batch_start``), so no state of a random generator is kept. After a restart, means over an
    epoch's batches, such as ``train/loss``, cover the batches since the restart.

    Args:
        folder: of the run.
        minutes: between two of them in a long epoch.
    """

    def __init__(self, folder: RunFolder, minutes: float = 10.0) -> None:
        self.file = folder.last
        self.minutes = minutes
        self.restored = False
        """True from the beginning of the training, for which everything is in its place."""
        self._seconds_before = 0.0
        self._began: float | None = None
        self._saved = time.monotonic()
        self._due = False
        self._score: float | None = None
        self._signal: int | None = None

    @property
    def seconds(self) -> float:
        """Seconds that this training has taken so far, including the parts before a restart."""
        return self._seconds_before + (0.0 if self._began is None else time.monotonic() - self._began)

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Start the clock, and let SIGUSR1 requeue the job at once until a training has started."""
        if stage == "fit":
            self._began = time.monotonic()
        if SLURMEnvironment.detect():
            signal.signal(signal.SIGUSR1, self._stop_now)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add the time taken (seconds) and the last dev score to the checkpoint."""
        score = trainer.callback_metrics.get(MONITOR)
        checkpoint["last_state"] = {"seconds": self.seconds, "score": None if score is None else float(score)}

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Read the time and the score from the checkpoint."""
        state = checkpoint.get("last_state", {"seconds": 0.0, "score": None})
        self._seconds_before, self._score = state["seconds"], state["score"]

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Find the place in the epoch, and install the signal handlers; Lightning removes them after the training.

        Lightning's own handlers would save in the middle of a step (SLURM), or start a broadcast there (SIGTERM with
        several processes), which deadlocks with the exchange of gradients if the processes are at different places.
        """
        self.restored = True
        self._signal, self._saved = None, time.monotonic()
        # Lightning restores the loader only if no schedule has asked for the number of steps before.
        done = trainer.fit_loop.epoch_loop.batch_progress.current.ready
        trainer.train_dataloader.load_state_dict({"given": done})  # type: ignore[union-attr]
        if self._score is not None:
            trainer.callback_metrics[MONITOR] = torch.tensor(self._score)
        for number in GRACEFUL:
            if number != signal.SIGUSR1 or SLURMEnvironment.detect():
                signal.signal(number, self._note)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Request a checkpoint at the first opportunity of the epoch."""
        self._due = True

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Pass the score of a resumed epoch to the ``plateau`` schedule, from which Lightning withholds it.

        Where a validation followed each step, none of them could save the state: a signal ends the training here.
        """
        trainer.fit_loop._restarting = False
        if self._due and _any_process(trainer, self._signal is not None):
            self._stop(trainer)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop the clock."""
        self._seconds_before, self._began = self.seconds, None

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Let SIGTERM end a test at once, since a test is repeated, not resumed; Lightning would ignore the signal."""
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT:  # a second one ends it at once
            signal.signal(signal.SIGINT, signal.default_int_handler)
        self._signal = number

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save the state when it is due, and stop on a signal; all processes do so at the same step."""
        accumulate = trainer.accumulate_grad_batches
        if (batch_idx + 1) % accumulate or _validation_follows(trainer, batch_idx):
            return
        late = time.monotonic() - self._saved > 60 * self.minutes
        if not _any_process(trainer, self._due or late or self._signal is not None):
            return
        trainer.save_checkpoint(self.file, weights_only=False)
        self._due, self._saved = False, time.monotonic()
        if _any_process(trainer, self._signal is not None):
            self._stop(trainer)

    def _stop(self, trainer: pl.Trainer) -> None:
        if not trainer.is_global_zero:
            sys.exit(0)  # Lightning kills the first process, wherever it is, when another one fails
        number = self._signal or signal.SIGTERM
        if number == signal.SIGUSR1:
            requeue()
        raise Stopped(number)

    def _stop_now(self, number: int, frame: FrameType | None) -> None:
        if os.environ.get("SLURM_PROCID", "0") == "0":
            requeue()
        raise Stopped(number)


def requeue() -> None:
    """Ask SLURM to run this job again."""
    job = os.environ["SLURM_JOB_ID"]
    if "SLURM_ARRAY_JOB_ID" in os.environ:
        job = f"{os.environ['SLURM_ARRAY_JOB_ID']}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    subprocess.run(["scontrol", "requeue", job], check=False)


def requeued() -> bool:
    """Return True in a job that SLURM runs again."""
    return os.environ.get("SLURM_RESTART_COUNT", "0") != "0"


def _any_process(trainer: pl.Trainer, flag: bool) -> bool:
    """Return True if the flag is set in any process: clocks and signals differ, but all must act alike."""
    return trainer.strategy.reduce_boolean_decision(flag, all=False) if trainer.world_size > 1 else flag


def _validation_follows(trainer: pl.Trainer, batch_idx: int) -> bool:
    """Return True if the dev scores are computed, or the epoch ends, right after this batch of the epoch."""
    done = batch_idx + 1
    if done == trainer.num_training_batches:
        return True
    if trainer.check_val_every_n_epoch is None:  # an interval over epochs
        done = trainer.fit_loop.epoch_loop.batch_progress.total.ready
    interval = trainer.val_check_batch
    return interval is not None and done % interval == 0
