"""From tensors to the Triton kernels and back; arguments and results are those of the operators."""

from __future__ import annotations

import torch
import triton
from torch import Tensor

from skd_lightning.crf.kernels import gpu_sweeps
from skd_lightning.crf.kernels.gpu_decoding import kbest, padded, path_scores, path_scores_adjoint, warps

__all__ = ["forward_backward", "forward_backward_adjoint", "kbest", "path_scores", "path_scores_adjoint"]

CHUNK = 16
"""Words that one program of the second launch goes through, adding up their pair marginals."""


def _messages(unary: Tensor, transitions: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Messages (2, batch, words, tags), log-partitions (batch,). All given contiguous."""
    batch, words, tags = unary.shape
    messages, log_partition = unary.new_empty(2, batch, words, tags), unary.new_empty(batch)
    size = padded(tags)
    given = (unary, transitions, lengths, messages, log_partition)
    gpu_sweeps.sweep[batch, 2](*given, words, tags, size, num_warps=warps(size, unary.dtype))
    return messages, log_partition


def forward_backward(
    unary: Tensor, transitions: Tensor, lengths: Tensor, each_pair: bool, keep: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """All sums over paths.

    Args:
        unary: (batch, words, tags) nats, -inf where forbidden; anything at padding.
        transitions: (tags, tags) nats ``[from, to]``, -inf where forbidden.
        lengths: (batch,) words, int64.
        each_pair: pair marginals of every pair of neighbours, else their sum over the sentence.
        keep: return the messages for the adjoint.

    Returns:
        log-partitions (batch,); log-marginals and marginals (batch, words, tags), -inf and 0 at padding; pair
        marginals (batch, words - 1, tags, tags), 0 at padding, or (batch, 1, tags, tags); messages
        (2, batch, words, tags), or (2, 0, words, tags).
    """
    batch, words, tags = unary.shape
    log_marginals, marginals = unary.new_full(unary.shape, -torch.inf), unary.new_zeros(unary.shape)
    chunks = triton.cdiv(words, CHUNK)
    pairs = unary.new_zeros(batch, max(words - 1, 0) if each_pair else max(chunks, 1), tags, tags)
    if unary.numel() == 0:
        return unary.new_zeros(batch), log_marginals, marginals, pairs, unary.new_empty(2, 0, words, tags)
    potentials = (unary.contiguous(), transitions.to(unary.dtype).contiguous(), lengths.contiguous())
    size = padded(tags)
    with torch.cuda.device_of(unary):
        messages, log_partition = _messages(*potentials)
        given = (*potentials, messages, log_marginals, marginals, pairs, words, tags, size, CHUNK, each_pair)
        gpu_sweeps.marginals[batch, chunks](*given, num_warps=warps(size, unary.dtype))
    if not each_pair:
        pairs = pairs.sum(1, keepdim=True)
    return log_partition, log_marginals, marginals, pairs, messages if keep else messages[:, :0].clone()


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
    """Gradients of unary (batch, words, tags) and transitions (tags, tags).

    Args:
        unary: as above, and so are transitions and lengths.
        kept: messages of the forward-backward, or none (2, 0, words, tags): they are then computed again.
        grad_partition: (batch,)
        grad_log_marginals: (batch, words, tags), or empty along its second axis: then it counts as zero.
        grad_marginals: likewise.
        grad_pairs: (batch, 1, tags, tags) or (batch, words - 1, tags, tags), or likewise empty.
    """
    batch, words, tags = unary.shape
    if unary.numel() == 0:
        return torch.zeros_like(unary), torch.zeros_like(transitions)
    potentials = (unary.contiguous(), transitions.to(unary.dtype).contiguous(), lengths.contiguous())
    of_log_marginals, of_marginals, of_pairs = (
        grad.contiguous() if grad.shape[1] else None
        for grad in (grad_log_marginals, grad_marginals, grad_pairs)
    )
    size, chunks = padded(tags), triton.cdiv(words, CHUNK)
    with_pairs = of_pairs is not None
    seeds = unary.new_zeros(3 if with_pairs else 1, batch, words, tags)
    of_totals = unary.new_zeros(2, batch, words, tags)
    of_transitions = unary.new_empty(batch, 2 + chunks if with_pairs else 2, tags, tags)
    with torch.cuda.device_of(unary):
        messages = kept if kept.shape[1] else _messages(*potentials)[0]
        grads = (of_log_marginals, of_marginals, of_pairs)
        gpu_sweeps.seeds[batch, chunks](
            *(*potentials, messages, *grads, seeds, of_transitions),
            *(words, tags, grad_pairs.shape[1], size, CHUNK),
            num_warps=warps(size, unary.dtype),
        )
        gpu_sweeps.walk[batch, 2](
            *(*potentials, messages, grad_partition.contiguous(), seeds, of_totals, of_transitions),
            *(words, tags, of_transitions.shape[1], size, with_pairs),
            num_warps=warps(size, unary.dtype),
        )
    grad_unary = seeds[0] + of_totals[0] + of_totals[1]
    return grad_unary, of_transitions.sum((0, 1), dtype=torch.double).to(transitions.dtype)
