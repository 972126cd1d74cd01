"""The blocks of numbers that one program reads and writes.

All kernels have in common: unary (batch, most, tags), transitions (1 or batch, tags, tags), lengths (batch,) and
messages (2, batch, most, tags), ``most`` the words of the longest sentence, ``size`` the padded number of tags, ``own``
1 if each sentence has transitions of its own, else 0. Transitions are a block [tag before, tag] of the direction's own:
sums go over axis 0.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor


def block_size(tags: int) -> int:
    """Return the number of tags that a block has: a power of two, as Triton demands."""
    return max(8, triton.next_power_of_2(tags))


def warps(size: int, dtype: torch.dtype) -> int:
    """Return how many warps hold a block of all transitions: 128 bytes a thread, a quarter of the registers or less."""
    return min(max(size * size * dtype.itemsize // 4096, 1), 16)


def matrices(transitions: Tensor, dtype: torch.dtype) -> tuple[Tensor, int]:
    """Return transitions (tags, tags) or (batch, tags, tags) as the kernels read them, and ``own``."""
    return transitions.to(dtype).contiguous(), int(transitions.dim() == 3)


@triton.jit
def sentence_offset(sentence: tl.tensor, words: tl.tensor, tags: tl.tensor) -> tl.tensor:
    """Return the offset of a sentence in (batch, words, tags)."""
    return sentence.to(tl.int64) * words * tags


@triton.jit
def load_row(
    values: tl.tensor,
    i: tl.tensor,
    exists: tl.tensor,
    tags: tl.tensor,
    size: tl.constexpr,
    other: tl.constexpr,
) -> tl.tensor:
    """Return values[i] (size,) of a sentence's (words, tags); ``other`` past the tags, and where it does not exist."""
    tag = tl.arange(0, size)
    return tl.load(values + i * tags + tag, mask=tag < tl.where(exists, tags, 0), other=other)


@triton.jit
def store_row(
    values: tl.tensor, i: tl.tensor, row: tl.tensor, tags: tl.tensor, exists: tl.tensor = True
) -> None:
    """Set values[i] = row, of a sentence's (words, tags), if it exists."""
    tag = tl.arange(0, row.shape[0])
    tl.store(values + i * tags + tag, row, mask=tag < tl.where(exists, tags, 0))


@triton.jit
def finite_or_zero(shift: tl.tensor) -> tl.tensor:
    """Return a largest score that may be subtracted: 0 instead of -inf, which would leave NaN."""
    return tl.where(shift == -float("inf"), 0.0, shift)


@triton.jit
def transition_cells(
    direction: tl.tensor, tags: tl.tensor, size: tl.constexpr
) -> tuple[tl.tensor, tl.tensor]:
    """Return offsets and mask of the transitions, transposed for the recursion from the sentence's end."""
    tag = tl.arange(0, size)
    rows, columns = tl.where(direction == 0, tags, 1), tl.where(direction == 0, 1, tags)
    return tag[:, None] * rows + tag[None, :] * columns, (tag < tags)[:, None] & (tag < tags)[None, :]
