"""Two contexts that were tried and not kept; ``contexts.py`` measures them.

A student is trained with them by class path: ``PYTHONPATH=benchmarks skd distill … --model.context
context_networks.MinimalRecurrence``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from skd_lightning.encoders.context import Context


@dataclass(frozen=True)
class MinimalRecurrence(Context):
    """A bidirectional recurrence whose gates see the input only (minGRU, Feng et al. 2024), with an output gate."""

    hidden_size: int = 128
    layers: int = 1
    dropout: float = 0.33

    def build(self, input_size: int) -> nn.Module:
        return RecurrentNetwork(input_size, self)


class RecurrentNetwork(nn.Module):
    """h_t = d_t h_{t-1} + (1 - d_t) v_t in each direction; o_t tanh(h_t) goes out."""

    def __init__(self, input_size: int, settings: MinimalRecurrence) -> None:
        super().__init__()
        self.output_size = 2 * settings.hidden_size
        sizes = [input_size, *[self.output_size] * (settings.layers - 1)]
        self.maps = nn.ModuleList(nn.Linear(size, 3 * self.output_size) for size in sizes)
        self.dropout = nn.Dropout(settings.dropout)

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        mask = inside(states.shape[1], lengths)
        for linear in self.maps:
            mapped = linear(states)
            decay, opened = torch.sigmoid(mapped[..., : 2 * self.output_size]).chunk(2, dim=-1)
            values = mapped[..., 2 * self.output_size :] * mask
            states = self.dropout(opened * torch.tanh(Recurrence.apply(decay, values)))
        return states


@dataclass(frozen=True)
class Convolutions(Context):
    """Residual convolutions over neighbouring words, after ID-CNN (Strubell et al. 2017), without dilation."""

    channels: int = 64
    conv_layers: int = 3
    dropout: float = 0.33

    def build(self, input_size: int) -> nn.Module:
        return ResidualConvolutions(input_size, self)


class ResidualConvolutions(nn.Module):
    """Layers of convolutions over a word and its two neighbours, each added to what it reads; then layer norm."""

    def __init__(self, input_size: int, settings: Convolutions) -> None:
        super().__init__()
        self.output_size = settings.channels
        self.into = nn.Linear(input_size, settings.channels)
        # Two dimensions, one of them of size 1: on CPU this reads (batch, words, channels) as it lies in memory.
        self.windows = nn.ModuleList(
            nn.Conv2d(settings.channels, settings.channels, (1, 3), padding=(0, 1))
            for _ in range(settings.conv_layers)
        )
        self.norm = nn.LayerNorm(settings.channels)
        self.dropout = nn.Dropout(settings.dropout)

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        mask = inside(states.shape[1], lengths)
        states = torch.relu(self.into(states))
        for window in self.windows:
            rows = (states * mask).transpose(1, 2).unsqueeze(2)
            states = states + torch.relu(window(rows).squeeze(2).transpose(1, 2))
        return self.dropout(self.norm(states))  # type: ignore[no-any-return]


def inside(words: int, lengths: Tensor) -> Tensor:
    """(batch, words, 1) true at words, false at padding."""
    return (torch.arange(words, device=lengths.device) < lengths.unsqueeze(1)).unsqueeze(-1)


class Recurrence(torch.autograd.Function):
    """(batch, words, 2 units) states of decay and values; the second half of the units reads from the end.

    One operation a word in each direction: at the lengths of sentences that is faster on a CPU than a parallel scan.
    """

    @staticmethod
    def forward(ctx: Any, decay: Tensor, values: Tensor) -> Tensor:
        states = torch.empty_like(values)
        for own_decay, own_values, own_states in zip(
            *(directions(each) for each in (decay, values, states)), strict=True
        ):
            state = values.new_zeros(len(values), values.shape[2] // 2)
            for rate, value, out in zip(own_decay, own_values, own_states, strict=True):
                state = torch.lerp(value, state, rate, out=out)
        ctx.save_for_backward(decay, values, states)
        return states

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, Tensor]:
        decay, values, states = ctx.saved_tensors
        total, before = torch.empty_like(upstream), torch.zeros_like(states)
        for own_decay, own_states, own_upstream, own_total, own_before in zip(
            *(directions(each) for each in (decay, states, upstream, total, before)), strict=True
        ):
            for earlier, place in zip(own_states[:-1], own_before[1:], strict=True):
                place.copy_(earlier)
            carried = torch.zeros_like(own_total[0])
            for rate, gradient, out in zip(own_decay[::-1], own_upstream[::-1], own_total[::-1], strict=True):
                carried = rate * torch.add(gradient, carried, out=out)
        return total * (before - values), total - total * decay


def directions(states: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """The words' (batch, units) of each direction, in its reading order."""
    first, second = states.chunk(2, dim=-1)
    yield first.unbind(1)
    yield second.unbind(1)[::-1]
