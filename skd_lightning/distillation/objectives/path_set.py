"""Path set: the probability of all paths that the teachers find likely."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from skd_lightning.crf import LinearChainCRF
from skd_lightning.distillation.objective import Needs, Objective, refuse_unless
from skd_lightning.distillation.targets import TeacherTargets, given


@dataclass(frozen=True)
class PathSet(Objective):
    """−log p_s(any path of S): the student may choose among the paths that the teachers find likely.

    S consists of the fewest pairs of neighbouring tags whose probability under the teachers together reaches a mass,
    and of each teacher's best path. Source: Kurniawan et al. 2022 (NAACL), eq. 2, for linear chains.

    A sentence whose student forbids all of S has the loss 0.

    Attributes:
        mass: above 0, at most 1, at which S has every path.
    """

    mass: float = 0.95

    def __post_init__(self) -> None:
        refuse_unless(0 < self.mass <= 1, "mass", self.mass, "above 0, at most 1")

    @property
    def needs(self) -> Needs:
        """The pairs of tags."""
        return Needs(path_set=self.mass)

    def __call__(self, student: LinearChainCRF, teacher: TeacherTargets) -> Tensor:
        """Return the loss of each sentence, (batch,) nats."""
        pairs = given(teacher.pairs, "pairs")
        log_inside = student.restricted_log_partition(pairs)
        possible = ~torch.isneginf(log_inside)
        return torch.where(possible, student.log_partition - torch.where(possible, log_inside, 0.0), 0.0)
