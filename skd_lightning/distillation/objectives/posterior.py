"""Posterior: the forward-backward marginals of each word."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from skd_lightning.crf import LinearChainCRF
from skd_lightning.distillation.cross_entropy import expected
from skd_lightning.distillation.objective import Needs, Objective, Tempering, refuse_temperature
from skd_lightning.distillation.targets import TeacherTargets, given


@dataclass(frozen=True)
class Posterior(Objective):
    """−T² Σ_i Σ_y q_t(y_i) log q_s(y_i), q the forward-backward marginals (eq. 13).

    Attributes:
        temperature: T, softens teacher and student alike; 1 leaves both as they are.
        tempering: ``marginals`` tempers these (q^{1/T}, renormalised; the paper's code), ``potentials`` tempers
            emissions and transitions of both sides before forward-backward.
    """

    temperature: float = 1.0
    tempering: Tempering = "marginals"

    def __post_init__(self) -> None:
        refuse_temperature(self.temperature, self.tempering)

    @property
    def needs(self) -> Needs:
        """The marginals, tempered as they are or made from tempered potentials."""
        if self.tempering == "potentials":
            return Needs(marginals=self.temperature)
        return Needs(marginals=1.0, softening=self.temperature)

    def __call__(self, student: LinearChainCRF, teacher: TeacherTargets) -> Tensor:
        """Return the loss of each sentence, (batch,) nats."""
        temperature, tempering = self.temperature, self.tempering
        soft = given(teacher.marginals, "marginals")
        if tempering == "potentials":
            student = student.tempered(temperature)
        log_student = student.log_marginals
        if temperature != 1.0 and tempering == "marginals":
            inside = log_student.masked_fill(~student.mask.unsqueeze(-1), 0.0)
            log_student = torch.log_softmax(inside / temperature, dim=-1)
        return temperature**2 * expected(soft, log_student).sum(dim=(1, 2))
