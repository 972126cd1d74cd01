"""Structural: the distance between whole distributions over tag sequences, exactly."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from skd_lightning.crf import LinearChainCRF
from skd_lightning.distillation.cross_entropy import expected_chain, refuse_by_word
from skd_lightning.distillation.objective import Needs, Objective, refuse_temperature, refuse_unless
from skd_lightning.distillation.targets import TeacherTargets, given


@dataclass(frozen=True)
class Structural(Objective):
    """−T² Σ_y p_t(y|x) log p_s(y|x) over all tag sequences: at T = 1, Top-WK with every path.

    For chains it is log Z_s − Σ_i Σ_y μ_t(i, y) unary_s(i, y) − Σ N_t(a, b) transitions_s(a, b), with the teacher's
    marginals μ_t and transition counts N_t; its gradient, μ_s − μ_t and N_s − N_t, costs as much as that of the
    likelihood. Source: Wang et al. 2021 (ACL, arXiv 2010.05010), here with the tempered potentials of both sides, which
    is exact at every temperature.

    With 0 < α < 1 it is T² D_α(p_t‖p_s) / α, Rényi's divergence, between the forward divergence (α → 1) and the reverse
    one (α → 0), which α = 0 is: T² KL(p_s‖p_t). These ask for the teacher's whole distribution at every step.

    Where the student's tag scheme forbids what the teacher allows, α = 1 drops the teacher's mass there. Where the
    teacher forbids what the student allows, α = 0 does without these sequences, see :func:`reverse_divergence`. Between
    them, either is part of the divergence, and the loss is infinite only where the two have no sequence in common.

    Attributes:
        alpha: α, 0, 1, or between 0.001 and 0.999: nearer to the ends, rounding would decide about the loss.
        temperature: T, softens the potentials of teacher and student alike; 1 leaves both as they are.
    """

    alpha: float = 1.0
    temperature: float = 1.0

    def __post_init__(self) -> None:
        valid = self.alpha in (0, 1) or 0.001 <= self.alpha <= 0.999
        refuse_unless(valid, "alpha", self.alpha, "0, 1, or from 0.001 to 0.999")
        refuse_temperature(self.temperature)

    @property
    def needs(self) -> Needs:
        """The marginals and transition counts, or the potentials."""
        if self.alpha < 1:
            return Needs(chain=True)
        return Needs(marginals=self.temperature, transition_counts=self.temperature)

    def __call__(self, student: LinearChainCRF, teacher: TeacherTargets) -> Tensor:
        """Return the loss of each sentence, (batch,) nats."""
        student = student.tempered(self.temperature)
        if self.alpha == 1:
            marginals = given(teacher.marginals, "marginals")
            counts = given(teacher.transition_counts, "transition_counts")
            distance = expected_chain(student, marginals, counts)
        else:
            chain = teacher.chain(student.lengths).tempered(self.temperature)
            if self.alpha == 0:
                distance = reverse_divergence(student, chain)
            else:
                distance = chain.renyi(student, self.alpha) / self.alpha
        return self.temperature**2 * distance


def reverse_divergence(student: LinearChainCRF, teacher: LinearChainCRF) -> Tensor:
    """Return (batch,) KL(student‖teacher) in nats.

    Where the teacher forbids a set of sequences F that the student allows, it would be infinite: instead the student
    without F is compared, and its mass there costs −log(1 − p_s(F)).

    Raises:
        ValueError: the student's transitions differ from word to word.
    """
    refuse_by_word(student)
    unary = student.unary.masked_fill(torch.isneginf(teacher.unary), -torch.inf)
    transitions = torch.where(torch.isneginf(teacher.transitions), -torch.inf, student.transitions)
    both = LinearChainCRF(unary, transitions, student.lengths)
    distance = student.log_partition - both.log_partition + both.kl(teacher)
    return distance.masked_fill(torch.isneginf(both.log_partition), torch.inf)
