"""Teacher annealing (Clark et al. 2019): the weight of the teacher falls, that of the gold tags rises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from skd_lightning.errors import UserError


@dataclass(frozen=True)
class Annealing:
    """The course of λ in L = λ·L_KD + (1 − λ)·L_NLL.

    Attributes:
        kind: ``epoch`` lowers λ after each epoch (Algorithm 1 of the paper), ``step`` after each optimiser step,
            ``constant`` never.
        start: λ of the first step, 0 to 1.
        epochs: λ reaches 0 after so many (not necessarily whole) epochs; None stands for the length of training.
            The paper's τ of 1.0 and 0.5 per cent an epoch are 100 and 200 epochs.

    >>> Annealing("epoch", epochs=4).weight(epoch=1, progress=1.5, max_epochs=10)
    0.75
    """

    kind: Literal["epoch", "step", "constant"] = "epoch"
    start: float = 1.0
    epochs: float | None = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.start <= 1.0:
            raise UserError(f"annealing: start is {self.start}, it must lie between 0 and 1")
        if self.epochs is not None and not self.epochs > 0:  # NaN is neither
            raise UserError(f"annealing: epochs is {self.epochs}, it must be above 0")

    def weight(self, epoch: int, progress: float, max_epochs: float) -> float:
        """Return λ at a point of the training.

        Args:
            epoch: completed epochs.
            progress: completed optimiser steps, counted in epochs (3.5 is in the middle of the fourth).
            max_epochs: length of training, in epochs.
        """
        if self.kind == "constant":
            return self.start
        done = epoch if self.kind == "epoch" else progress
        return max(0.0, self.start * (1.0 - done / (self.epochs or max_epochs)))
