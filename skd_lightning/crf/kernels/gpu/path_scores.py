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
    matrices = transitions.flatten(-2).expand(len(lengths), -1)  # (batch, tags · tags), a view
    by_pair = matrices.gather(1, pairs.flatten(1)).view_as(pairs)
    score = torch.where(mask, by_word, 0.0).sum(-1, dtype=torch.double)
    return (score + torch.where(mask[..., 1:], by_pair, 0.0).sum(-1, dtype=torch.double)).to(unary.dtype)


def path_scores_adjoint(
    grad: Tensor, lengths: Tensor, paths: Tensor, tags: int, by_sentence: bool
) -> tuple[Tensor, Tensor]:
    """Return gradients of unary (batch, words, tags) and transitions from those of scores (batch, k).

    Those of transitions are (batch, tags, tags) with ``by_sentence``, else their sum (tags, tags).
    """
    batch, _, words = paths.shape
    mask, paths, pairs = _pairs(paths, lengths, tags)
    weights = torch.where(mask, grad.double().unsqueeze(-1), 0.0)
    grad_unary = weights.new_zeros(batch, words, tags)
    grad_unary.scatter_add_(2, paths.transpose(1, 2), weights.transpose(1, 2))
    # One matrix a sentence, also where they share theirs: fewer threads add to the same cell.
    grad_transitions = weights.new_zeros(batch, tags * tags)
    grad_transitions.scatter_add_(1, pairs.flatten(1), weights[..., 1:].flatten(1))
    grad_transitions = grad_transitions.view(batch, tags, tags)
    if not by_sentence:
        grad_transitions = grad_transitions.sum(0)
    return grad_unary.to(grad.dtype), grad_transitions.to(grad.dtype)
