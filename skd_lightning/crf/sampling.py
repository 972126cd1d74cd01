"""Exact draws of paths from a linear chain."""

from __future__ import annotations

import torch
from torch import Tensor


@torch.no_grad()
def sample_paths(
    forward: Tensor,
    unary: Tensor,
    transitions: Tensor,
    lengths: Tensor,
    n: int,
    generator: torch.Generator | None,
) -> Tensor:
    """Return (batch, n, words) int64: n independent paths; anything at padding.

    Forward filtering, backward sampling: the last tag is drawn from its marginal, each tag before it from
    p(y_{i-1} | y_i, x) ∝ exp[forward_{i-1}(y_{i-1}) + unary_{i-1}(y_{i-1}) + transitions(y_{i-1}, y_i)]. A draw is the
    largest score after independent Gumbel noise has been added.

    Args:
        forward: (batch, words, tags) forward messages, up to a constant of the word.
        unary: (batch, words, tags) nats.
        transitions: (batch or 1, words - 1 or 1, tags, tags) nats ``[from, to]``.
        lengths: (batch,) words.
        n: paths a sentence.
        generator: source of the random numbers, of the potentials' device.

    Source: Scott 2002 (Bayesian methods for hidden Markov models), section 2.1.5; Maddison et al. 2014 for the noise.
    """
    batch, words, tags = unary.shape
    paths = torch.zeros(batch, n, words, dtype=torch.long, device=unary.device)
    prefix = forward + unary
    follower = paths.new_zeros(batch, n)
    for i in range(words - 1, -1, -1):
        logits = prefix[:, i].unsqueeze(1).expand(-1, n, -1)
        if i + 1 < words:
            step = transitions[:, i if transitions.shape[1] > 1 else 0]
            index = follower.unsqueeze(-1).expand(-1, -1, tags)
            into = step.transpose(-1, -2).expand(batch, -1, -1).gather(1, index)
            logits = torch.where((lengths > i + 1)[:, None, None], logits + into, logits)
        noise = torch.empty_like(logits, memory_format=torch.contiguous_format)
        gumbel = -noise.exponential_(generator=generator).log()
        follower = (logits + gumbel).argmax(-1)
        paths[:, :, i] = follower
    return paths
