"""The log of a training's losses and scores, one row an epoch."""

from __future__ import annotations

from typing import Any

from pytorch_lightning.loggers import CSVLogger

from skd_lightning.run_folder import RunFolder


class MetricsLog(CSVLogger):
    """Lightning's CSVLogger, which writes ``metrics.csv`` straight into the run folder.

    Lightning opens its log, and deletes an older one, before the first step. This one leaves the folder alone until
    there is something to log, so that a command that is refused deletes nothing.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: RunFolder) -> None:
        super().__init__(folder.path, name="", version="")
        self._opened = False

    def log_metrics(self, metrics: dict[str, Any], step: int | None = None) -> None:
        """Log values of an epoch."""
        self._opened = True
        super().log_metrics(metrics, step)

    def log_hyperparams(self, params: Any = None) -> None:
        """Log nothing: ``config.yaml`` holds all settings."""

    def save(self) -> None:
        """Write what has been logged."""
        if self._opened:
            super().save()
