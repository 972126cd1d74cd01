"""Token: word by word, for softmax decoders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from skd_lightning.crf import LinearChainCRF
from skd_lightning.distillation.objective import Needs, Objective
from skd_lightning.distillation.objectives.posterior import Posterior
from skd_lightning.distillation.targets import TeacherTargets


@dataclass(frozen=True)
class Token(Objective):
    """−T² Σ_i Σ_y p_t(y_i) log p_s(y_i), both tempered (eq. 4).

    The student's words are independent: its marginals are the softmax of its emissions. The loss is that of
    :class:`Posterior`, which a CRF student takes.

    Attributes:
        temperature: T, softens teacher and student alike; 1 leaves both as they are.
    """

    decoders: ClassVar[tuple[str, ...]] = ("softmax",)
    temperature: float = 1.0

    def __post_init__(self) -> None:
        self._posterior()  # refuses what is out of range

    @property
    def needs(self) -> Needs:
        """The marginals."""
        return self._posterior().needs

    def __call__(self, student: LinearChainCRF, teacher: TeacherTargets) -> Tensor:
        """Return the loss of each sentence, (batch,) nats."""
        return self._posterior()(student, teacher)

    def _posterior(self) -> Posterior:
        return Posterior(self.temperature)
