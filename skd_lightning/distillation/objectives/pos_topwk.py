"""Posterior and Top-WK together."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from skd_lightning.crf import LinearChainCRF
from skd_lightning.distillation.objective import Needs, Objective, Tempering, refuse_unless
from skd_lightning.distillation.objectives.posterior import Posterior
from skd_lightning.distillation.objectives.topwk import TopWK
from skd_lightning.distillation.targets import TeacherTargets


@dataclass(frozen=True)
class PosTopWK(Objective):
    """Weighted sum of :class:`Posterior` and :class:`TopWK` (section 3.3).

    Attributes:
        k: see :class:`TopWK`.
        temperature: see both; T² multiplies the posterior's loss alone, which then weighs more.
        tempering: see both.
        posterior_weight: of the posterior's loss; with the default weights the sum is the mean of the two losses.
        topwk_weight: of the sequences' loss; weights of 1 and 1 make the sum that the paper's code takes.
    """

    k: int = 5
    temperature: float = 1.0
    tempering: Tempering = "marginals"
    posterior_weight: float = 0.5
    topwk_weight: float = 0.5

    def __post_init__(self) -> None:
        for option in ("posterior_weight", "topwk_weight"):
            weight: float = getattr(self, option)
            refuse_unless(0 <= weight < float("inf"), option, weight, "at least 0, and finite")
        self._both()  # refuses what else is out of range

    @property
    def needs(self) -> Needs:
        """The needs of both."""
        posterior, topwk = self._both()
        return replace(posterior.needs, k=topwk.needs.k)

    def __call__(self, student: LinearChainCRF, teacher: TeacherTargets) -> Tensor:
        """Return the loss of each sentence, (batch,) nats."""
        posterior, topwk = self._both()
        by_word = posterior(student, teacher)
        return self.posterior_weight * by_word + self.topwk_weight * topwk(student, teacher)

    def _both(self) -> tuple[Posterior, TopWK]:
        posterior = Posterior(self.temperature, self.tempering)
        return posterior, TopWK(self.k, self.temperature, self.tempering)
