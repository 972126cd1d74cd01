"""The answers of taggers, with PyTorch or without it, and the questions that they take."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from skd_lightning.errors import UserError

Languages = str | Sequence[str] | None
"""The language of all sentences, that of each, or None: the tagger's where it has one, else unknown."""


class Entity(NamedTuple):
    """An entity of a sentence.

    Attributes:
        first: place of its first word, counted from 0.
        last: place of its last word.
        label: its type, such as ``"PER"``.
        probability: probability that an entity of this type spans exactly these words: the sum of p(y | x) over all tag
            sequences y that spell it, in the reading of :func:`~skd_lightning.tags.entities`.
    """

    first: int
    last: int
    label: str
    probability: float


class Alternative(NamedTuple):
    """One of the most probable tag sequences of a sentence.

    Attributes:
        tags: one a word.
        probability: p(y | x) of the sequence.
    """

    tags: tuple[str, ...]
    probability: float


class Prediction(NamedTuple):
    """The tags of a sentence.

    Attributes:
        tags: one a word, those of the most probable sequence or of the best entities, see ``Tagger``.
        confidences: posterior probability p(y_i | x) of each of these tags.
        probability: probability p(y | x) of the whole sequence.
        entities: the entities that the tags spell, in order, each with the probability that an entity of its type
            spans exactly its words; none if the tags are not those of an entity scheme.
        alternatives: the k most probable sequences, best first, where they were asked for; fewer where fewer exist.
    """

    tags: tuple[str, ...]
    confidences: tuple[float, ...]
    probability: float
    entities: tuple[Entity, ...]
    alternatives: tuple[Alternative, ...] = ()


class Predictor(Protocol):
    """Predicts tags: a ``Tagger``, or the ``Runtime`` of a saved one."""

    @property
    def languages(self) -> Sequence[str]:
        """The languages that it was trained on."""

    def predict(
        self, sentences: Sequence[Sequence[str]], language: Languages = None, k: int = 0
    ) -> list[Prediction]:
        """Return the tags of sentences that are given as lists of words, and their ``k`` best sequences."""


def refuse_other_than_words(sentences: Sequence[Sequence[str]]) -> None:
    """Refuse anything but lists of words.

    Raises:
        UserError: naming the sentence and the word, counted from 1.
    """
    if isinstance(sentences, str):
        raise UserError(
            "a text is no list of sentences: split it into words, and give a list of lists of words"
        )
    for number, words in enumerate(sentences, start=1):
        if not isinstance(words, Sequence | np.ndarray) or isinstance(words, str | bytes):
            raise UserError(f"sentence {number} is {_shown(words)}, not a list of words")
        for place, word in enumerate(words, start=1):
            if not isinstance(word, str):
                raise UserError(f"sentence {number}, word {place} is {_shown(word)}, not a string")


def _shown(value: object) -> str:
    text = repr(value).replace("\n", " ")
    return f"{text if len(text) <= 40 else text[:39] + '…'} ({type(value).__name__})"


def languages_of(language: Languages, number: int, known: Sequence[str], of_languages: bool) -> list[str]:
    """Return the language of each sentence, "" where it is unknown.

    A tagger of one language takes all sentences for that one. Where features belong to languages and a sentence has
    none that the tagger knows, a warning says so once.

    Args:
        language: of the sentences, as they were asked for.
        number: of the sentences.
        known: languages of the tagger.
        of_languages: some of its features belong to languages.

    Raises:
        UserError: there are more or fewer languages than sentences.
    """
    if language is None:
        language = known[0] if len(known) == 1 else ""
    found = [language] * number if isinstance(language, str) else list(language)
    if len(found) != number:
        raise UserError(f"{len(found)} languages for {number} sentences: give one for each, or one for all")
    others = sorted(set(found) - set(known))
    if others and of_languages:
        which = (
            f"the language {', '.join(filter(None, others))} is"
            if any(others)
            else "the language of a sentence is not given and"
        )
        warnings.warn(
            f"{which} unknown to this tagger of {', '.join(known)}: it uses what its languages share",
            stacklevel=4,
        )
    return found


def alternatives_of(
    decode: Callable[[Sequence[int]], tuple[str, ...]],
    paths: Iterable[Sequence[Sequence[int]]],
    log_probs: Iterable[Sequence[float]],
    lengths: Iterable[int],
) -> list[tuple[Alternative, ...]]:
    """Return the most probable tag sequences of each sentence.

    Args:
        decode: from numbers of tags to tags.
        paths: (sentences, k, words) numbers of tags, best first, anything at padding.
        log_probs: (sentences, k) of the sequences in nats; -inf where none is left.
        lengths: (sentences,) words of each.
    """
    return [
        tuple(
            Alternative(decode(path[:length]), math.exp(log_prob))
            for path, log_prob in zip(own, sure, strict=True)
            if log_prob > -math.inf
        )
        for own, sure, length in zip(paths, log_probs, lengths, strict=True)
    ]
