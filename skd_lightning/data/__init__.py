"""Corpora to sentences to batches."""

from skd_lightning.data.batches import Batch, SentenceDataset
from skd_lightning.data.module import TaggingData
from skd_lightning.data.sentence import Sentence

__all__ = ["Batch", "Sentence", "SentenceDataset", "TaggingData"]
