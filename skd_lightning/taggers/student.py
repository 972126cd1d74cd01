"""The student: one multilingual tagger that learns from gold tags and from the teachers' structure."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor

from skd_lightning.crf import LinearChainCRF
from skd_lightning.data.batches import Batch
from skd_lightning.distillation.annealing import Annealing
from skd_lightning.distillation.objectives import Objective
from skd_lightning.encoders import BiLSTM, Context, Embedder
from skd_lightning.errors import UserError
from skd_lightning.taggers.checkpoints import load
from skd_lightning.taggers.decoding import Decoding
from skd_lightning.taggers.head import Decoder
from skd_lightning.taggers.optimization import Optimization
from skd_lightning.taggers.tagger import Tagger
from skd_lightning.taggers.wide import Wide
from skd_lightning.tags import Scheme


class Student(Tagger):
    """L = λ·L_KD + (1 − λ)·L_NLL, λ by teacher annealing (Wang et al. 2020, Algorithm 1).

    A sentence without gold tags has the loss λ_u · L_KD, with a λ_u of its own (1 if nothing else is said).

    Args:
        tags: names of the tags; given by the data.
        scheme: meaning of the tags: ``bioes``, ``iob2`` or ``none``; given by the data.
        languages: languages that it is trained and evaluated on; given by the data.
        embedder: words to vectors, the same for all languages; no word lists.
        context: vectors of words to vectors in context.
        wide: a CRF of sparse features beside the network; None for the network alone.
        decoder: ``crf`` or ``softmax``.
        constrain: never predict what the tag scheme forbids.
        optimization: optimiser, learning rates and their schedule.
        objective: the distillation loss L_KD with its settings; None for the baseline, which has no teacher.
        annealing: how λ falls.
        unlabelled_annealing: how λ_u falls, the weight of sentences on which only a teacher speaks.
        decoding: ``viterbi``, ``marginals`` for tags that mark no entities, or ``entities`` for those that do; None for
            ``entities`` where it is possible, but for students of ``TopK``, and else ``viterbi``.

    Raises:
        UserError: the objective does not go with the decoder.
    """

    curves = ("train/loss", "train/teacher_weight", "train/loss_kd", "train/loss_nll")

    def __init__(
        self,
        tags: list[str],
        scheme: Scheme,
        languages: list[str],
        embedder: Embedder,
        context: Context = BiLSTM(),  # noqa: B008 - frozen
        wide: Wide | None = None,
        decoder: Decoder = "crf",
        constrain: bool = True,
        optimization: Optimization = Optimization(),  # noqa: B008 - frozen
        objective: Objective | None = None,
        annealing: Annealing = Annealing(),  # noqa: B008 - frozen
        unlabelled_annealing: Annealing = Annealing("constant"),  # noqa: B008 - frozen
        decoding: Decoding | None = None,
    ) -> None:
        if decoding is None and objective is not None and not objective.teaches_probabilities:
            decoding = "viterbi"
        super().__init__(
            *(tags, scheme, languages, embedder, context, wide, decoder, constrain, optimization, decoding)
        )
        if objective is not None and decoder not in objective.decoders:
            raise UserError(
                f"--model.objective {type(objective).__name__} is for {' or '.join(objective.decoders)} decoders: "
                f"add --model.decoder {objective.decoders[0]}, or take another objective for this {decoder} decoder"
            )
        self.objective = objective
        self.annealing, self.unlabelled_annealing = annealing, unlabelled_annealing

    def load_teacher(self, path: Path, outside: bool = False) -> Tagger:
        """Return a trained teacher, on the device of the student.

        Vectors that never change are looked for where the student keeps its own.

        Args:
            path: its run folder.
            outside: see :func:`load`.
        """
        return load(path, outside, cache=self.encoder.embedder.cache).to(self.device)

    @property
    def learns_from_unlabelled(self) -> bool:
        """True for a student with a teacher."""
        return self.objective is not None

    def teacher_weight(self) -> float:
        """Return λ of this step; 0 for the baseline."""
        return self._weight(self.annealing) if self.objective is not None else 0.0

    def _weight(self, annealing: Annealing) -> float:
        trainer = self.trainer
        steps = max(1, -(-int(trainer.num_training_batches) // trainer.accumulate_grad_batches))
        max_epochs = -1 if trainer.max_epochs is None else trainer.max_epochs
        bounds = [bound for bound in (max_epochs, trainer.max_steps / steps) if bound > 0]
        length = min(bounds, default=math.inf)
        return annealing.weight(trainer.current_epoch, trainer.global_step / steps, length)

    def losses(self, crf: LinearChainCRF, batch: Batch) -> Tensor:
        """Return (batch,) the weighted sum of the teacher's and the gold loss, in nats a sentence.

        A sentence that no teacher speaks on has the gold loss alone, or none.
        """
        if self.objective is None:
            return super().losses(crf, batch)
        weight = self.teacher_weight()
        # Before the likelihood: an objective that needs both directions then shares its forward pass with it.
        from_teacher = self.objective(crf, batch.targets)
        share: Tensor | float = weight
        annotated = batch.labelled.sum()
        taught = torch.full_like(annotated, len(batch))
        if batch.targets.taught is not None:  # where nobody speaks, gold tags are all there is
            from_teacher = torch.where(batch.targets.taught, from_teacher, 0.0)
            share = weight * batch.targets.taught.to(from_teacher.dtype)
            taught = batch.targets.taught.sum()
        from_gold = super().losses(crf, batch)
        self.log_mean("train/teacher_weight", from_teacher.new_full((), weight), len(batch))
        self.log_mean("train/loss_kd", from_teacher.sum() / taught.clamp(min=1), taught)
        self.log_mean("train/loss_nll", from_gold.sum() / annotated.clamp(min=1), annotated)
        labelled = torch.lerp(from_gold, from_teacher, share)  # (1 - share) · gold + share · teacher
        return torch.where(batch.labelled, labelled, self._weight(self.unlabelled_annealing) * from_teacher)
