"""The forward recursion of a linear chain in plain torch, with its adjoint written out.

Log-partition, marginals, entropy and all their gradients are formulas without a loop over the forward and the
backward messages. The one loop over words is here, so autograd never records it: a batch costs one node in the
graph, however long its sentences are.

Source: the forward recursion of Wang et al. 2020, section 3.2, in log space.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class _ForwardRecursion(torch.autograd.Function):
    """m_0 = 0,  m_i(to) = log Σ_from exp(m_{i-1}(from) + e_{i-1}(from) + b_i(from, to)) − shift_i.

    The shift makes the largest message of a word 0. Without it messages grow with the sentence, and in float32
    marginals are wrong by 6 % after 2000 words. It cancels in every use of the messages, so its gradient may be left
    out.
    """

    @staticmethod
    def forward(ctx: Any, emissions: Tensor, transitions: Tensor) -> tuple[Tensor, Tensor]:
        words = emissions.shape[0]
        into = transitions.transpose(-1, -2).contiguous()  # [to, from]: the sum runs over the contiguous axis
        messages = torch.zeros_like(emissions)
        shifts = emissions.new_zeros(emissions.shape[:-1])
        for i in range(1, words):
            before = (messages[i - 1] + emissions[i - 1]).unsqueeze(-2)
            torch.logsumexp(before + into[_step(into, i)], dim=-1, out=messages[i])
            torch.amax(messages[i], dim=-1, out=shifts[i])
            shifts[i].masked_fill_(torch.isneginf(shifts[i]), 0.0)
            messages[i] -= shifts[i].unsqueeze(-1)
        ctx.save_for_backward(emissions, into, messages, shifts)
        ctx.mark_non_differentiable(shifts)
        return messages, shifts

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor, Tensor]:
        emissions, into, messages, shifts = ctx.saved_tensors
        words = emissions.shape[0]
        grad_emissions = torch.zeros_like(emissions)
        if words < 2:
            return grad_emissions, torch.zeros_like(into)
        dead = torch.isneginf(messages)  # states that no path reaches: they send and receive nothing
        before = (messages + emissions)[:-1].unsqueeze(-2)
        # p(y_{i-1} = from | y_i = to, words up to i), all words at once; only the product below is sequential.
        total = (messages + shifts.unsqueeze(-1)).masked_fill(dead, 0.0)
        arrival = torch.exp(before + into - total[1:].unsqueeze(-1))
        adjoint = grad.masked_fill(dead, 0.0)
        with torch.autocast(emissions.device.type, enabled=False):
            for i in range(words - 1, 0, -1):
                torch.matmul(
                    adjoint[i].unsqueeze(-2), arrival[i - 1], out=grad_emissions[i - 1].unsqueeze(-2)
                )
                adjoint[i - 1] += grad_emissions[i - 1]
        flow = arrival.mul_(adjoint[1:].unsqueeze(-1))
        return grad_emissions, flow.sum_to_size(into.shape).transpose(-1, -2)


def _step(into: Tensor, i: int) -> int:
    """Return the index of the transitions that lead into word i: there may be one for all words."""
    return i - 1 if into.shape[0] > 1 else 0


def forward_recursion(emissions: Tensor, transitions: Tensor) -> tuple[Tensor, Tensor]:
    """Return the forward messages of many chains at once.

    Args:
        emissions: (words, ..., tags) scores in nats, -inf where a tag is forbidden.
        transitions: (words - 1 or 1, ..., tags, tags) scores ``[from, to]``; the middle axes are those of
            ``emissions`` or 1.

    Returns:
        messages: (words, ..., tags) log-sum of the scores of all ways to reach a tag at a word, without that
        word's own emission, up to a constant of the word; -inf where there is none. Differentiable once.
        shifts: (words, ...) the part of that constant that each word adds; their sum up to a word restores it.
    """
    return _ForwardRecursion.apply(emissions, transitions)  # type: ignore[no-any-return, no-untyped-call]
