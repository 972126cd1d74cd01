"""The teacher: a monolingual tagger, which may know the words of its language."""

from __future__ import annotations

from collections.abc import Sequence

from skd_lightning.taggers.tagger import Tagger


class Teacher(Tagger):
    """A tagger of one language, which may have a vector for each word of its training data."""

    def learn_vocabulary(self, sentences: Sequence[Sequence[str]], languages: Sequence[str]) -> None:
        """Take in the words of the annotated training data; those that occur often enough get vectors of their own.

        Args:
            sentences: lists of words.
            languages: of each sentence.
        """
        super().learn_vocabulary(sentences, languages)
        self.encoder.learn_vocabulary(word for words in sentences for word in words)
