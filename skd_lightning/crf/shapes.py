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


def whole_numbers(lengths: Tensor) -> Tensor:
    """Return lengths as int64.

    Raises:
        ValueError: they are numbers of another kind, such as a mask.
    """
    if not isinstance(lengths, Tensor) or lengths.is_floating_point() or lengths.dtype == torch.bool:
        kind = lengths.dtype if isinstance(lengths, Tensor) else type(lengths).__name__
        raise ValueError(
            f"lengths: expected a tensor of whole numbers, got {kind}; of a mask, give mask.sum(-1)"
        )
    return lengths.long()


def check_same_words(own: Tensor, others: Tensor, own_lengths: Tensor, other_lengths: Tensor) -> None:
    """Refuse two chains that are not about the same words and tags, whose divergence would be no number of anything.

    Args:
        own: (batch, words, tags) potentials of one chain.
        others: those of the other.
        own_lengths: (batch,) words of its sentences.
        other_lengths: those of the other.

    Raises:
        ValueError: the message says what differs. On a GPU, lengths that differ end the process's work there.
    """
    if own.shape != others.shape:
        raise ValueError(
            f"chains: expected the same (batch, words, tags), got {(*own.shape,)} and {(*others.shape,)}"
        )
    if own_lengths.device.type == "cuda":
        torch._assert_async((own_lengths == other_lengths).all())
    elif not own_lengths.equal(other_lengths):
        raise ValueError(
            f"chains: expected the same lengths, got {own_lengths.tolist()} and {other_lengths.tolist()}"
        )


def at_least_float32(scores: Tensor) -> Tensor:
    """Return half-precision scores in float32, others as they are."""
    return scores.float() if scores.dtype in (torch.float16, torch.bfloat16) else scores


def by_sentence_and_word(transitions: Tensor) -> Tensor:
    """Return transitions of any shape as (batch or 1, words - 1 or 1, tags, tags): 1 where all share them."""
    if transitions.dim() == 2:
        return transitions[None, None]
    return transitions.unsqueeze(1) if transitions.dim() == 3 else transitions
