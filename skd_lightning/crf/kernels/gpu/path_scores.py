"""Scores of given paths on a GPU: no recursion, so plain torch does, in float64 sums."""

from __future__ import annotations

import torch
from torch import Tensor


def _pairs(paths: Tensor, lengths: Tensor, tags: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return a mask (batch, 1, words), paths with 0 at padding, and pairs (batch, k, words - 1) as from · tags + to."""
    mask = (torch.arange(paths.shape[2], device=paths.device) < lengths.unsqueeze(1)).unsqueeze(1)
    paths = paths.masked_fill(~mask, 0)
    return mask, paths, paths[..., :-1] * tags + paths[..., 1:]


def path_scores(unary: Tensor, transitions: Tensor, lengths: Tensor, paths: Tensor) -> Tensor:
    """Return the scores (batch, k) of paths (batch, k, words); anything at padding.

    A tag that does not exist is an error of torch's indexing; on a GPU it ends the process, as everywhere in torch.
    """
    mask, paths, pairs = _pairs(paths, lengths, unary.shape[2])
    by_word = unary.gather(2, paths.transpose(1, 2)).transpose(1, 2)
    by_pair = transitions.flatten()[pairs]
    score = torch.where(mask, by_word, 0.0).sum(-1, dtype=torch.double)
    return (score + torch.where(mask[..., 1:], by_pair, 0.0).sum(-1, dtype=torch.double)).to(unary.dtype)


def path_scores_adjoint(grad: Tensor, lengths: Tensor, paths: Tensor, tags: int) -> tuple[Tensor, Tensor]:
    """Return gradients of unary (batch, words, tags) and transitions (tags, tags) from those of scores (batch, k)."""
    batch, _, words = paths.shape
    mask, paths, pairs = _pairs(paths, lengths, tags)
    weights = torch.where(mask, grad.double().unsqueeze(-1), 0.0)
    grad_unary = weights.new_zeros(batch, words, tags)
    grad_unary.scatter_add_(2, paths.transpose(1, 2), weights.transpose(1, 2))
    # One matrix a sentence: fewer threads add to the same cell.
    by_sentence = weights.new_zeros(batch, tags * tags)
    by_sentence.scatter_add_(1, pairs.flatten(1), weights[..., 1:].flatten(1))
    return grad_unary.to(grad.dtype), by_sentence.sum(0).view(tags, tags).to(grad.dtype)
