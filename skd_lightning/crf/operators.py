"""The compiled kernels as PyTorch operators.

``torch.compile``, ``torch.export`` and autograd know their shapes and their gradients, and never look inside.

Importing this module compiles nothing and imports no compiler; the first call of an operator does.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.library import custom_op

COMPILER = {"cpu": "numba", "cuda": "triton"}
"""The package that a device's kernels are compiled by."""
DEVICES = tuple(COMPILER)


def _kernels(tensor: Tensor) -> Any:
    """Return the kernels of a tensor's device; the first call imports their compiler."""
    if tensor.device.type == "cuda":
        from skd_lightning.crf.kernels.gpu import interface as gpu

        return gpu
    from skd_lightning.crf.kernels.cpu import interface as cpu

    return cpu


@cache
def _installed(package: str) -> bool:
    return find_spec(package) is not None


MOST_TAGS_ON_A_GPU = 128
"""More transitions than that do not fit into the registers of a multiprocessor."""


def serve(unary: Tensor, transitions: Tensor) -> bool:
    """Tell if there are kernels for such potentials; plain torch computes everything else.

    The kernels hold a sentence's transitions in registers or cache; one matrix for each pair of words is not for them.
    """
    if unary.is_cuda and unary.shape[2] > MOST_TAGS_ON_A_GPU:
        return False
    package = COMPILER.get(unary.device.type)
    return (
        package is not None
        and transitions.dim() < 4
        and unary.dtype in (torch.float32, torch.float64)
        and unary.shape[2] > 0
        and _installed(package)
    )


# -- forward-backward -------------------------------------------------------------------------------------


