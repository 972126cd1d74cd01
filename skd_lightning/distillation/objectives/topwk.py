"""Top-WK: the teacher's k best sequences, weighted by their probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from skd_lightning.crf import LinearChainCRF
from skd_lightning.distillation.cross_entropy import expected_paths
from skd_lightning.distillation.objective import (
    Needs,
    Objective,
    Tempering,
    refuse_temperature,
    refuse_unless,
)
from skd_lightning.distillation.targets import TeacherTargets, given


@dataclass(frozen=True)
class TopWK(Objective):
    """−Σ_ŷ p'_t(ŷ) log p_s(ŷ|x), p'_t the teacher's p_t renormalised over its k best sequences (eq. 9).

    Attributes:
        k: how many sequences; of a sentence that has fewer, all of them.
        temperature: divides the teacher's scores where the potentials are tempered.
        tempering: ``potentials`` tempers the weights of the sequences, ``marginals`` leaves sequences alone.
    """

    k: int = 5
    temperature: float = 1.0
    tempering: Tempering = "marginals"

    def __post_init__(self) -> None:
        refuse_unless(self.k >= 1, "k", self.k, "at least 1")
        refuse_temperature(self.temperature, self.tempering)

    @property
    def needs(self) -> Needs:
        """The k best sequences."""
        return Needs(k=self.k)

    def __call__(self, student: LinearChainCRF, teacher: TeacherTargets) -> Tensor:
        """Return the loss of each sentence, (batch,) nats."""
        log_probs = given(teacher.log_probs, "log_probs")
        temperature = self.temperature if self.tempering == "potentials" else 1.0
        weights = torch.softmax(log_probs / temperature, dim=-1)
        return expected_paths(student, given(teacher.paths, "paths"), weights)
