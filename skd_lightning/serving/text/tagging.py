"""Sentences to tags and entities, a window of sentences at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from skd_lightning.errors import UserError
from skd_lightning.predictions import Entity, Prediction, Predictor
from skd_lightning.serving.text.documents import PlacedSentence, sentences_of_text
from skd_lightning.tags import OUTSIDE, convert, split_tag

WINDOW = 256
"""Sentences that are tagged together."""
WINDOW_WORDS = 10_000
"""Words behind which a window ends earlier."""


class Tagged(NamedTuple):
    """A sentence and what a tagger says about it.

    Attributes:
        sentence: the words and their places.
        prediction: in the tagger's own scheme.
    """

    sentence: PlacedSentence
    prediction: Prediction

    @property
    def tags(self) -> tuple[str, ...]:
        """One tag a word; entities are written in IOB2."""
        return iob2(self.prediction.tags)

    def entities(self, threshold: float = 0.0) -> list[Entity]:
        """Return the entities whose probability reaches a threshold."""
        return [entity for entity in self.prediction.entities if entity.probability >= threshold]

    def tags_from(self, threshold: float) -> tuple[str, ...]:
        """Return the tags; words of entities whose probability is below the threshold have ``O``."""
        tags = list(self.tags)
        for entity in self.prediction.entities:
            if entity.probability < threshold:
                tags[entity.first : entity.last + 1] = [OUTSIDE] * (entity.last + 1 - entity.first)
        return tuple(tags)

    def found(self, entity: Entity) -> dict[str, Any]:
        """Return an entity with its type, its exact probability, its text and its place in the document."""
        sentence, places = self.sentence, self.sentence.places()
        return {
            "entity_group": entity.label,
            "score": entity.probability,
            "word": sentence.text[places[entity.first][0] : places[entity.last][1]],
            "start": sentence.offsets[entity.first][0],
            "end": sentence.offsets[entity.last][1],
        }


def iob2(tags: tuple[str, ...]) -> tuple[str, ...]:
    """Return tags of entities in IOB2, and other tags as they are.

    >>> iob2(("S-PER", "O")), iob2(("NOUN", "VERB"))
    (('B-PER', 'O'), ('NOUN', 'VERB'))
    """
    kinds = set(tags)
    return convert(tags, "iob2") if kinds != {OUTSIDE} and mark_entities(kinds) else tags


def mark_entities(tags: Iterable[str]) -> bool:
    """Tell if all tags are of an entity scheme."""
    return all(tag == OUTSIDE or split_tag(tag)[1] for tag in tags)


def tag_sentences(predictor: Predictor, sentences: Iterable[PlacedSentence], k: int = 0) -> Iterator[Tagged]:
    """Yield each sentence with its prediction, in order.

    Args:
        predictor: a tagger.
        sentences: any number of them; one window of them is in memory.
        k: number of the most probable tag sequences that each prediction holds besides.
    """
    window: list[PlacedSentence] = []
    words = 0
    for sentence in sentences:
        window.append(sentence)
        words += len(sentence.words)
        if len(window) >= WINDOW or words >= WINDOW_WORDS:
            yield from _tag(predictor, window, k)
            window, words = [], 0
    if window:
        yield from _tag(predictor, window, k)


def _tag(predictor: Predictor, window: list[PlacedSentence], k: int) -> list[Tagged]:
    only = predictor.languages[0] if len(predictor.languages) == 1 else ""
    languages = [only if sentence.language is None else sentence.language for sentence in window]
    predictions = predictor.predict([sentence.words for sentence in window], languages, k)
    return [Tagged(sentence, found) for sentence, found in zip(window, predictions, strict=True)]


def tag(
    predictor: Predictor, text: str, language: str | None = None, threshold: float = 0.0
) -> list[dict[str, Any]]:
    """Return the entities of a text, or, from tags that mark none, the tags of its words.

    Args:
        predictor: a tagger.
        text: any; sentences and words are found by the rules of its language.
        language: its code. None stands for the tagger's language if it has one, else for unknown.
        threshold: least probability of an entity that is returned.

    Returns:
        For each entity, in order, a dictionary with ``entity_group`` (its type), ``score`` (the exact probability that
        an entity of this type spans exactly these words), ``word`` (its text), ``start`` and ``end`` (characters, so
        that ``text[start:end]`` is the word). For each word of another task, ``entity`` (its tag), ``score`` (the
        posterior probability of this tag), ``word``, ``start`` and ``end``.

    Raises:
        UserError: the text is none, or the threshold is no probability.
    """
    if not isinstance(text, str):
        raise UserError(f"a text is a string, not {type(text).__name__}; predict takes lists of words")
    refuse_threshold(threshold)
    if language is None and len(predictor.languages) == 1:
        language = predictor.languages[0]
    tagged = list(tag_sentences(predictor, sentences_of_text(text, language)))
    if all(mark_entities(one.prediction.tags) for one in tagged):
        return [one.found(entity) for one in tagged for entity in one.entities(threshold)]
    return [
        {"entity": own, "score": score, "word": word, "start": start, "end": end}
        for sentence, prediction in tagged
        for own, score, word, (start, end) in zip(
            prediction.tags, prediction.confidences, sentence.words, sentence.offsets, strict=True
        )
    ]


def refuse_threshold(threshold: float) -> None:
    """Refuse what is no probability.

    Raises:
        UserError: it is not between 0 and 1.
    """
    if not 0 <= threshold <= 1:
        raise UserError(f"threshold is {threshold}; it is a probability, from 0 to 1")
