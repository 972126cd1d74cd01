"""From tensors to the compiled loops and back.

Arguments and results are those of :mod:`skd_lightning.crf.operators`.
"""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from skd_lightning.crf.kernels.cpu import backward_messages as suffixes
from skd_lightning.crf.kernels.cpu import forward_backward as recursions
from skd_lightning.crf.kernels.cpu import forward_backward_adjoint as adjoint
from skd_lightning.crf.kernels.cpu import kbest as search
from skd_lightning.crf.kernels.cpu import path_scores as scoring
from skd_lightning.crf.kernels.cpu import restricted_sums as restricted
from skd_lightning.crf.kernels.cpu.threads import in_parallel


def _array(tensor: Tensor) -> NDArray[Any]:
    """Return a contiguous array: another memory layout would be another type, and compiled again."""
    return tensor.detach().contiguous().numpy()  # type: ignore[no-any-return]


def _potentials(unary: Tensor, transitions: Tensor, lengths: Tensor) -> tuple[NDArray[Any], ...]:
    """Return the arrays that all kernels begin with; transitions are (1, tags, tags) where all sentences share them."""
    matrices = _array(transitions)
    return _array(unary), matrices[None] if matrices.ndim == 2 else matrices, _array(lengths)


def forward_backward(
    unary: Tensor, transitions: Tensor, lengths: Tensor, each_pair: bool, keep: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Return log-partitions, log-marginals, marginals, pair marginals, messages."""
    batch, words, tags = unary.shape
    log_partition = unary.new_zeros(batch)
    log_marginals, marginals = unary.new_empty(unary.shape), unary.new_empty(unary.shape)
    pairs = unary.new_zeros(batch, max(words - 1, 0) if each_pair else 1, tags, tags)
    kept = torch.empty(4, batch if keep else 0, words, (tags + 7) // 8 * 8, dtype=torch.double)
    in_parallel(
        recursions.forward_backward,
        lengths.numpy(),
        tags,
        *_potentials(unary, transitions, lengths),
        *map(_array, (log_partition, log_marginals, marginals, pairs, kept)),
        each_pair,
    )
    return log_partition, log_marginals, marginals, pairs, kept


def forward_backward_adjoint(
    unary: Tensor,
    transitions: Tensor,
    lengths: Tensor,
    kept: Tensor,
    grad_partition: Tensor,
    grad_log_marginals: Tensor,
    grad_marginals: Tensor,
    grad_pairs: Tensor,
) -> tuple[Tensor, Tensor]:
    """Return the gradients of unary and transitions."""
    grad_unary = torch.zeros_like(unary, memory_format=torch.contiguous_format)
    by_sentence = transitions.new_zeros(len(lengths), *transitions.shape[-2:], dtype=torch.double)
    grads = (grad_partition, grad_log_marginals, grad_marginals, grad_pairs)
    in_parallel(
        adjoint.forward_backward_adjoint,
        lengths.numpy(),
        unary.shape[2],
        *_potentials(unary, transitions, lengths),
        *map(_array, (kept, *grads, grad_unary, by_sentence)),
    )
    return grad_unary, by_sentence.sum_to_size(transitions.shape).to(transitions.dtype)


def restricted_sums(
    unary: Tensor, transitions: Tensor, lengths: Tensor, pairs: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return log-partitions, marginals and transition counts of the allowed paths."""
    log_partition = unary.new_zeros(len(lengths))
    marginals = torch.zeros_like(unary, memory_format=torch.contiguous_format)
    counts = unary.new_zeros(len(lengths), *transitions.shape[-2:], dtype=torch.double)
    in_parallel(
        restricted.restricted_sums,
        lengths.numpy(),
        unary.shape[2],
        *_potentials(unary, transitions, lengths),
        *map(_array, (pairs, log_partition, marginals, counts)),
    )
    return log_partition, marginals, counts.to(unary.dtype)


def backward_messages(unary: Tensor, transitions: Tensor, lengths: Tensor) -> Tensor:
    """Return the backward messages, 0 at padding."""
    backward = torch.zeros_like(unary, memory_format=torch.contiguous_format)
    in_parallel(
        suffixes.backward_messages,
        lengths.numpy(),
        unary.shape[2],
        *_potentials(unary, transitions, lengths),
        _array(backward),
    )
    return backward


def kbest(unary: Tensor, transitions: Tensor, lengths: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the k best paths and their scores."""
    paths = lengths.new_zeros(unary.shape[0], k, unary.shape[1])
    scores = unary.new_full((unary.shape[0], k), -torch.inf)
    in_parallel(
        search.kbest,
        lengths.numpy(),
        unary.shape[2],
        *_potentials(unary, transitions, lengths),
        _array(paths),
        _array(scores),
    )
    return paths, scores


def path_scores(unary: Tensor, transitions: Tensor, lengths: Tensor, paths: Tensor) -> Tensor:
    """Return the scores of given paths.

    Raises:
        IndexError: a path has a tag that does not exist.
    """
    scores = unary.new_empty(paths.shape[:2])
    potentials = _potentials(unary, transitions, lengths)
    if not scoring.path_scores(0, len(lengths), *potentials, _array(paths), _array(scores)):
        raise IndexError(f"paths: expected tags from 0 to {unary.shape[2] - 1}")
    return scores


def path_scores_adjoint(
    grad: Tensor, lengths: Tensor, paths: Tensor, tags: int, by_sentence: bool
) -> tuple[Tensor, Tensor]:
    """Return the gradients of unary and transitions."""
    batch, _, words = paths.shape
    grad_unary = grad.new_zeros(batch, words, tags)
    grad_transitions = grad.new_zeros(batch, tags, tags, dtype=torch.double)
    arrays = map(_array, (grad, lengths, paths, grad_unary, grad_transitions))
    scoring.path_scores_adjoint(0, batch, *arrays)
    if not by_sentence:
        grad_transitions = grad_transitions.sum(0)
    return grad_unary, grad_transitions.to(grad.dtype)
