"""The teacher: a monolingual tagger, which may know the words of its language."""

from __future__ import annotations

from collections.abc import Iterable

from skd_lightning.taggers.tagger import Tagger


class Teacher(Tagger):
    """A tagger of one language, which may have a vector for each word of its training data."""

    def learn_vocabulary(self, words: Iterable[str]) -> None:
        """Give the words that occur often enough vectors of their own.

        Args:
            words: of the training data, as often as they occur.
        """
        self.encoder.learn_vocabulary(words)
