"""Targets of a batch: what the teachers say about its sentences, in the student's tags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from skd_lightning.crf import LinearChainCRF
from skd_lightning.distillation.cross_entropy import refuse_by_word
from skd_lightning.distillation.path_sets import path_set

if TYPE_CHECKING:
    from skd_lightning.distillation.objective import Objective


@dataclass
class TeacherTargets:
    """The teachers' answers on the sentences of a batch, in the student's tags; a field that is not needed is None.

    Attributes:
        emissions: (batch, words, tags) nats; -inf for tags that the teacher does not know, 0 at padding.
        unary: (batch, words, tags) the same with the start and end scores of the outer words added.
        transitions: (batch, tags, tags) nats ``[from, to]``, those of each sentence's teacher.
        marginals: (batch, words, tags) posterior probabilities; 0 at padding.
        transition_counts: (batch, tags, tags) expected number of times that one tag follows another.
        paths: (batch, k, words) the teacher's k best tag sequences.
        log_probs: (batch, k) log p_t of these sequences in nats; -inf where there are fewer than k, but there is
            always one (that of an empty sentence has probability 1). Best first, unless sequences that were several in
            the teacher's tags are the same in the student's: the first has the probability of all, the others -inf.
        pairs: (batch, words, tags, tags) bool, the pairs of tags that likely paths consist of, see
            :func:`skd_lightning.distillation.path_sets.path_set`.
        taught: (batch,) bool, False for sentences on which nobody listens to the teachers; None for all True.
    """

    emissions: Tensor | None = None
    unary: Tensor | None = None
    transitions: Tensor | None = None
    marginals: Tensor | None = None
    transition_counts: Tensor | None = None
    paths: Tensor | None = None
    log_probs: Tensor | None = None
    pairs: Tensor | None = None
    taught: Tensor | None = None

    def chain(self, lengths: Tensor) -> LinearChainCRF:
        """Return the teacher's distributions.

        Args:
            lengths: (batch,) words of each sentence.
        """
        return LinearChainCRF(given(self.unary, "unary"), given(self.transitions, "transitions"), lengths)

    @classmethod
    def of(cls, teacher: LinearChainCRF, objective: Objective) -> TeacherTargets:
        """Return the targets that an objective needs, from any distribution over the student's tags.

        No gradient flows to the teacher.

        Raises:
            ValueError: the objective needs its potentials, and its transitions differ from word to word.
        """
        needs, targets = objective.needs, cls()
        if needs.emissions:
            targets.emissions = teacher.emissions.detach()
        if needs.chain:
            refuse_by_word(teacher)
            targets.unary = teacher.unary.detach()
            targets.transitions = teacher.transitions.detach().expand(len(teacher.lengths), -1, -1)
        if needs.marginals is not None:
            marginals = teacher.tempered(needs.marginals).marginals.detach()
            targets.marginals = softened(marginals, needs.softening)
        if needs.transition_counts is not None:
            counts = teacher.tempered(needs.transition_counts).transition_counts
            targets.transition_counts = counts.detach()
        if needs.k:
            best = teacher.kbest(needs.k)
            targets.paths = best.paths
            targets.log_probs = (best.scores - teacher.log_partition.unsqueeze(1)).detach()
        if needs.path_set is not None:
            targets.pairs = path_set([teacher], [1.0], needs.path_set)
        return targets


def softened(marginals: Tensor, temperature: float) -> Tensor:
    """Return q^{1/T}, renormalised over the tags; 0 where all are 0, as at padding.

    Args:
        marginals: (…, tags) probabilities q.
        temperature: T.
    """
    if temperature == 1.0:
        return marginals
    powers = marginals.pow(1.0 / temperature)
    return powers / powers.sum(-1, keepdim=True).clamp(min=torch.finfo(powers.dtype).tiny)


def given(target: Tensor | None, name: str) -> Tensor:
    """Return a field of the targets.

    Raises:
        ValueError: the field is None.
    """
    if target is None:
        raise ValueError(f"this objective needs the teacher's {name}; the batch carries none")
    return target
