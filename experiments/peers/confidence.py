"""How sure a peer is of what it tags, in the form that our own runs have it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from skd_lightning.data.sentence import Sentence
from skd_lightning.taggers.confidences import binned
from skd_lightning.tags import TagSet, entities


@dataclass(frozen=True)
class Confidence:
    """How sure a model is of one sentence.

    Attributes:
        decoded: (words,) probability of the tag that it chose for each word.
        gold: (words,) probability of each gold tag; None where the model has no distribution to ask.
        entities: probability of each entity that it found, in the order of ``tags.entities``.
    """

    decoded: Sequence[float]
    gold: Sequence[float] | None
    entities: Sequence[float] = ()


def calibration(
    sentences: Sequence[Sentence],
    tags: Sequence[Sequence[str]],
    confidences: Sequence[Confidence],
    tag_set: TagSet,
) -> dict[str, Any]:
    """Return the calibration of one language, as :meth:`ConfidenceCounts.compute` has that of our own taggers."""
    sure, of_gold, right, entity_sure, entity_right = [], [], [], [], []
    for sentence, own, confidence in zip(sentences, tags, confidences, strict=True):
        sure += confidence.decoded
        of_gold += [None] * len(own) if confidence.gold is None else confidence.gold
        right += [tag == true for tag, true in zip(own, sentence.tags or (), strict=True)]
        true_entities = set(entities(sentence.tags or ()))
        found = entities(own) if tag_set.scheme != "none" else []
        entity_right += [entity in true_entities for entity in found]
        entity_sure += confidence.entities
    row: dict[str, Any] = {
        "words": binned(torch.tensor(sure, dtype=torch.double), torch.tensor(right, dtype=torch.bool))
    }
    if of_gold and None not in of_gold:
        # What underflows counts 87 nats, as with our own taggers.
        row["log_loss"] = float(-np.log(np.maximum(of_gold, np.finfo(np.float32).tiny)).mean())
    if tag_set.scheme != "none":
        of_entities = (
            torch.tensor(entity_sure, dtype=torch.double),
            torch.tensor(entity_right, dtype=torch.bool),
        )
        row["entities"] = binned(*of_entities)
    return row
