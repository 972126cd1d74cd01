"""The distillation objectives: what the student's distribution should share with the teacher's.

Equation numbers are those of Wang et al. 2020 (arXiv 2004.03846). Every objective is a callable
``(student: LinearChainCRF, teacher: TeacherTargets) -> (batch,)`` in nats, summed over a sentence's words.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from skd_lightning.crf import LinearChainCRF

Loss = Literal["none", "token", "emission", "topk", "topwk", "posterior", "pos_topwk"]
Tempering = Literal["marginals", "potentials"]


@dataclass
class TeacherTargets:
    """What the teachers said about the sentences of a batch, in the student's tags; what is not needed is None.

    Attributes:
        emissions: (batch, words, tags) nats; -inf for tags that the teacher does not know.
        marginals: (batch, words, tags) posterior probabilities; 0 at padding.
        paths: (batch, k, words) the teacher's k best tag sequences.
        log_probs: (batch, k) log p_t of these sequences in nats, best first; -inf where there are fewer than k, but
            there is always one (that of an empty sentence has probability 1).
    """

    emissions: Tensor | None = None
    marginals: Tensor | None = None
    paths: Tensor | None = None
    log_probs: Tensor | None = None


Objective = Callable[[LinearChainCRF, TeacherTargets], Tensor]

NEEDS: dict[Loss, frozenset[str]] = {
    "none": frozenset(),
    "token": frozenset({"marginals"}),
    "emission": frozenset({"emissions"}),
    "topk": frozenset({"paths"}),
    "topwk": frozenset({"paths"}),
    "posterior": frozenset({"marginals"}),
    "pos_topwk": frozenset({"marginals", "paths"}),
}
"""Which fields of :class:`TeacherTargets` an objective reads."""


def emission(student: LinearChainCRF, teacher: TeacherTargets, temperature: float = 1.0) -> Tensor:
    """−T² Σ_i Σ_y softmax(e_t/T) log softmax(e_s/T), transitions ignored (eq. 5)."""
    emissions = _given(teacher.emissions, "emissions")
    soft = torch.softmax(emissions / temperature, dim=-1)
    logits = student.emissions / temperature
    by_word = functional.cross_entropy(logits.transpose(1, 2), soft.transpose(1, 2), reduction="none")
    return temperature**2 * (by_word * student.mask).sum(1)


def posterior(
    student: LinearChainCRF,
    teacher: TeacherTargets,
    temperature: float = 1.0,
    tempering: Tempering = "marginals",
) -> Tensor:
    """−T² Σ_i Σ_y q_t(y_i) log q_s(y_i), q the forward-backward marginals (eq. 13).

    For a softmax decoder, whose marginals are the softmax of its emissions, this is the token objective (eq. 4).

    ``marginals`` tempers them (q^{1/T}, renormalised; the paper's code). ``potentials`` tempers the student's
    emissions and transitions before forward-backward, and expects the teacher's marginals made in this way.
    """
    soft = _given(teacher.marginals, "marginals")
    if temperature != 1.0 and tempering == "potentials":
        student = student.tempered(temperature)
    log_student = student.log_marginals
    if temperature != 1.0 and tempering == "marginals":
        soft = soft.pow(1.0 / temperature)
        soft = soft / soft.sum(-1, keepdim=True).clamp(min=torch.finfo(soft.dtype).tiny)
        inside = log_student.masked_fill(~student.mask.unsqueeze(-1), 0.0)
        log_student = torch.log_softmax(inside / temperature, dim=-1)
    return temperature**2 * _expected(soft, log_student).sum(dim=(1, 2))


def top_k(student: LinearChainCRF, teacher: TeacherTargets) -> Tensor:
    """−(1/k) Σ_ŷ log p_s(ŷ|x) over the teacher's k best sequences (eq. 8); k at most the number of sequences."""
    exists = ~torch.isneginf(_given(teacher.log_probs, "log_probs"))
    weights = exists / exists.sum(-1, keepdim=True).clamp(min=1)
    return _weighted_paths(student, teacher, weights)


def weighted_top_k(
    student: LinearChainCRF,
    teacher: TeacherTargets,
    temperature: float = 1.0,
    tempering: Tempering = "marginals",
) -> Tensor:
    """−Σ_ŷ p'_t(ŷ) log p_s(ŷ|x), p'_t renormalised over the k best sequences (eq. 9).

    Tempering of potentials divides the teacher's scores; tempering of marginals leaves sequences alone.
    """
    log_probs = _given(teacher.log_probs, "log_probs")
    weights = torch.softmax(log_probs / (temperature if tempering == "potentials" else 1.0), dim=-1)
    return _weighted_paths(student, teacher, weights)


def posterior_and_top_k(
    student: LinearChainCRF,
    teacher: TeacherTargets,
    temperature: float = 1.0,
    tempering: Tempering = "marginals",
    posterior_weight: float = 0.5,
    topwk_weight: float = 0.5,
) -> Tensor:
    """Weighted sum of :func:`posterior` and :func:`weighted_top_k`: their mean; with weights 1 and 1 the sum
    that the paper's code takes (section 3.3)."""
    by_word = posterior(student, teacher, temperature, tempering)
    return posterior_weight * by_word + topwk_weight * weighted_top_k(
        student, teacher, temperature, tempering
    )


def make_objective(
    loss: Loss,
    temperature: float = 1.0,
    tempering: Tempering = "marginals",
    posterior_weight: float = 0.5,
    topwk_weight: float = 0.5,
) -> Objective | None:
    """The objective of that name with its settings; None for the baseline, which has no teacher."""
    objectives: dict[Loss, Objective] = {
        "token": partial(posterior, temperature=temperature),
        "emission": partial(emission, temperature=temperature),
        "topk": top_k,
        "topwk": partial(weighted_top_k, temperature=temperature, tempering=tempering),
        "posterior": partial(posterior, temperature=temperature, tempering=tempering),
        "pos_topwk": partial(
            posterior_and_top_k,
            temperature=temperature,
            tempering=tempering,
            posterior_weight=posterior_weight,
            topwk_weight=topwk_weight,
        ),
    }
    return objectives.get(loss)


def _given(target: Tensor | None, name: str) -> Tensor:
    if target is None:
        raise ValueError(f"this objective needs the teacher's {name}; the batch carries none")
    return target


def _expected(weights: Tensor, log_student: Tensor) -> Tensor:
    """−weights · log_student, 0 where the student's is -inf.

    What the student's scheme forbids cannot be learned: the teacher's (small) mass on it is dropped, where a plain
    product would make the loss infinite.
    """
    return -weights * torch.nan_to_num(log_student, nan=torch.nan, posinf=torch.inf, neginf=0.0)


def _weighted_paths(student: LinearChainCRF, teacher: TeacherTargets, weights: Tensor) -> Tensor:
    """(batch,) −Σ weight · log p_s(path); one log-partition for all paths; forbidden paths are dropped."""
    return _expected(weights, student.log_prob(_given(teacher.paths, "paths"))).sum(-1)
