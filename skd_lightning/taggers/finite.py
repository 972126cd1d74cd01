"""Numbers that are not finite end a training, which could learn nothing from then on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from skd_lightning.errors import UserError

EVERY = 50
"""Steps between two looks at the loss on a GPU, which has to wait for each."""


def refuse_loss(loss: Tensor, step: int, groups: Sequence[Mapping[str, Any]], module: nn.Module) -> None:
    """Refuse a loss that is not finite.

    Args:
        loss: of the last batch, a number.
        step: of the optimiser, counted from 1.
        groups: of the optimiser's parameters, one a part.
        module: whose weights are looked at for the message.

    Raises:
        UserError: naming the step, the learning rates and the first part whose weights are not finite.
    """
    if torch.isfinite(loss):
        return
    named = ", ".join(f"{group.get('name', 'all')} {group['lr']:.2g}" for group in groups)
    broken = not_finite(module)
    raise UserError(
        f"the loss of step {step} is {loss.item()}; learning rates are {named}"
        + (f", weights that are not finite: {broken}" if broken else ", all weights are finite")
        + "; give smaller ones (--model.optimization.encoder_lr …), or look for such numbers in vectors or teachers"
    )


def not_finite(module: nn.Module) -> str:
    """Return the name of the first weight that has a number that is not finite, or "" where there is none."""
    for name, weight in module.named_parameters():
        if not torch.isfinite(weight).all():
            return name
    return ""
