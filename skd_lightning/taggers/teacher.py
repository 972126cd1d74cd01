"""The teacher: a monolingual tagger, which may know the words of its language."""

from __future__ import annotations

from skd_lightning.taggers.tagger import Tagger


class Teacher(Tagger):
    """A tagger of one language. Its encoder may keep an embedding for each word of the training data."""

    def setup(self, stage: str) -> None:
        """Before the optimiser is made: let the encoder learn which words there are."""
        if stage == "fit":
            sentences = self.trainer.datamodule.train_sentences  # type: ignore[attr-defined]
            self.encoder.learn_vocabulary([word for sentence in sentences for word in sentence.words])
