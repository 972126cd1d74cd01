"""Chains small enough to enumerate all paths, in float64: the definition that everything is held against."""

import itertools
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
import torch
from hypothesis import settings
from hypothesis import strategies as st
from torch import Tensor

from skd_lightning.crf import LinearChainCRF, operators

SETTINGS = settings(max_examples=40, deadline=None, derandomize=True)


@contextmanager
def recursions_by(kind: str) -> Iterator[str]:
    """Compute by ``"compiled"`` kernels, or by plain ``"torch"``."""
    with pytest.MonkeyPatch.context() as patch:
        if kind == "torch":
            patch.setattr(operators, "serve", lambda *_: False)
        yield kind


@dataclass
class Potentials:
    emissions: Tensor
    transitions: Tensor
    lengths: Tensor
    start: Tensor | None
    end: Tensor | None

    def crf(self) -> LinearChainCRF:
        return LinearChainCRF(self.emissions, self.transitions, self.lengths, self.start, self.end)

    def leaves(self) -> list[Tensor]:
        """All tensors, ready for gradients."""
        found = [self.emissions, self.transitions, self.start, self.end]
        return [tensor.requires_grad_() for tensor in found if tensor is not None]

    def paths(self, row: int) -> list[tuple[int, ...]]:
        return list(itertools.product(range(self.emissions.shape[2]), repeat=int(self.lengths[row])))

    def matrix(self, row: int, i: int) -> Tensor:
        """(tags, tags) transitions into word i of a sentence."""
        if self.transitions.dim() == 2:
            return self.transitions
        return self.transitions[row] if self.transitions.dim() == 3 else self.transitions[row, i - 1]

    def scores(self, row: int) -> Tensor:
        """(paths,) one sum a path, word by word: the definition."""
        scores = []
        for path in self.paths(row):
            score = self.emissions.new_zeros(())
            for i, tag in enumerate(path):
                score = score + self.emissions[row, i, tag]
                if i:
                    score = score + self.matrix(row, i)[path[i - 1], tag]
            if path and self.start is not None:
                score = score + self.start[path[0]]
            if path and self.end is not None:
                score = score + self.end[path[-1]]
            scores.append(score)
        return torch.stack(scores)

    def log_probs(self, row: int) -> Tensor:
        return self.scores(row).log_softmax(0)


def transition_shapes(batch: int, words: int, tags: int) -> list[tuple[int, ...]]:
    """One matrix for all sentences, for each sentence, for each pair of words."""
    return [(tags, tags), (batch, tags, tags), (batch, words - 1, tags, tags)]


@st.composite
def potentials(draw: Callable, forbid: bool = True, min_tags: int = 1) -> Potentials:
    batch, words = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    tags = draw(st.integers(min_tags, 3))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10**6)))

    def normal(*shape: int) -> Tensor:
        return 2 * torch.randn(*shape, generator=generator, dtype=torch.double)

    transitions = normal(*draw(st.sampled_from(transition_shapes(batch, words, tags))))
    if forbid and draw(st.booleans()):
        mask = torch.rand(transitions.shape, generator=generator) < 0.3
        mask[..., 0, :] = False  # some path always remains: tag 0 may be followed by any tag
        mask[..., :, 0] = False
        transitions = transitions.masked_fill(mask, -math.inf)
    return Potentials(
        normal(batch, words, tags),
        transitions,
        torch.tensor(draw(st.lists(st.integers(0, words), min_size=batch, max_size=batch))),
        normal(tags) if draw(st.booleans()) else None,
        normal(tags) if draw(st.booleans()) else None,
    )


def agree(got: Tensor, expected: Tensor, leaves: list[Tensor]) -> None:
    """Same values, and same gradients of a random combination of them."""
    nothing = 0.0 * leaves[0].sum()  # empty sentences alone do not depend on any potential
    got, expected = got + nothing, expected + nothing
    torch.testing.assert_close(got, expected)
    weights = torch.randn(got.shape, generator=torch.Generator().manual_seed(0), dtype=got.dtype)
    ours = torch.autograd.grad((got * weights).sum(), leaves, allow_unused=True, retain_graph=True)
    theirs = torch.autograd.grad((expected * weights).sum(), leaves, allow_unused=True, retain_graph=True)
    for a, b, leaf in zip(ours, theirs, leaves, strict=True):
        zero = torch.zeros_like(leaf)
        torch.testing.assert_close(zero if a is None else a, zero if b is None else b)


def finite_expectation(log_probs: Tensor, values: Tensor) -> Tensor:
    """Σ p·v over paths of positive probability."""
    possible = ~torch.isneginf(log_probs)
    return (log_probs[possible].exp() * values[possible]).sum()