@custom_op("skd_lightning::forward_backward", mutates_args=(), device_types=DEVICES)
def forward_backward(
    unary: Tensor, transitions: Tensor, lengths: Tensor, each_pair: bool, keep: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Sum over all paths, in one forward and one backward recursion.

    Args:
        unary: (batch, words, tags) nats, -inf where forbidden; anything at padding.
        transitions: (tags, tags) nats ``[from, to]`` for all sentences, or (batch, tags, tags); -inf where forbidden.
        lengths: (batch,) words, int64.
        each_pair: pair marginals of every pair of neighbours, else their sum over the sentence.
        keep: keep the messages, for a gradient through (log-)marginals; that of the log-partition needs none.

    Returns:
        log-partitions (batch,); log-marginals and marginals (batch, words, tags), -inf and 0 at padding; pair
        marginals (batch, words - 1, tags, tags), 0 at padding, or (batch, 1, tags, tags); the messages, in a
        layout that only the adjoint of the same device knows.
    """
    return _kernels(unary).forward_backward(unary, transitions, lengths, each_pair, keep)  # type: ignore[no-any-return]


@forward_backward.register_fake
def _(
    unary: Tensor, transitions: Tensor, lengths: Tensor, each_pair: bool, keep: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    batch, words, tags = unary.shape
    pairs = unary.new_empty(batch, max(words - 1, 0) if each_pair else 1, tags, tags)
    if unary.is_cuda:
        messages = unary.new_empty(2, batch if keep else 0, words, tags)
    else:
        width = (tags + 7) // 8 * 8
        messages = unary.new_empty(4, batch if keep else 0, words, width, dtype=torch.double)
    marginals = unary.new_empty(unary.shape), unary.new_empty(unary.shape)
    return unary.new_empty(batch), *marginals, pairs, messages


@custom_op("skd_lightning::forward_backward_adjoint", mutates_args=(), device_types=DEVICES)
def forward_backward_adjoint(
    unary: Tensor,
    transitions: Tensor,
    lengths: Tensor,
    messages: Tensor,
    grad_partition: Tensor,
    grad_log_marginals: Tensor,
    grad_marginals: Tensor,
    grad_pairs: Tensor,
) -> tuple[Tensor, Tensor]:
    """Return gradients of unary and transitions, from those of the first four results of :func:`forward_backward`.

    The last three may be empty along their second axis: then they count as zero.
    """
    grads = (grad_partition, grad_log_marginals, grad_marginals, grad_pairs)
    return _kernels(unary).forward_backward_adjoint(  # type: ignore[no-any-return]
        unary, transitions, lengths, messages, *grads
    )


@forward_backward_adjoint.register_fake
def _(unary: Tensor, transitions: Tensor, *_: Tensor) -> tuple[Tensor, Tensor]:
    return unary.new_empty(unary.shape), transitions.new_empty(transitions.shape)


def _save_for_forward_backward(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    unary, transitions, lengths, *_ = inputs
    _, _, marginals, pairs, messages = output
    ctx.mark_non_differentiable(messages)
    ctx.save_for_backward(unary, transitions, lengths, marginals, pairs, messages)
    ctx.set_materialize_grads(False)


def _forward_backward_gradients(
    ctx: Any,
    grad_partition: Tensor | None,
    grad_log_marginals: Tensor | None,
    grad_marginals: Tensor | None,
    grad_pairs: Tensor | None,
    _: None,
) -> tuple[Tensor | None, Tensor | None, None, None, None]:
    unary, transitions, lengths, marginals, pairs, messages = ctx.saved_tensors
    if grad_log_marginals is None and grad_marginals is None and grad_pairs is None:
        if grad_partition is None:
            return None, None, None, None, None
        # The gradient of log Z is the marginals. Written with the saved results it can be differentiated again.
        of_unary = grad_partition[:, None, None] * marginals
        shared = transitions.dim() == 2
        of_transitions = (grad_partition[:, None, None, None] * pairs).sum(dim=(0, 1) if shared else 1)
        return of_unary, of_transitions, None, None, None
    nothing = marginals[:, :0]
    grads = (
        unary.new_zeros(unary.shape[0]) if grad_partition is None else grad_partition,
        nothing if grad_log_marginals is None else grad_log_marginals,
        nothing if grad_marginals is None else grad_marginals,
        pairs[:, :0] if grad_pairs is None else grad_pairs,
    )
    return *forward_backward_adjoint(unary, transitions, lengths, messages, *grads), None, None, None


forward_backward.register_autograd(_forward_backward_gradients, setup_context=_save_for_forward_backward)


@custom_op("skd_lightning::backward_messages", mutates_args=(), device_types=DEVICES)
def backward_messages(unary: Tensor, transitions: Tensor, lengths: Tensor) -> Tensor:
    """Return log-sums over all suffixes that follow a tag at a word, its emission excluded, (batch, words, tags) nats.

    They are right up to a constant of the word, and 0 at padding. Potentials as above, no gradient.
    """
    return _kernels(unary).backward_messages(unary, transitions, lengths)  # type: ignore[no-any-return]


@backward_messages.register_fake
def _(unary: Tensor, transitions: Tensor, lengths: Tensor) -> Tensor:
    return unary.new_empty(unary.shape)


# -- sums over some of the paths ----------------------------------------------------------------------------


@custom_op("skd_lightning::restricted_sums", mutates_args=(), device_types="cpu")
def restricted_sums(
    unary: Tensor, transitions: Tensor, lengths: Tensor, pairs: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Sum over the paths of which every pair of neighbouring tags is allowed.

    Args:
        unary: (batch, words, tags) nats, -inf where forbidden; anything at padding.
        transitions: (tags, tags) nats ``[from, to]`` for all sentences, or (batch, tags, tags); -inf where forbidden.
        lengths: (batch,) words, int64.
        pairs: (batch, words, tags, tags) bool ``[from, to]``, of each word and the one before it; the first word may
            have the tags that any row allows.

    Returns:
        log-partitions (batch,), -inf where no path is allowed; marginals (batch, words, tags) and transition counts
        (batch, tags, tags) of these paths, 0 there and at padding, which have no gradient of their own.
    """
    return _kernels(unary).restricted_sums(unary, transitions, lengths, pairs)  # type: ignore[no-any-return]


@restricted_sums.register_fake
def _(unary: Tensor, transitions: Tensor, lengths: Tensor, pairs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    batch, _, tags = unary.shape
    return unary.new_empty(batch), unary.new_empty(unary.shape), unary.new_empty(batch, tags, tags)


def _save_for_restricted_sums(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
    _, marginals, counts = output
    ctx.shared = inputs[1].dim() == 2
    ctx.mark_non_differentiable(marginals, counts)
    ctx.save_for_backward(marginals, counts)


@once_differentiable  # type: ignore[untyped-decorator]
def _restricted_sums_gradients(ctx: Any, grad: Tensor, *_: Tensor) -> tuple[Tensor, Tensor, None, None]:
    marginals, counts = ctx.saved_tensors
    of_transitions = grad[:, None, None] * counts
    return (
        grad[:, None, None] * marginals,
        of_transitions.sum(0) if ctx.shared else of_transitions,
        None,
        None,
    )


restricted_sums.register_autograd(_restricted_sums_gradients, setup_context=_save_for_restricted_sums)


# -- decoding -----------------------------------------------------------------------------------------------


@custom_op("skd_lightning::kbest", mutates_args=(), device_types=DEVICES)
def kbest(unary: Tensor, transitions: Tensor, lengths: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the k best paths (batch, k, words) int64 and their scores (batch, k); potentials as above, no gradient."""
    return _kernels(unary).kbest(unary, transitions, lengths, k)  # type: ignore[no-any-return]


@kbest.register_fake
def _(unary: Tensor, transitions: Tensor, lengths: Tensor, k: int) -> tuple[Tensor, Tensor]:
    batch, words, _ = unary.shape
    return lengths.new_empty(batch, k, words), unary.new_empty(batch, k)


# -- scores of paths ----------------------------------------------------------------------------------------


@custom_op("skd_lightning::path_scores", mutates_args=(), device_types=DEVICES)
def path_scores(unary: Tensor, transitions: Tensor, lengths: Tensor, paths: Tensor) -> Tensor:
    """Return unnormalised scores (batch, k) of paths (batch, k, words) int64; anything at padding."""
    return _kernels(unary).path_scores(unary, transitions, lengths, paths)  # type: ignore[no-any-return]


@path_scores.register_fake
def _(unary: Tensor, transitions: Tensor, lengths: Tensor, paths: Tensor) -> Tensor:
    return unary.new_empty(paths.shape[:2])


@custom_op("skd_lightning::path_scores_adjoint", mutates_args=(), device_types=DEVICES)
def path_scores_adjoint(
    grad: Tensor, lengths: Tensor, paths: Tensor, tags: int, by_sentence: bool
) -> tuple[Tensor, Tensor]:
    """Return gradients of unary (batch, words, tags) and transitions from those of scores (batch, k).

    Those of transitions are (batch, tags, tags) with ``by_sentence``, else their sum (tags, tags).
    """
    return _kernels(grad).path_scores_adjoint(grad, lengths, paths, tags, by_sentence)  # type: ignore[no-any-return]


@path_scores_adjoint.register_fake
def _(grad: Tensor, lengths: Tensor, paths: Tensor, tags: int, by_sentence: bool) -> tuple[Tensor, Tensor]:
    batch, _, words = paths.shape
    of_transitions = (batch, tags, tags) if by_sentence else (tags, tags)
    return grad.new_empty(batch, words, tags), grad.new_empty(of_transitions)


def _save_for_path_scores(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
    _, transitions, lengths, paths = inputs
    ctx.tags, ctx.by_sentence = transitions.shape[-1], transitions.dim() == 3
    ctx.save_for_backward(lengths, paths)


def _path_scores_gradients(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None]:
    lengths, paths = ctx.saved_tensors
    return *path_scores_adjoint(grad, lengths, paths, ctx.tags, ctx.by_sentence), None, None


def _save_for_path_scores_adjoint(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    _, lengths, paths, _, _ = inputs
    ctx.save_for_backward(lengths, paths)


def _path_scores_adjoint_gradients(
    ctx: Any, grad_unary: Tensor, grad_transitions: Tensor
) -> tuple[Tensor, None, None, None, None]:
    return path_scores(grad_unary, grad_transitions, *ctx.saved_tensors), None, None, None, None


path_scores.register_autograd(_path_scores_gradients, setup_context=_save_for_path_scores)
path_scores_adjoint.register_autograd(
    _path_scores_adjoint_gradients, setup_context=_save_for_path_scores_adjoint
)
