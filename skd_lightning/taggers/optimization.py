"""How the parameters are moved: optimiser, learning rates of the parts, schedule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau

from skd_lightning.encoders import Encoder
from skd_lightning.errors import UserError
from skd_lightning.taggers.head import ChainHead
from skd_lightning.taggers.lazy_adamw import LazyAdamW

MONITOR = "dev/average"
"""The score that selects models, stops training and lowers the learning rate: macro mean over languages."""


@dataclass(frozen=True)
class Optimization:
    """Optimiser settings. The paper's: ``sgd``, all rates 0.1, ``plateau``, and a gradient clip of 5.

    A fine-tuned transformer learns at ``pretrained_lr``, all that stands above it at its own rates; with ``sgd``
    the paper's authors needed ``transitions_lr: 0.5`` for that.

    Attributes:
        optimizer: ``adamw`` or ``sgd`` (plain, without momentum).
        encoder_lr: learning rate of the encoder, apart from tables and pretrained weights.
        tables_lr: learning rate of the tables of word vectors that are learnt from nothing. They start large, and most
            of their rows are met in few steps, each of which moves a number by about this much under ``adamw``.
        pretrained_lr: learning rate of the weights of a pretrained model that is trained on.
        head_lr: learning rate of the emission layer.
        transitions_lr: learning rate of transitions, start and end scores.
        weight_decay: of weights; transitions are not decayed.
        warmup: share of all steps over which the ``linear`` schedule first rises from 0; 0.1 suits fine-tuning.
        schedule: ``linear`` falls to 0 over all steps, ``plateau`` multiplies by ``plateau_factor`` after
            ``plateau_patience`` epochs without a better dev score, ``constant``.
        plateau_factor: see ``schedule``.
        plateau_patience: epochs, see ``schedule``.
    """

    optimizer: Literal["adamw", "sgd"] = "adamw"
    encoder_lr: float = 3e-3
    tables_lr: float = 3e-2
    pretrained_lr: float = 5e-5
    head_lr: float = 3e-3
    transitions_lr: float = 1e-2
    weight_decay: float = 1e-4
    schedule: Literal["linear", "plateau", "constant"] = "linear"
    plateau_factor: float = 0.5
    plateau_patience: int = 5
    warmup: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a warm-up that nothing would follow."""
        if not 0 <= self.warmup < 1:
            raise UserError(f"optimization: warmup is {self.warmup}, it must be at least 0 and below 1")
        if self.warmup and self.schedule != "linear":
            raise UserError(f"optimization: warmup needs schedule linear, not {self.schedule}; set it to 0")

    def linear_factor(self, step: int, total_steps: int) -> float:
        """Return the factor of the learning rates under the ``linear`` schedule at a step, counted from 0."""
        rising = int(self.warmup * total_steps)
        if step < rising:
            return (step + 1) / (rising + 1)
        return max(0.0, 1.0 - (step - rising) / max(1, total_steps - rising))

    def configure(self, parts: dict[str, list[torch.nn.Parameter]], total_steps: int) -> dict[str, Any]:
        """Return optimiser and schedule in the form that Lightning wants.

        Args:
            parts: parameters of each, see :func:`parameter_parts`.
            total_steps: optimiser steps of the whole training.
        """
        groups = [
            {
                "name": name,
                "params": [parameter for parameter in parts[name] if parameter.requires_grad],
                "lr": lr,
                "weight_decay": 0.0 if name == "transitions" else self.weight_decay,
            }
            for name, lr in (
                ("encoder", self.encoder_lr),
                ("tables", self.tables_lr),
                ("head", self.head_lr),
                ("transitions", self.transitions_lr),
                ("pretrained", self.pretrained_lr),
            )
            if parts[name] or name not in ("tables", "pretrained")
        ]
        optimizer: torch.optim.Optimizer
        if self.optimizer == "sgd":
            optimizer = torch.optim.SGD(groups)
        else:  # fused: one pass over the (mostly untouched) embedding rows instead of a dozen
            optimizer = LazyAdamW(groups, fused=True)
        if self.schedule == "linear":
            scheduler = LambdaLR(optimizer, lambda step: self.linear_factor(step, total_steps))
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}
        if self.schedule == "plateau":
            plateau = ReduceLROnPlateau(
                optimizer, mode="max", factor=self.plateau_factor, patience=self.plateau_patience
            )
            return {
                "optimizer": optimizer,
                "lr_scheduler": {
                    "scheduler": plateau,
                    "interval": "epoch",
                    "monitor": MONITOR,
                    "strict": False,
                },
            }
        return {"optimizer": optimizer}


def parameter_parts(encoder: Encoder, head: ChainHead) -> dict[str, list[torch.nn.Parameter]]:
    """Return the parameters of each part that has a learning rate of its own; tables and pretrained may have none."""
    tables, pretrained = encoder.table_parameters(), encoder.pretrained_parameters()
    known = {id(parameter) for parameter in (*tables, *pretrained)}
    return {
        "encoder": [weight for weight in encoder.parameters_as_made() if id(weight) not in known],
        "tables": tables,
        "head": list(head.emissions.parameters()),
        "transitions": [head.transitions, head.start, head.end],
        "pretrained": pretrained,
    }
