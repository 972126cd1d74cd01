"""Cross-entropies between teacher and student, the parts that objectives are made of."""

from __future__ import annotations

import torch
from torch import Tensor

from skd_lightning.crf import LinearChainCRF


def expected(weights: Tensor, log_student: Tensor) -> Tensor:
    """Return −weights · log_student, element by element, in nats; 0 where ``log_student`` is -inf.

    What the student's tag scheme forbids cannot be learned: the teacher's (small) mass on it is dropped, where a
    plain product would make the loss infinite.

    Args:
        weights: probabilities of the teacher, any shape.
        log_student: log-probabilities of the student, the same shape.
    """
    return -weights * torch.nan_to_num(log_student, nan=torch.nan, posinf=torch.inf, neginf=0.0)


def refuse_by_word(crf: LinearChainCRF) -> None:
    """Refuse a chain whose transitions differ from word to word.

    Raises:
        ValueError: they are (batch, words − 1, tags, tags).
    """
    if crf.transitions.dim() == 4:
        raise ValueError(
            "transitions that differ from word to word; structural takes (tags, tags) or one a sentence"
        )


def expected_paths(student: LinearChainCRF, paths: Tensor, weights: Tensor) -> Tensor:
    """Return (batch,) −Σ weight · log p_s(path) in nats; the paths share one log-partition.

    Args:
        student: the student's distributions.
        paths: (batch, k, words) tag sequences; the sum drops those that the student forbids.
        weights: (batch, k) of these sequences; 0 where a sentence has fewer than k.
    """
    return expected(weights, student.log_prob(paths)).sum(-1)


def expected_chain(student: LinearChainCRF, marginals: Tensor, counts: Tensor) -> Tensor:
    """Return (batch,) −Σ_y p(y) log p_s(y) in nats over all tag sequences, for p a chain or a mixture of chains.

    What the student forbids is dropped, as in :func:`expected`.

    Args:
        student: the student's distributions.
        marginals: (batch, words, tags) of p.
        counts: (batch, tags, tags) expected transition counts of p.

    Raises:
        ValueError: the student's transitions differ from word to word, which takes more than counts.
    """
    refuse_by_word(student)
    unary = expected(marginals, student.unary).sum(dim=(1, 2))
    return student.log_partition + unary + expected(counts, student.transitions).sum(dim=(1, 2))
