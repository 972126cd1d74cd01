"""The entities to predict for a high F1: those that are probable enough and do not overlap.

F1 = 2 · found / (predicted + gold). One more entity of probability p adds 2p above and 1 below the line, which raises a
ratio of F if p > F / 2. So the predictions of the best expected F1, F*, are what is right with a probability above F*/2
(Lipton, Elkan and Narayanaswamy 2014, arXiv 1402.1892). The most probable tag sequence has too few entities: one that
competes with no entity has to be more probable than its absence.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from skd_lightning.entity_spans.entity_tags import entity_tags
from skd_lightning.entity_spans.probabilities import SpanLogProb, with_probabilities
from skd_lightning.errors import UserError
from skd_lightning.predictions import Entity
from skd_lightning.tags import TagSet, spelled

LOWEST, HIGHEST = 0.05, 0.5
"""Bounds of a threshold: at 0, every span would count; an F1 is at most 1."""


def threshold_of(f1: float) -> float:
    """Return the threshold that belongs to an F1 between 0 and 1, such as that of dev sentences."""
    return min(max(f1 / 2, LOWEST), HIGHEST)


def checked_threshold(threshold: float) -> float:
    """Return a threshold that is in its bounds.

    Raises:
        UserError: it is not.
    """
    if not LOWEST <= threshold <= HIGHEST:
        raise UserError(f"the threshold of entities is {threshold}, it must be from {LOWEST} to {HIGHEST}")
    return threshold


def decode_entities(
    span_log_prob: SpanLogProb,
    marginals: NDArray[np.floating],
    lengths: Sequence[int],
    tag_set: TagSet,
    threshold: float,
) -> NDArray[np.int64]:
    """Return the tags of the entities with the largest sum of probability − threshold, (batch, words); 0 at padding.

    Exact. No entity overlaps another. The distributions must give ill-formed sequences no probability.

    Args:
        span_log_prob: of the distributions.
        marginals: (batch, words, tags) p(y_i | x), anything at padding.
        lengths: words of each sentence.
        tag_set: the tags of the distributions, of an entity scheme.
        threshold: between ``LOWEST`` and ``HIGHEST``; the lower, the more entities are looked at.
    """
    assert tag_set.scheme != "none"
    possible = _possible(span_log_prob, marginals, lengths, tag_set, threshold)
    found = with_probabilities(span_log_prob, possible, lengths, tag_set, well_formed=True)
    paths = np.zeros(marginals.shape[:2], dtype=np.int64)
    for row, (own, words) in enumerate(zip(found, lengths, strict=True)):
        chosen = [(entity.label, entity.first, entity.last + 1) for entity in _disjoint(own, threshold)]
        paths[row, :words] = tag_set.encode(spelled(chosen, words, tag_set.scheme))
    return paths


def _possible(
    span_log_prob: SpanLogProb,
    marginals: NDArray[np.floating],
    lengths: Sequence[int],
    tag_set: TagSet,
    threshold: float,
) -> list[tuple[int, str, int, int]]:
    """Return sentence, type, first word and last word + 1 of all entities that can be above the threshold.

    A longer beginning of an entity is never more probable than a shorter one, so that a beginning which is not above
    the threshold is given up. Those above it exclude each other, so that no word has more than 1 / threshold.
    """
    tags = entity_tags(tag_set)
    begins = np.flatnonzero(tags.begins)
    inside = np.arange(marginals.shape[1]) < np.asarray(lengths)[:, None]
    rows, firsts, chosen = np.nonzero((marginals[:, :, begins] > threshold) & inside[:, :, None])
    alive: list[tuple[int, int, tuple[int, ...]]] = [
        (row, first, (number,))
        for row, first, number in zip(rows.tolist(), firsts.tolist(), begins[chosen].tolist(), strict=True)
    ]
    found = []
    while alive:
        found += [
            (row, tags.labels[numbers[0]], first, first + len(numbers))
            for row, first, numbers in alive
            if tags.ends[numbers[-1]]
        ]
        longer = [
            (row, first, (*numbers, number))
            for row, first, numbers in alive
            if first + len(numbers) < lengths[row]
            for number in tags.onward[numbers[-1]]
        ]
        alive = [
            span
            for span, p in zip(longer, _probabilities(span_log_prob, longer), strict=True)
            if p > threshold
        ]
    return found


def _probabilities(
    span_log_prob: SpanLogProb, spans: Sequence[tuple[int, int, tuple[int, ...]]]
) -> NDArray[np.float64]:
    if not spans:
        return np.zeros(0)
    rows, firsts, numbers = zip(*spans, strict=True)
    return np.exp(span_log_prob(np.array(rows), np.array(firsts), np.array(numbers)))


def _disjoint(found: Sequence[Entity], threshold: float) -> tuple[Entity, ...]:
    """Return those of the entities that do not overlap and have the largest sum of probability − threshold.

    Weighted interval scheduling: the best choice among the entities that end up to a word either has the last of them,
    beside the best choice among those that end before it begins, or does without.
    """
    probable = [entity for entity in found if entity.probability > threshold]
    ordered = sorted(probable, key=lambda entity: entity.last)
    lasts = [entity.last for entity in ordered]
    best: list[tuple[float, tuple[Entity, ...]]] = [(0.0, ())]
    for entity in ordered:
        before, chosen = best[bisect_right(lasts, entity.first - 1)]
        taken = before + entity.probability - threshold
        best.append((taken, (*chosen, entity)) if taken > best[-1][0] else best[-1])
    return best[-1][1]
