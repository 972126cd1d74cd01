"""Exact probabilities of entities: of all tag sequences of a sentence in which they stand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from skd_lightning.entity_spans.entity_tags import entity_tags
from skd_lightning.predictions import Entity
from skd_lightning.ragged import cells
from skd_lightning.tags import TagSet, entities

SpanLogProb = Callable[[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]], NDArray[np.float64]]
"""From sentence (n,), first word (n,) and tags (n, longest) of spans, -1 behind their ends, to log p (n,) in nats."""


def entities_with_probabilities(
    span_log_prob: SpanLogProb, tags: Sequence[Sequence[str]], tag_set: TagSet, well_formed: bool
) -> list[tuple[Entity, ...]]:
    """Return the entities of each sentence of a batch, with their exact probabilities.

    Both the entities and their probabilities follow the lenient reading of :func:`~skd_lightning.tags.entities`: a tag
    of an entity that does not carry on the one before it starts an entity. In a well-formed sequence of BIOES tags,
    this is the entity that the tags say; its probability is that of its own tags. In IOB2, an entity ends where no I-
    follows: p(B I … I) − p(B I … I I).

    Args:
        span_log_prob: of the distributions.
        tags: a sequence of tags for each sentence, such as the most probable one.
        tag_set: the tags of the distributions; without an entity scheme, no sentence has entities.
        well_formed: True if the distributions give ill-formed sequences no probability; saves work.
    """
    if tag_set.scheme == "none":
        return [()] * len(tags)
    found = [(row, *entity) for row, own in enumerate(tags) for entity in entities(own)]
    lengths = [len(own) for own in tags]
    return [tuple(own) for own in with_probabilities(span_log_prob, found, lengths, tag_set, well_formed)]


def with_probabilities(
    span_log_prob: SpanLogProb,
    found: Sequence[tuple[int, str, int, int]],
    lengths: Sequence[int],
    tag_set: TagSet,
    well_formed: bool,
) -> list[list[Entity]]:
    """Return entities with their exact probabilities by sentence, in the order in which they are given.

    Args:
        span_log_prob: of the distributions.
        found: sentence, type, first word and last word + 1 of each entity.
        lengths: words of each sentence.
        tag_set: the tags of the distributions, of an entity scheme.
        well_formed: True if the distributions give ill-formed sequences no probability; saves work.
    """
    spans: list[tuple[int, int, tuple[int, ...]]] = []
    signs: list[int] = []
    owners: list[int] = []
    for owner, (row, label, first, end) in enumerate(found):
        at_edges = first == 0, end == lengths[row]
        for sign, shift, sequence in _signed_spans(tag_set, label, end - first, *at_edges, well_formed):
            spans.append((row, first + shift, sequence))
            signs.append(sign)
            owners.append(owner)
    probabilities = _sums(span_log_prob, spans, signs, owners, len(found))
    by_sentence: list[list[Entity]] = [[] for _ in lengths]
    for (row, label, first, end), probability in zip(found, probabilities, strict=True):
        by_sentence[row].append(Entity(first, end - 1, label, probability))
    return by_sentence


def _sums(
    span_log_prob: SpanLogProb,
    spans: Sequence[tuple[int, int, tuple[int, ...]]],
    signs: Sequence[int],
    owners: Sequence[int],
    number: int,
) -> list[float]:
    """Return the signed sum of the probabilities of each owner's spans, as many as ``number``."""
    if not spans:
        return [0.0] * number
    rows, firsts, sequences = zip(*spans, strict=True)
    sizes = np.array([len(sequence) for sequence in sequences])
    padded = np.full((len(sizes), sizes.max()), -1)
    padded[cells(sizes)] = np.fromiter(chain.from_iterable(sequences), dtype=np.int64)
    sums = np.zeros(number)
    np.add.at(sums, owners, np.exp(span_log_prob(np.array(rows), np.array(firsts), padded)) * signs)
    clipped: list[float] = sums.clip(0.0, 1.0).tolist()
    return clipped


@lru_cache(maxsize=10_000)
def _signed_spans(
    tag_set: TagSet, label: str, size: int, begins: bool, ends: bool, well_formed: bool
) -> tuple[tuple[int, int, tuple[int, ...]], ...]:
    """Return spans whose signed probabilities add up to that of an entity, each (sign, place, tag numbers).

    An entity stands where each of its tags carries on the one before, unless it goes on to the left or to the right.
    The longer spans are subtracted; then those longer on both sides have been subtracted twice, and are added.

    Args:
        tag_set: of an entity scheme.
        label: the type of the entity.
        size: its words.
        begins: its first word is the sentence's first one.
        ends: its last word is the sentence's last one.
        well_formed: leave out spans that only ill-formed sequences have.

    Returns:
        sign: 1 or -1.
        place: of the span's first word, from the entity's first one: 0 or -1.
        tag numbers: one a word.
    """
    tags = entity_tags(tag_set)
    own = [number for number, other in enumerate(tags.labels) if other == label]
    sequences: list[tuple[int, ...]] = [(number,) for number in own if tags.begins[number] or not well_formed]
    for _ in range(size - 1):
        sequences = [(*numbers, number) for numbers in sequences for number in tags.onward[numbers[-1]]]
    spans = []
    for numbers in sequences:
        if well_formed and not tags.ends[numbers[-1]]:
            continue
        before = [()] if begins else [(), *((number,) for number in own if numbers[0] in tags.onward[number])]
        behind = [()] if ends else [(), *((number,) for number in tags.onward[numbers[-1]])]
        for left in before:
            for right in behind:
                spans.append(((-1) ** (len(left) + len(right)), -len(left), (*left, *numbers, *right)))
    return tuple(spans)
