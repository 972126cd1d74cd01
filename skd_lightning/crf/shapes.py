"""Shapes and dtypes of a chain's potentials."""

from __future__ import annotations

import torch
from torch import Tensor


def check_shapes(
    emissions: Tensor, transitions: Tensor, lengths: Tensor, start: Tensor | None, end: Tensor | None
) -> None:
    """Refuse potentials whose shapes do not fit one another.

    Raises:
        ValueError: the message says what was expected.
    """
    if emissions.dim() != 3:
        raise ValueError(f"emissions: expected (batch, words, tags), got {tuple(emissions.shape)}")
    batch, words, tags = emissions.shape
    allowed = ((tags, tags), (batch, tags, tags), (batch, max(words - 1, 0), tags, tags))
    if tuple(transitions.shape) not in allowed:
        raise ValueError(
            f"transitions: expected {allowed[0]}, {allowed[1]} or {allowed[2]}, got {tuple(transitions.shape)}"
        )
    if tuple(lengths.shape) != (batch,):
        raise ValueError(f"lengths: expected ({batch},), got {tuple(lengths.shape)}")
    if lengths.device.type == "cuda":  # without waiting for the device; the kernels would write out of bounds
        torch._assert_async(((lengths >= 0) & (lengths <= words)).all())
    elif batch and not 0 <= int(lengths.min()) <= int(lengths.max()) <= words:
        raise ValueError(f"lengths: expected 0 to {words} words, got {lengths.tolist()}")
    for name, scores in (("start", start), ("end", end)):
        if scores is not None and tuple(scores.shape) != (tags,):
            raise ValueError(f"{name}: expected ({tags},), got {tuple(scores.shape)}")


def at_least_float32(scores: Tensor) -> Tensor:
    """Return half-precision scores in float32, others as they are."""
    return scores.float() if scores.dtype in (torch.float16, torch.bfloat16) else scores


def by_sentence_and_word(transitions: Tensor) -> Tensor:
    """Return transitions of any shape as (batch or 1, words - 1 or 1, tags, tags): 1 where all share them."""
    if transitions.dim() == 2:
        return transitions[None, None]
    return transitions.unsqueeze(1) if transitions.dim() == 3 else transitions
