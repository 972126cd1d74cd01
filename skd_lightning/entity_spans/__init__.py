"""Entities of distributions over tag sequences: how probable each is, and which to predict."""

from skd_lightning.entity_spans.choice import (
    HIGHEST,
    LOWEST,
    checked_threshold,
    decode_entities,
    threshold_of,
)
from skd_lightning.entity_spans.probabilities import SpanLogProb, entities_with_probabilities

__all__ = [
    "HIGHEST",
    "LOWEST",
    "SpanLogProb",
    "checked_threshold",
    "decode_entities",
    "entities_with_probabilities",
    "threshold_of",
]
