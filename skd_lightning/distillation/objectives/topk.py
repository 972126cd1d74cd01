"""Top-K: the teacher's k best sequences, all alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from skd_lightning.crf import LinearChainCRF
from skd_lightning.distillation.cross_entropy import expected_paths
from skd_lightning.distillation.objective import Needs, Objective, refuse_unless
from skd_lightning.distillation.targets import TeacherTargets, given


@dataclass(frozen=True)
class TopK(Objective):
    """−(1/k) Σ_ŷ log p_s(ŷ|x) over the teacher's k best sequences (eq. 8).

    Attributes:
        k: how many sequences; of a sentence that has fewer, all of them.
    """

    teaches_probabilities: ClassVar[bool] = False  # what rivals the best sequence becomes as probable as it
    k: int = 5

    def __post_init__(self) -> None:
        refuse_unless(self.k >= 1, "k", self.k, "at least 1")

    @property
    def needs(self) -> Needs:
        """The k best sequences."""
        return Needs(k=self.k)

    def __call__(self, student: LinearChainCRF, teacher: TeacherTargets) -> Tensor:
        """Return the loss of each sentence, (batch,) nats."""
        exists = ~torch.isneginf(given(teacher.log_probs, "log_probs"))
        weights = exists / exists.sum(-1, keepdim=True).clamp(min=1)
        return expected_paths(student, given(teacher.paths, "paths"), weights)
