"""A line an epoch where no progress bar moves: in a redirected log, or with the bar turned off."""

from __future__ import annotations

import sys
import time

import pytorch_lightning as pl

from skd_lightning.taggers.optimization import MONITOR


class EpochLines(pl.Callback):
    """Prints the loss and the dev score after each validation, unless a progress bar shows them."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self._began = time.monotonic()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Print the line, in the process that speaks."""
        bar = trainer.progress_bar_callback is not None and sys.stdout.isatty()
        if bar or not trainer.is_global_zero or not trainer.fit_loop.epoch_loop.global_step:
            return
        score = trainer.callback_metrics.get(MONITOR)
        if score is not None and trainer.state.fn == "fit":
            seconds = time.monotonic() - self._began
            sys.stdout.write(
                f"epoch {trainer.current_epoch + 1}, step {trainer.global_step}: dev {score:.2%}, {seconds:.0f} s\n"
            )
            sys.stdout.flush()
