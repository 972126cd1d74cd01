"""Probabilities of tag sequences on a few neighbouring words of a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from skd_lightning.crf import operators
from skd_lightning.crf.shapes import by_sentence_and_word
from skd_lightning.crf.torch_recursions import TorchRecursions

if TYPE_CHECKING:
    from skd_lightning.crf.chain import LinearChainCRF


def span_log_prob(crf: LinearChainCRF, sentence: Tensor, first: Tensor, tags: Tensor) -> Tensor:
    """Return log p(y_first … = tags | x) of n spans, (n,) nats; see :meth:`LinearChainCRF.span_log_prob`.

    Given the words, the tags are a Markov chain: log p = log p(y_first) + Σ_i log p(y_{i+1} | y_i, x), where the
    probability of the next tag is the softmax of transitions_i(y_i, ·) + unary_{i+1} + backward_{i+1}. Each word's term
    is normalised in log space, so neither a tiny probability nor a long sentence costs digits. All spans read the
    messages of one recursion: a further span costs ``longest · tags`` exponentials.

    Args:
        crf: the distributions of a batch.
        sentence: (n,) int64.
        first: (n,) int64.
        tags: (n, longest) int64, -1 behind each span's end.
    """
    if len(tags) == 0:
        return crf.unary.new_zeros(0)
    # In float64: what a float32 rounds off a potential of 1000 is not small beside a log-probability of -0.001.
    unary, transitions = crf.unary.double(), crf.transitions.double()
    log_marginals, backward = _messages(crf, unary, transitions)
    known = tags.clamp(min=0)
    log_prob = log_marginals[sentence, first, known[:, 0]]
    if tags.shape[1] > 1:
        matrices = by_sentence_and_word(transitions)
        steps = _continuations(matrices, unary + backward, sentence, first, known)
        log_prob = log_prob + torch.where(tags[:, 1:] >= 0, steps, 0.0).sum(1)
    forbidden = torch.isneginf(log_prob)  # a forbidden span has no gradient, neither has any of its parts
    return torch.where(forbidden, -torch.inf, log_prob).to(crf.unary.dtype)


def _messages(crf: LinearChainCRF, unary: Tensor, transitions: Tensor) -> tuple[Tensor, Tensor]:
    """Return log-marginals and backward messages (batch, words, tags), the latter up to a constant of the word.

    The kernels' backward messages have no gradient: where one is wanted, plain torch computes both.
    """
    differentiable = torch.is_grad_enabled() and (unary.requires_grad or transitions.requires_grad)
    if operators.serve(unary, transitions) and not differentiable:
        return crf.log_marginals.double(), crf._suffixes  # the same for all spans of a batch, whoever asks
    sums = TorchRecursions(unary, transitions, crf.lengths, crf.mask)
    return sums.log_marginals, sums.backward


def _continuations(matrices: Tensor, suffix: Tensor, sentence: Tensor, first: Tensor, tags: Tensor) -> Tensor:
    """Return log p(tags[:, i + 1] | tags[:, i], x), (n, longest - 1) nats; anything behind a span's end.

    Args:
        matrices: (batch or 1, words - 1 or 1, tags, tags) transitions.
        suffix: (batch, words, tags) log-sum over all suffixes that start with a tag, its emission included.
        sentence: (n,) int64.
        first: (n,) int64.
        tags: (n, longest) int64, any behind a span's end.
    """
    after = first.unsqueeze(1) + torch.arange(1, tags.shape[1], device=first.device)
    after = after.clamp(max=suffix.shape[1] - 1)
    row = sentence.unsqueeze(1)
    own_row = row if matrices.shape[0] > 1 else torch.zeros_like(row)
    own_pair = after - 1 if matrices.shape[1] > 1 else torch.zeros_like(after)
    scores = matrices[own_row, own_pair, tags[:, :-1]] + suffix[row, after]  # (n, longest - 1, tags)
    possible = ~torch.isneginf(scores.amax(-1))  # where there is no way on from a tag, a softmax would be NaN
    scores = torch.where(possible.unsqueeze(-1), scores, 0.0)
    steps = scores.log_softmax(-1).gather(2, tags[:, 1:].unsqueeze(-1)).squeeze(-1)
    return torch.where(possible, steps, -torch.inf)


def check_spans(sentence: Tensor, first: Tensor, tags: Tensor, lengths: Tensor, known: int) -> None:
    """Refuse spans that do not fit sentences of these lengths (batch,) and so many known tags.

    Raises:
        ValueError: the message names what was expected.
    """
    n = len(sentence) if sentence.dim() == 1 else -1
    if n < 0 or tuple(first.shape) != (n,) or tags.dim() != 2 or len(tags) != n:
        raise ValueError(
            "sentence, first, tags: expected (n,), (n,) and (n, longest), got "
            f"{tuple(sentence.shape)}, {tuple(first.shape)} and {tuple(tags.shape)}"
        )
    if n == 0:
        return
    batch = len(lengths)
    if not bool(((sentence >= 0) & (sentence < batch)).all()):
        raise ValueError(f"sentence: expected 0 to {batch - 1}, got {sentence.tolist()}")
    if not bool(((tags >= -1) & (tags < known)).all()):
        raise ValueError(
            f"tags: expected 0 to {known - 1}, and -1 behind the end, got {sorted(set(tags.flatten().tolist()))}"
        )
    size = (tags >= 0).sum(1)
    gaps = (tags[:, :-1] < 0) & (tags[:, 1:] >= 0)
    if bool((size == 0).any() or gaps.any()):
        raise ValueError("tags: expected at least one tag in each span, and -1 behind its last one only")
    outside = (first < 0) | (first + size > lengths[sentence])
    if bool(outside.any()):
        i = int(outside.nonzero()[0])
        raise ValueError(
            f"first: expected a span of {int(size[i])} words within the {int(lengths[sentence[i]])} words of sentence "
            f"{int(sentence[i])}, got one from word {int(first[i])}"
        )
