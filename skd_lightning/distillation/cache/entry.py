"""The entry of one teacher, or of a product of teachers: what it said, from which all else is derived."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from skd_lightning.crf import KBest, LinearChainCRF
from skd_lightning.distillation.cache.parts import SCHEMA, Parts
from skd_lightning.ragged import cells, ranges

EmissionPrecision = Literal["float32", "float16"]


class Distributions(Protocol):
    """The distributions of a batch: all that every kind of teacher can be asked for; ``LinearChainCRF`` has more."""

    @property
    def lengths(self) -> Tensor:
        """Return (batch,) the words of each sentence."""

    @property
    def marginals(self) -> Tensor:
        """Return (batch, words, tags) p(y_i | x), 0 at padding."""

    @property
    def transition_counts(self) -> Tensor:
        """Return (batch, tags, tags) the expected number of times that one tag follows another."""

    @property
    def log_partition(self) -> Tensor:
        """Return (batch,) nats."""

    def kbest(self, k: int) -> KBest:
        """Return the k best tag sequences."""


class Spoken(Protocol):
    """A teacher's statement about a list of sentences, from which its distribution on each follows.

    Attributes:
        part: of the cache entry in which it is stored.
        offers: what can be derived from it beside marginals, transition counts and k best sequences: ``potentials``;
            ``pairs``, the probability of neighbouring tags at each word, and of any sequence.
        nature: its name in messages.
        known: (sentences,) bool, False for sentences about which the teacher said nothing; None for all True.
    """

    part: ClassVar[str]
    offers: ClassVar[frozenset[str]]
    nature: ClassVar[str]

    @property
    def known(self) -> np.ndarray | None:
        """Return (sentences,) bool."""

    @property
    def tags(self) -> int:
        """Return the number of tags."""

    def in_tags(self, columns: np.ndarray, tags: int) -> Spoken:
        """Return the same distributions over other tags, see :meth:`Potentials.in_tags`."""

    def chain(self, sentences: np.ndarray, lengths: np.ndarray, starts: np.ndarray) -> Distributions:
        """Return the distributions on some sentences, see :meth:`Potentials.chain`."""

    def stored(self, precision: EmissionPrecision) -> dict[str, np.ndarray]:
        """Return the arrays from which it is made again."""


Said = TypeVar("Said", bound=Spoken)


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
        known: (sentences,) bool, False for sentences about which the teacher said nothing; None for all True.
    """

    part: ClassVar[str] = "emissions"
    offers: ClassVar[frozenset[str]] = frozenset({"potentials", "pairs"})
    nature: ClassVar[str] = "potentials"

    emissions: np.ndarray
    transitions: np.ndarray
    start: np.ndarray
    end: np.ndarray
    known: np.ndarray | None = None

    @classmethod
    def of(cls, emissions: np.ndarray, head: TransitionScores) -> Potentials:
        """Return the potentials of a tagger.

        Args:
            emissions: (words, tags) nats.
            head: its transition scores.
        """
        return cls(emissions, *(scores.detach().float().cpu().numpy() for scores in head.scores()))

    def stored(self, precision: EmissionPrecision) -> dict[str, np.ndarray]:
        """Return the arrays for the cache, emissions with a largest one of 0 for each word.

        That changes no probability, and float16 is then finest where the probability is: marginals of trained taggers
        move by less than 0.001, and by 0.002 with emissions that deviate by 10 nats and transitions that deviate by 5.
        """
        largest = self.emissions.max(axis=1, keepdims=True, initial=-np.inf)
        emissions = self.emissions - np.where(np.isneginf(largest), 0.0, largest)
        held = np.maximum(emissions, np.finfo(precision).min).astype(precision)
        held[np.isneginf(emissions)] = -np.inf  # forbidden, which is more than unlikely
        return {**self.arrays(), "emissions": held}

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays as they are."""
        return {name: array for name, array in vars(self).items() if array is not None}

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
            self.known,
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
        precision: in which emissions are stored.
    """

    def __init__(self, folder: Path, precision: EmissionPrecision) -> None:
        self.parts = Parts(folder)
        self.precision = precision

    def spoken(self, kind: type[Said], speak: Callable[[], Said]) -> tuple[Said, bool]:
        """Return what the teacher says, asked for where it is missing.

        Args:
            kind: of teacher.
            speak: asks it.

        Returns:
            The answer, and True if it was there already.
        """
        arrays, hit = self.parts.find_or_make(kind.part, lambda: speak().stored(self.precision))
        return kind(**arrays), hit
