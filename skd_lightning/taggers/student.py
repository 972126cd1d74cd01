"""The student: one multilingual tagger that learns from gold tags and from the teachers' structure."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from skd_lightning.crf import LinearChainCRF
from skd_lightning.data.batches import Batch
from skd_lightning.distillation import Annealing, Loss, make_objective
from skd_lightning.distillation.objectives import Tempering
from skd_lightning.encoders import Encoder
from skd_lightning.errors import UserError
from skd_lightning.taggers.head import Decoder
from skd_lightning.taggers.loading import load
from skd_lightning.taggers.optimization import Optimization
from skd_lightning.taggers.tagger import Tagger
from skd_lightning.tags import Scheme


class Student(Tagger):
    """L = λ·L_KD + (1 − λ)·L_NLL, λ by teacher annealing (Wang et al. 2020, Algorithm 1).

    A sentence without gold tags has the loss λ_u · L_KD, with a λ_u of its own (1 if nothing else is said).

    Args:
        tags: see :class:`Tagger`.
        scheme: see :class:`Tagger`.
        languages: see :class:`Tagger`.
        encoder: what all languages share; no word lists.
        decoder: see :class:`Tagger`.
        constrain: see :class:`Tagger`.
        optimization: see :class:`Tagger`.
        loss: the distillation objective; ``none`` is the baseline.
        k: how many of the teacher's best sequences.
        temperature: softens teacher and student alike; 1 leaves both as they are.
        tempering: temper the ``marginals`` (the paper's code) or the ``potentials``.
        annealing: how λ falls.
        posterior_weight: weight of ``posterior`` in ``pos_topwk``.
        topwk_weight: weight of ``topwk`` in ``pos_topwk``; 1 and 1 make the sum of the paper's code.
        unlabelled_annealing: how λ_u falls, the weight of sentences on which only a teacher speaks.
    """

    curves = ("train/loss", "train/teacher_weight", "train/loss_kd", "train/loss_nll")

    def __init__(
        self,
        tags: list[str],
        scheme: Scheme,
        languages: list[str],
        encoder: Encoder,
        decoder: Decoder = "crf",
        constrain: bool = True,
        optimization: Optimization = Optimization(),  # noqa: B008 - frozen
        loss: Loss = "none",
        k: int = 5,
        temperature: float = 1.0,
        tempering: Tempering = "marginals",
        annealing: Annealing = Annealing(),  # noqa: B008 - frozen
        posterior_weight: float = 0.5,
        topwk_weight: float = 0.5,
        unlabelled_annealing: Annealing = Annealing("constant"),  # noqa: B008 - frozen
    ) -> None:
        super().__init__(tags, scheme, languages, encoder, decoder, constrain, optimization)
        if k < 1:
            raise UserError(f"--model.k is {k}, it must be at least 1")
        if temperature <= 0:
            raise UserError(f"--model.temperature is {temperature}, it must be above 0")
        if loss == "token" and decoder != "softmax":
            raise UserError(
                "--model.loss token matches words one by one and is for softmax decoders: "
                "add --model.decoder softmax, or take --model.loss emission"
            )
        self.loss, self.k = loss, k
        self.temperature, self.tempering = temperature, tempering
        self.annealing, self.unlabelled_annealing = annealing, unlabelled_annealing
        self.objective = make_objective(loss, temperature, tempering, posterior_weight, topwk_weight)

    def load_teacher(self, path: Path) -> Tagger:
        """A trained teacher, on the device of the student."""
        return load(path).to(self.device)

    @property
    def learns_from_unlabelled(self) -> bool:
        """A student with a teacher does."""
        return self.objective is not None

    def teacher_weight(self) -> float:
        """λ of this step; 0 for the baseline."""
        return self._weight(self.annealing) if self.objective is not None else 0.0

    def _weight(self, annealing: Annealing) -> float:
        trainer = self.trainer
        steps = max(1, -(-int(trainer.num_training_batches) // trainer.accumulate_grad_batches))
        max_epochs = float(trainer.max_epochs or 1)
        if max_epochs < 0:  # bounded by steps
            max_epochs = max(1.0, trainer.max_steps / steps)
        return annealing.weight(trainer.current_epoch, trainer.global_step / steps, max_epochs)

    def losses(self, crf: LinearChainCRF, batch: Batch) -> Tensor:
        """(batch,) weighted sum of the teacher's and the gold loss, in nats a sentence."""
        if self.objective is None:
            return super().losses(crf, batch)
        weight = self.teacher_weight()
        # Before the likelihood: an objective that needs both directions then shares its forward pass with it.
        from_teacher = self.objective(crf, batch.targets)
        from_gold = super().losses(crf, batch)
        annotated = batch.labelled.sum()
        self.log_mean("train/teacher_weight", from_teacher.new_full((), weight), len(batch))
        self.log_mean("train/loss_kd", from_teacher.mean(), len(batch))
        self.log_mean("train/loss_nll", from_gold.sum() / annotated.clamp(min=1), annotated)
        labelled = torch.lerp(from_gold, from_teacher, weight)  # (1 - weight) · gold + weight · teacher
        return torch.where(batch.labelled, labelled, self._weight(self.unlabelled_annealing) * from_teacher)
