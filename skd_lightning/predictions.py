"""The answers of taggers, with PyTorch or without it, and the questions that they take."""

from __future__ import annotations

from collections.abc import Sequence
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
        tags: the most probable sequence, one tag a word (or each word's most probable tag, see ``Tagger``).
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
