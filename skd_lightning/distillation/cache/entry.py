"""The entry of one teacher, or of a product of teachers: the potentials that all else is derived from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from skd_lightning.crf import LinearChainCRF
from skd_lightning.distillation.cache.parts import SCHEMA, Parts
from skd_lightning.ragged import cells, ranges

EmissionPrecision = Literal["float32", "float16"]


class TransitionScores(Protocol):
    """The part of a teacher that scores transitions (``taggers.ChainHead``)."""

    def scores(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return transitions (tags, tags) ``[from, to]``, start (tags,) and end (tags,), in nats."""


def content_key(teacher: str, sentences: Sequence[Sequence[str]], precision: EmissionPrecision) -> str:
    """Return the key of a cache entry: the same for one teacher on the same words in the same order and precision.

    Args:
        teacher: its fingerprint.
        sentences: lists of words.
        precision: in which emissions are stored.
    """
    digest = hashlib.sha256(json.dumps([SCHEMA, teacher, precision]).encode())
    for words in sentences:
        digest.update(json.dumps(words, ensure_ascii=False).encode() + b"\n")
    return digest.hexdigest()[:24]


@dataclass(frozen=True)
class Potentials:
    """A teacher's scores of the words of all its sentences, in nats; its distribution on each follows from them.

    Attributes:
        emissions: (words, tags).
        transitions: (tags, tags) ``[from, to]``.
        start: (tags,) of the first tag.
        end: (tags,) of the last tag.
    """

    emissions: np.ndarray
    transitions: np.ndarray
    start: np.ndarray
    end: np.ndarray

    @property
    def tags(self) -> int:
        """Return the number of tags."""
        return int(self.emissions.shape[1])

    def in_tags(self, columns: np.ndarray, tags: int) -> Potentials:
        """Return the same distribution over other tags; those that the teacher does not know are impossible.

        Args:
            columns: (teacher's tags,) different places among the others.
            tags: how many the others are.
        """
        if np.array_equal(columns, np.arange(tags)):
            return self

        def spread(values: np.ndarray, *axes: int) -> np.ndarray:
            shape = tuple(tags if axis in axes else size for axis, size in enumerate(values.shape))
            wider = np.full(shape, -np.inf, dtype=values.dtype)
            places = (columns if axis in axes else np.arange(n) for axis, n in enumerate(values.shape))
            wider[np.ix_(*places)] = values
            return wider

        return Potentials(
            spread(self.emissions, 1),
            spread(self.transitions, 0, 1),
            spread(self.start, 0),
            spread(self.end, 0),
        )

    def chain(self, sentences: np.ndarray, lengths: np.ndarray, starts: np.ndarray) -> LinearChainCRF:
        """Return the distributions on some sentences.

        Args:
            sentences: (n,) their numbers.
            lengths: (all sentences,) words of each.
            starts: (all sentences,) the first word of each.
        """
        own = lengths[sentences]
        row, word = cells(own)
        emissions = np.zeros((len(sentences), own.max(initial=0), self.tags), dtype=np.float32)
        emissions[row, word] = self.emissions[ranges(starts[sentences], own)]
        scores = (torch.from_numpy(np.array(x)) for x in (self.transitions, self.start, self.end))
        transitions, start, end = scores
        return LinearChainCRF(torch.from_numpy(emissions), transitions, torch.from_numpy(own), start, end)


class CacheEntry:
    """One teacher's answers on one list of sentences.

    Args:
        folder: ``<cache>/<key>``.
        lengths: (sentences,) words of each sentence.
        precision: in which emissions are stored.
    """

    def __init__(self, folder: Path, lengths: np.ndarray, precision: EmissionPrecision) -> None:
        self.parts = Parts(folder)
        self.lengths = lengths
        self.precision = precision

    def potentials(
        self, predict: Callable[[], tuple[np.ndarray, TransitionScores]]
    ) -> tuple[Potentials, bool]:
        """Return the teacher's potentials, predicted where they are missing.

        Emissions are stored with a largest one of 0 for each word. That changes no probability, and float16 is
        then finest where the probability is: marginals move by less than 0.001.

        Args:
            predict: asks the teacher for its emissions (words, tags) and its transition scores.

        Returns:
            The potentials, and True if they were there already.
        """

        def make() -> dict[str, np.ndarray]:
            emissions, head = predict()
            transitions, start, end = (scores.detach().float().cpu().numpy() for scores in head.scores())
            emissions = emissions - emissions.max(axis=1, keepdims=True, initial=-np.inf)
            emissions = np.maximum(emissions, np.finfo(self.precision).min).astype(self.precision)
            return {"emissions": emissions, "transitions": transitions, "start": start, "end": end}

        arrays, hit = self.parts.find_or_make("emissions", make)
        return Potentials(**arrays), hit
