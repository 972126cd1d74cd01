"""AdamW that moves only the rows of an embedding table that a batch has used."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor


class LazyAdamW(torch.optim.AdamW):
    """AdamW (Loshchilov and Hutter 2019) for dense gradients, lazy AdamW for sparse ones.

    A row that has no gradient keeps its value and its moments, as in ``torch.optim.SparseAdam``, and is not decayed;
    plain AdamW goes on moving it by its old moments. A step then costs what the batch uses, however large the table.
    Bias corrections count all steps.
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        fused: bool | None = None,
    ) -> None:
        super().__init__(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, fused=fused)
        # Unscaled before the step: scaled ones could not be clipped, and Lightning refuses to.
        self._step_supports_amp_scaling = False

    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        """Take one step; the closure, if any, computes the loss and the gradients."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        sparse: list[tuple[Tensor, Tensor]] = []
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None and weight.grad.is_sparse:
                    self._step_rows(weight, weight.grad.coalesce(), group)
                    sparse.append((weight, weight.grad))
                    weight.grad = None  # AdamW refuses sparse gradients
        super().step()
        for weight, grad in sparse:
            weight.grad = grad
        return loss

    @torch.no_grad()
    def _step_rows(self, weight: Tensor, grad: Tensor, group: dict[str, Any]) -> None:
        state = self.state[weight]
        if not state:
            state["step"] = torch.tensor(0.0)
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(weight), torch.zeros_like(weight)
        # A loaded state may hold it on a GPU, which each look would wait for.
        state["step"] = state["step"].cpu() + 1
        step, (beta1, beta2) = state["step"].item(), group["betas"]
        rows, values = grad.indices()[0], grad.values()
        mean = state["exp_avg"][rows].lerp_(values, 1 - beta1)
        square = state["exp_avg_sq"][rows].mul_(beta2).addcmul_(values, values, value=1 - beta2)
        state["exp_avg"][rows], state["exp_avg_sq"][rows] = mean, square
        deviation = (square / (1 - beta2**step)).sqrt_().add_(group["eps"])
        kept = weight[rows] * (1 - group["lr"] * group["weight_decay"])
        weight[rows] = kept.addcdiv_(mean, deviation, value=-group["lr"] / (1 - beta1**step))


def clip_norm(weights: Iterable[Tensor], max_norm: float) -> None:
    """Scale all gradients so that their norm together is at most ``max_norm``, sparse ones included.

    ``torch.nn.utils.clip_grad_norm_`` knows dense gradients only.
    """
    gradients = []
    for weight in weights:
        if weight.grad is not None and weight.grad.is_sparse:
            weight.grad = weight.grad.coalesce()  # a row used twice has one gradient, and one norm
            gradients.append(weight.grad.values())
        elif weight.grad is not None:
            gradients.append(weight.grad)
    norm = torch.nn.utils.get_total_norm(gradients)
    scale = (max_norm / (norm + 1e-6)).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(scale)
