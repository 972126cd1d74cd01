"""Exact probabilities of entities from a batch of distributions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from skd_lightning.crf import LinearChainCRF
from skd_lightning.entity_spans import SpanLogProb, entities_with_probabilities
from skd_lightning.predictions import Entity
from skd_lightning.tags import TagSet


def entities_of_chain(
    crf: LinearChainCRF, tags: Sequence[Sequence[str]], tag_set: TagSet, well_formed: bool
) -> list[tuple[Entity, ...]]:
    """Return the entities of each sentence of a batch, with their exact probabilities.

    Args:
        crf: the distributions.
        tags: a sequence of tags for each sentence, such as the most probable one.
        tag_set: the tags of the distributions; without an entity scheme, no sentence has entities.
        well_formed: True if the distributions give ill-formed sequences no probability; saves work.

    >>> tag_set = TagSet.of(["B-PER"], "iob2")  # O, B-PER, I-PER
    >>> emissions = torch.tensor([[[0.2, 0.8, 0.0], [0.5, 0.1, 0.4]]]).log()
    >>> crf = LinearChainCRF(emissions, torch.zeros(3, 3), torch.tensor([2]))
    >>> found = entities_of_chain(crf, [["B-PER", "O"]], tag_set, well_formed=True)
    >>> found[0][0].label, round(found[0][0].probability, 4)  # 0.8 · (1 − 0.4)
    ('PER', 0.48)
    """
    return entities_with_probabilities(span_log_prob_of(crf), tags, tag_set, well_formed)


def span_log_prob_of(crf: LinearChainCRF) -> SpanLogProb:
    """Return log p of spans of these distributions, with arrays of NumPy for tensors."""

    def span_log_prob(*spans: NDArray[np.int64]) -> NDArray[np.float64]:
        log_probs: NDArray[np.float64] = (
            crf.span_log_prob(*map(torch.from_numpy, spans)).double().cpu().numpy()
        )
        return log_probs

    return span_log_prob
