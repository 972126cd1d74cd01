"""Emission: word by word, transitions ignored."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from skd_lightning.crf import LinearChainCRF
from skd_lightning.distillation.objective import Needs, Objective, refuse_temperature
from skd_lightning.distillation.targets import TeacherTargets, given


@dataclass(frozen=True)
class Emission(Objective):
    """−T² Σ_i Σ_y softmax(e_t/T) log softmax(e_s/T), transitions ignored (eq. 5).

    Attributes:
        temperature: T, softens teacher and student alike; 1 leaves both as they are.
    """

    temperature: float = 1.0

    def __post_init__(self) -> None:
        refuse_temperature(self.temperature)

    @property
    def needs(self) -> Needs:
        """The emissions."""
        return Needs(emissions=True)

    def __call__(self, student: LinearChainCRF, teacher: TeacherTargets) -> Tensor:
        """Return the loss of each sentence, (batch,) nats."""
        soft = torch.softmax(given(teacher.emissions, "emissions") / self.temperature, dim=-1)
        logits = student.emissions / self.temperature
        by_word = functional.cross_entropy(logits.transpose(1, 2), soft.transpose(1, 2), reduction="none")
        return self.temperature**2 * (by_word * student.mask).sum(1)
