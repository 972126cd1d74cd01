"""A loader of training batches that can stop in the middle of an epoch and go on there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch.utils.data import DataLoader

from skd_lightning.data.batch_sampling import TrainingBatches
from skd_lightning.data.batches import Batch, SentenceDataset, as_is


class TrainingLoader(DataLoader[Batch]):
    """Loads training batches; its state, kept in checkpoints by Lightning, is the number of the epoch's batches given.

    Args:
        dataset: the sentences.
        batches: tells which of them meet in a batch.
        workers: loader processes; 0 loads in the training process.
    """

    def __init__(self, dataset: SentenceDataset, batches: TrainingBatches, workers: int = 0) -> None:
        super().__init__(
            dataset,
            batch_sampler=batches,
            collate_fn=as_is,
            num_workers=workers,
            persistent_workers=workers > 0,
        )
        self.batches = batches
        self.given, self.first = 0, 0

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        """Yield the epoch's batches, behind those that a loaded state counts.

        As a generator it asks for batches when the first is wanted: Lightning makes the iterator of a restarted
        training before it says which epoch that is.
        """
        self.given = self.batches.first = self.first
        self.first = 0
        for batch in super().__iter__():
            self.given += 1
            yield batch

    def state_dict(self) -> dict[str, int]:
        """Return the number of batches that the epoch has given."""
        return {"given": self.given}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Begin the next epoch behind so many batches."""
        self.first = state["given"]
