"""Pools: several teachers that speak as one.

A *mixture* Σ_m w_m p_m averages probabilities: it believes what any member believes, and its marginals and transition
counts are the averages of theirs. A *product* ∝ Π_m p_m^{w_m} averages potentials (a logarithmic opinion pool, Smith et
al. 2005): it is a chain, and believes what no member doubts. To draw one teacher at random in every step (SKDBERT, Ding
et al. 2023) has the mixture's expectation with more noise, so it is not offered.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from skd_lightning.crf import LinearChainCRF
from skd_lightning.distillation.cache.entry import Potentials

PoolKind = Literal["mixture", "product"]
Weighting = Literal["uniform", "dev", "similarity"]

ROUNDS = 200
"""Steps of the search for weights; each is cheap."""

TEMPERATURES = tuple(2 ** (quarters / 4) for quarters in range(-4, 17))
"""Temperatures at which members are judged, from 1/2 to 16."""

LEAST = 1e-6
"""The smallest weight of a member: of a member of weight 0, no product could tell what it forbids."""


@dataclass(frozen=True)
class Pool:
    """The teachers that speak on a language.

    Attributes:
        folders: their run folders; one is a teacher alone, none a language on which nobody speaks.
        kind: how several become one.
        weights: one for each teacher, which sum to 1; or ``uniform``; or ``dev``, to learn them on annotated dev
            sentences of the language; or ``similarity`` of the language to those of each teacher, for a language that
            nobody annotated.
    """

    folders: tuple[Path, ...] = ()
    kind: PoolKind = "mixture"
    weights: tuple[float, ...] | Weighting = "uniform"

    def description(self) -> list[object]:
        """Return what decides how the members are combined, as plain values."""
        return [self.kind, self.weights] if len(self.folders) > 1 else []


def uniform(members: int) -> tuple[float, ...]:
    """Return equal weights that sum to 1."""
    return (1.0 / members,) * members


def by_similarity(
    text: Sequence[Sequence[str]], texts: Sequence[Sequence[Sequence[str]]]
) -> tuple[float, ...]:
    """Return weights in proportion to the similarity of texts: the cosine of their numbers of character trigrams.

    Languages that share words, endings or at least a script are similar; a text in another script has a weight near 0.

    Args:
        text: sentences, as lists of words.
        texts: those that each teacher learned from.

    >>> [round(weight, 3) for weight in by_similarity([["der", "Hund"]], [[["ein", "Hund"]], [["собака"]]])]
    [1.0, 0.0]
    """
    own = _trigrams(text)
    cosines = [max(_cosine(own, _trigrams(other)), LEAST) for other in texts]
    return tuple(cosine / sum(cosines) for cosine in cosines)


def _trigrams(sentences: Sequence[Sequence[str]]) -> Counter[str]:
    found: Counter[str] = Counter()
    for word in chain.from_iterable(sentences):
        marked = f"<{word.lower()}>"
        found.update(marked[i : i + 3] for i in range(len(marked) - 2))
    return found


def _cosine(one: Counter[str], other: Counter[str]) -> float:
    size = math.sqrt(sum(n * n for n in one.values()) * sum(n * n for n in other.values()))
    return sum(n * other[name] for name, n in one.items()) / size if size else 0.0


def product(members: Sequence[Potentials], weights: Sequence[float]) -> Potentials:
    """Return the potentials of ∝ Π_m p_m^{w_m}: the weighted averages.

    Args:
        members: over the same tags, on the same words.
        weights: above 0.
    """

    def mean(values: Sequence[np.ndarray]) -> np.ndarray:
        return sum(w * v.astype(np.float32) for w, v in zip(weights, values, strict=True)).astype(  # type: ignore[union-attr]
            values[0].dtype
        )

    fields = ("emissions", "transitions", "start", "end")
    return Potentials(**{name: mean([getattr(member, name) for member in members]) for name in fields})


def learn_weights(kind: PoolKind, crfs: Sequence[LinearChainCRF], gold: Tensor) -> tuple[float, ...]:
    """Return the weights under which annotated sentences are most probable; none is below ``LEAST``.

    Members are judged at the temperatures that suit them, see :func:`calibrated`. For a mixture the weights are found
    by expectation maximisation, for a product by exponentiated gradients (Kivinen and Warmuth 1997); both searches are
    for the one maximum of a concave function. Sentences that the pool finds impossible whatever its weights are, such
    as those with a tag that no member knows, do not count; where none is left, the weights are equal.

    Args:
        kind: of the pool.
        crfs: the members' distributions on the same sentences.
        gold: (sentences, words) tags.
    """
    crfs = [calibrated(crf, gold) for crf in crfs]
    log_probs = torch.stack([crf.log_prob(gold) for crf in crfs], dim=1).double()
    ruled_out = torch.isneginf(log_probs)
    counts = ~(ruled_out.all(1) if kind == "mixture" else ruled_out.any(1))
    if not counts.any():
        return uniform(len(crfs))
    weights = torch.full((len(crfs),), 1.0 / len(crfs), dtype=torch.double)
    if kind == "mixture":
        for _ in range(ROUNDS):
            weights = torch.softmax(log_probs[counts] + weights.log(), dim=1).mean(0)
    else:
        lengths = crfs[0].lengths[counts]
        unary = _averages([crf.unary[counts].double() for crf in crfs])
        transitions = _averages([crf.transitions.double() for crf in crfs])
        for _ in range(ROUNDS):
            free = weights.clone().requires_grad_()
            pool = LinearChainCRF(unary(free), transitions(free), lengths)
            likelihood = pool.log_prob(gold[counts]).sum() / lengths.sum().clamp(min=1)
            (slope,) = torch.autograd.grad(likelihood, free)
            weights = torch.softmax(weights.log() + slope, dim=0).clamp(min=LEAST)
    weights = weights.clamp(min=LEAST)
    return tuple((weights / weights.sum()).tolist())


def calibrated(crf: LinearChainCRF, gold: Tensor) -> LinearChainCRF:
    """Return a member at the temperature that makes annotated sentences most probable (Guo et al. 2017).

    Taggers that learnt few sentences by heart are too sure of all others, some more than others. The likelihood of
    their own probabilities would tell who is least sure, rather than who is right.

    Args:
        crf: its distributions on the sentences.
        gold: (sentences, words) tags; sentences that it finds impossible do not count.
    """
    possible = ~torch.isneginf(crf.log_prob(gold))

    def log_likelihood(temperature: float) -> float:
        return float(crf.tempered(temperature).log_prob(gold)[possible].sum())

    return crf.tempered(max(TEMPERATURES, key=log_likelihood)) if possible.any() else crf


def _averages(scores: Sequence[Tensor]) -> Callable[[Tensor], Tensor]:
    """Return the function from weights (members,) to the weighted averages of scores; -inf where any member has it."""
    stacked = torch.stack([*scores], dim=-1)
    forbidden = torch.isneginf(stacked).any(-1)
    finite = stacked.masked_fill(forbidden.unsqueeze(-1), 0.0)  # 0 · -inf would be NaN in the gradient
    return lambda weights: (finite @ weights).masked_fill(forbidden, -torch.inf)
