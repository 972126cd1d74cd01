"""Settings of the network that puts word vectors into context."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from skd_lightning.encoders.mirrored_lstm import MirroredLSTM
from skd_lightning.errors import UserError


class Context(ABC):
    """Settings of a context network, frozen dataclasses of plain values."""

    @abstractmethod
    def build(self, input_size: int) -> nn.Module:
        """Make the network.

        Args:
            input_size: length of a word's vector.

        Returns:
            A module with an ``output_size`` and ``forward(states, lengths)``, from (batch, words, input_size) and
            (batch,) to (batch, words, output_size).
        """

    def description(self) -> dict[str, Any]:
        """Return ``name`` and ``settings``, plain values."""
        return {"name": type(self).__name__, "settings": dataclasses.asdict(self)}  # type: ignore[call-overload]


@dataclass(frozen=True)
class BiLSTM(Context):
    """A bidirectional LSTM.

    >>> BiLSTM(hidden_size=3).build(5).output_size
    6

    Attributes:
        hidden_size: units in each direction.
        layers: number of layers.
        dropout: dropout of each layer's output.
    """

    hidden_size: int = 128
    layers: int = 1
    dropout: float = 0.33

    def __post_init__(self) -> None:
        """Refuse sizes below 1."""
        for name, value in (("hidden_size", self.hidden_size), ("layers", self.layers)):
            if value < 1:
                raise UserError(
                    f"context: {name} is {value}, it must be at least 1; NoContext takes the vectors as they are"
                )

    def build(self, input_size: int) -> MirroredLSTM:
        """Make the LSTM for vectors of this length."""
        return MirroredLSTM(input_size, self.hidden_size, self.layers, self.dropout)


@dataclass(frozen=True)
class NoContext(Context):
    """No network: the embedder's vectors are taken as they are.

    >>> NoContext().build(5).output_size
    5
    """

    def build(self, input_size: int) -> Unchanged:
        """Make the module that changes nothing."""
        return Unchanged(input_size)


class Unchanged(nn.Module):
    """Passes word vectors on.

    Args:
        size: length of a word's vector.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.output_size = size

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """Return the states."""
        return states
