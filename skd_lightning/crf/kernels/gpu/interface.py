"""From tensors to the Triton kernels and back.

Arguments and results are those of :mod:`skd_lightning.crf.operators`.
"""

from __future__ import annotations

import torch
import triton
from torch import Tensor

from skd_lightning.crf.kernels.gpu import forward_backward as recursions
from skd_lightning.crf.kernels.gpu import forward_backward_adjoint as adjoint
from skd_lightning.crf.kernels.gpu.blocks import block_size, matrices, warps
from skd_lightning.crf.kernels.gpu.kbest import kbest
from skd_lightning.crf.kernels.gpu.path_scores import path_scores, path_scores_adjoint

__all__ = [
    "backward_messages",
    "forward_backward",
    "forward_backward_adjoint",
    "kbest",
    "path_scores",
    "path_scores_adjoint",
]


CHUNK = 16
"""Words that one program of the second launch goes through, adding up their pair marginals."""


def _messages(unary: Tensor, transitions: Tensor, lengths: Tensor, own: int) -> tuple[Tensor, Tensor]:
    """Return messages (2, batch, words, tags) and log-partitions (batch,), for contiguous arguments."""
    batch, words, tags = unary.shape
    messages, log_partition = unary.new_empty(2, batch, words, tags), unary.new_empty(batch)
    size = block_size(tags)
    given = (unary, transitions, lengths, messages, log_partition)
    recursions.fill_messages[batch, 2](*given, words, tags, own, size, num_warps=warps(size, unary.dtype))
    return messages, log_partition


def forward_backward(
    unary: Tensor, transitions: Tensor, lengths: Tensor, each_pair: bool, keep: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Return log-partitions, log-marginals, marginals, pair marginals, messages.

    The messages are (2, batch, words, tags), or (2, 0, words, tags) unless they are to be kept.
    """
    batch, words, tags = unary.shape
    log_marginals, marginals = unary.new_full(unary.shape, -torch.inf), unary.new_zeros(unary.shape)
    chunks = triton.cdiv(words, CHUNK)
    pairs = unary.new_zeros(batch, max(words - 1, 0) if each_pair else max(chunks, 1), tags, tags)
    if unary.numel() == 0:
        return unary.new_zeros(batch), log_marginals, marginals, pairs, unary.new_empty(2, 0, words, tags)
    scores, own = matrices(transitions, unary.dtype)
    potentials = (unary.contiguous(), scores, lengths.contiguous())
    size = block_size(tags)
    with torch.cuda.device_of(unary):
        messages, log_partition = _messages(*potentials, own)
        recursions.fill_marginals[batch, chunks](
            *(*potentials, messages, log_marginals, marginals, pairs),
            *(words, tags, own, size, CHUNK, each_pair),
            num_warps=warps(size, unary.dtype),
        )
    if not each_pair:
        pairs = pairs.sum(1, keepdim=True)
    return log_partition, log_marginals, marginals, pairs, messages if keep else messages[:, :0].clone()


def backward_messages(unary: Tensor, transitions: Tensor, lengths: Tensor) -> Tensor:
    """Return the backward messages, 0 at padding."""
    if unary.numel() == 0:
        return torch.zeros_like(unary)
    scores, own = matrices(transitions, unary.dtype)
    with torch.cuda.device_of(unary):
        messages, _ = _messages(unary.contiguous(), scores, lengths.contiguous(), own)
    padding = torch.arange(unary.shape[1], device=unary.device) >= lengths.unsqueeze(1)
    return messages[1].masked_fill(padding.unsqueeze(-1), 0.0)


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
    """Return the gradients of unary and transitions; messages that were not kept are computed again."""
    batch, words, tags = unary.shape
    if unary.numel() == 0:
        return torch.zeros_like(unary), torch.zeros_like(transitions)
    scores, own = matrices(transitions, unary.dtype)
    potentials = (unary.contiguous(), scores, lengths.contiguous())
    of_log_marginals, of_marginals, of_pairs = (
        grad.contiguous() if grad.shape[1] else None
        for grad in (grad_log_marginals, grad_marginals, grad_pairs)
    )
    size, chunks = block_size(tags), triton.cdiv(words, CHUNK)
    with_pairs = of_pairs is not None
    from_marginals = unary.new_zeros(3 if with_pairs else 1, batch, words, tags)
    of_totals = unary.new_zeros(2, batch, words, tags)
    of_transitions = unary.new_empty(batch, 2 + chunks if with_pairs else 2, tags, tags)
    with torch.cuda.device_of(unary):
        messages = kept if kept.shape[1] else _messages(*potentials, own)[0]
        grads = (of_log_marginals, of_marginals, of_pairs)
        adjoint.marginal_adjoint[batch, chunks](
            *(*potentials, messages, *grads, from_marginals, of_transitions),
            *(words, tags, own, grad_pairs.shape[1], size, CHUNK),
            num_warps=warps(size, unary.dtype),
        )
        adjoint.recursion_adjoint[batch, 2](
            *(*potentials, messages, grad_partition.contiguous(), from_marginals, of_totals, of_transitions),
            *(words, tags, own, of_transitions.shape[1], size, with_pairs),
            num_warps=warps(size, unary.dtype),
        )
    grad_unary = from_marginals[0] + of_totals[0] + of_totals[1]
    of_transitions = of_transitions.sum(1 if own else (0, 1), dtype=torch.double)
    return grad_unary, of_transitions.to(transitions.dtype)
