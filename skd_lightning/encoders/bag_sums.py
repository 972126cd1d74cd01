"""Sums of the rows of a table over bags, and their gradient.

On the CPU compiled loops do it: for the few columns that tags are, PyTorch's ``embedding_bag`` spends most of its time
on sorting the rows for the gradient.
"""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from skd_lightning.encoders.loops import loop


def bag_sums(table: Tensor, rows: Tensor, starts: Tensor) -> Tensor:
    """Return (bags, columns) the sum of each bag's rows, 0 for an empty bag; differentiable with respect to the table.

    Args:
        table: (rows, columns).
        rows: (entries of all bags,) int64 rows of the table, bag by bag.
        starts: (bags,) int64 place of each bag's first entry.

    >>> bag_sums(torch.tensor([[1.0, 2.0], [10.0, 20.0]]), torch.tensor([0, 1, 1]), torch.tensor([0, 2]))
    tensor([[11., 22.],
            [10., 20.]])
    """
    if table.device.type != "cpu":
        return functional.embedding_bag(rows, table, starts, mode="sum")
    sums: Tensor = _BagSums.apply(table, rows, starts)  # type: ignore[no-untyped-call]
    return sums


class _BagSums(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, table: Tensor, rows: Tensor, starts: Tensor) -> Tensor:
        ctx.save_for_backward(rows, starts)
        ctx.shape = table.shape
        sums = table.new_zeros(len(starts), table.shape[1])
        _add_up(table.detach().contiguous().numpy(), rows.numpy(), starts.numpy(), sums.numpy())
        return sums

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        rows, starts = ctx.saved_tensors
        table = grad.new_zeros(ctx.shape)
        _hand_out(grad.contiguous().numpy(), rows.numpy(), starts.numpy(), table.numpy())
        return table, None, None


@loop
def _add_up(table: NDArray[Any], rows: NDArray[Any], starts: NDArray[Any], sums: NDArray[Any]) -> None:
    for bag in range(len(starts)):
        end = starts[bag + 1] if bag + 1 < len(starts) else len(rows)
        for entry in range(starts[bag], end):
            row = rows[entry]
            for column in range(table.shape[1]):
                sums[bag, column] += table[row, column]


@loop
def _hand_out(sums: NDArray[Any], rows: NDArray[Any], starts: NDArray[Any], table: NDArray[Any]) -> None:
    for bag in range(len(starts)):
        end = starts[bag + 1] if bag + 1 < len(starts) else len(rows)
        for entry in range(starts[bag], end):
            row = rows[entry]
            for column in range(table.shape[1]):
                table[row, column] += sums[bag, column]
