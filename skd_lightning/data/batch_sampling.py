"""Samplers decide which sentences meet in a batch: token budgets, little padding, interleaved languages, shards."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from torch.utils.data import Sampler

from skd_lightning.ragged import cut_by_budget, regroup_into


class TrainingBatches(Sampler[list[int]]):
    """Draws the batches of an epoch anew from (seed, epoch).

    A sentence of language l is drawn with p(l) ∝ n_l^exponent; an epoch has as many sentences as the data.
    Exponent 1 shows every sentence once an epoch; smaller ones show small languages more often (each sentence
    of a language is shown n times before any is shown n + 1 times).

    Unlabelled sentences come on top of these: ``unlabelled_ratio`` of them for each labelled one, from the languages by
    the same rule. Of each language all are shown before one is shown again, over as many epochs as that takes.

    Every epoch has as many batches as the first: Lightning validates, ends an epoch and plans the learning rate by
    that number, so that a shorter epoch would never be validated, and of a longer one the rest would be lost.

    Args:
        lengths: (sentences,) words of each sentence.
        languages: (sentences,) language of each sentence.
        tokens: budget of a batch in words, padding included. In the rare epoch that would need more batches than the
            first, some take in a sentence more.
        exponent: of the language's size.
        kind: ``mixed`` batches hold all languages, ``single`` ones a single language.
        seed: of the whole run.
        rank: of this process among ``world`` processes, which share an epoch's batches evenly.
        world: number of processes.
        accumulate: batches of one process that make an optimiser step. An epoch has whole steps only, of ``accumulate``
            batches in each of ``world`` processes: as many, of the same sentences, as with the two numbers exchanged.
        labelled: (sentences,) bool, True for sentences with gold tags; all True if None.
        unlabelled_ratio: unlabelled sentences for each labelled one; as many as there are if None.
    """

    def __init__(
        self,
        lengths: np.ndarray,
        languages: np.ndarray,
        tokens: int,
        exponent: float = 1.0,
        kind: Literal["mixed", "single"] = "mixed",
        seed: int = 0,
        rank: int = 0,
        world: int = 1,
        accumulate: int = 1,
        labelled: np.ndarray | None = None,
        unlabelled_ratio: float | None = None,
    ) -> None:
        self.lengths, self.languages = lengths, languages
        labelled = np.ones(len(lengths), dtype=bool) if labelled is None else labelled
        self.labelled, self.unlabelled = np.flatnonzero(labelled), np.flatnonzero(~labelled)
        self.unlabelled_ratio = unlabelled_ratio
        self.tokens, self.exponent, self.kind = tokens, exponent, kind
        self.seed, self.rank, self.world, self.accumulate = seed, rank, world, accumulate
        self.epoch = 0
        self.first = 0
        """The batch of the epoch that an iteration begins with."""
        self._made: tuple[int, list[list[int]]] = (-1, [])
        self._counts: list[int] = []
        """Batches of each group (the languages of ``single`` batches), as the first epoch has them."""

    @property
    def sampler(self) -> TrainingBatches:
        """Return this sampler: Lightning looks here for ``set_epoch``."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch the next iteration is."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self._batches())

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self._batches()[self.first :])

    def padding(self) -> float:
        """Return the share of padding among the words of this epoch's batches."""
        batches = self._batches()
        words = sum(int(self.lengths[batch].sum()) for batch in batches)
        return 1.0 - words / max(1, sum(int(self.lengths[batch].max()) * len(batch) for batch in batches))

    def _batches(self) -> list[list[int]]:
        if self._made[0] != self.epoch:
            if not self._counts:
                self._counts = [len(batches) + len(batches) // 50 for batches in self._cut(0)[1]]
                if sum(self._counts):  # every process takes as many steps, all of them whole
                    self._counts[0] += -sum(self._counts) % (self.world * self.accumulate)
            self._made = (self.epoch, self._make())
        return self._made[1]

    def _make(self) -> list[list[int]]:
        rng, groups = self._cut(self.epoch)
        batches = [
            batch
            for group, count in zip(groups, self._counts, strict=True)
            for batch in regroup_into(group, count, self.lengths)
        ]
        batches = [batches[i] for i in rng.permutation(len(batches))]
        return batches[self.rank :: self.world]

    def _cut(self, epoch: int) -> tuple[np.random.Generator, list[list[list[int]]]]:
        """Return the generator of an epoch, and its batches by group."""
        rng = np.random.default_rng([self.seed, epoch])
        drawn = np.concatenate([self._draw(rng), self._draw_unlabelled(epoch)])
        # Neighbours in length share a batch; the jitter makes them different neighbours every epoch.
        jitter = self.lengths[drawn] * rng.uniform(0.95, 1.05, len(drawn)) + rng.uniform(0, 1, len(drawn))
        order = drawn[np.argsort(jitter, kind="stable")]
        if self.kind == "single":
            groups = [order[self.languages[order] == language] for language in np.unique(self.languages)]
        else:
            groups = [order]
        return rng, [cut_by_budget(group.tolist(), self.lengths, self.tokens) for group in groups]

    def _draw(self, rng: np.random.Generator) -> np.ndarray:
        if self.exponent == 1.0:
            return rng.permutation(self.labelled)
        drawn = []
        for members, wanted in self._shares(self.labelled, len(self.labelled)):
            rounds = -(-wanted // len(members))
            drawn.append(
                np.concatenate([rng.permutation(members) for _ in range(rounds)] or [members[:0]])[:wanted]
            )
        return rng.permutation(np.concatenate(drawn))

    def _draw_unlabelled(self, epoch: int) -> np.ndarray:
        """Return each language's part of an endless row of rounds; a round is all its sentences in a new order."""
        if not len(self.unlabelled):
            return self.unlabelled
        ratio = self.unlabelled_ratio
        total = len(self.unlabelled) if ratio is None else round(ratio * len(self.labelled))
        drawn = []
        for place, (members, wanted) in enumerate(self._shares(self.unlabelled, total)):
            first, end = epoch * wanted, (epoch + 1) * wanted
            rounds = [
                np.random.default_rng([self.seed, 1, place, number]).permutation(members)
                for number in range(first // len(members), -(-end // len(members)))
            ]
            drawn.append(np.concatenate([*rounds, members[:0]])[first % len(members) :][:wanted])
        return np.concatenate(drawn)

    def _shares(self, sentences: np.ndarray, total: int) -> list[tuple[np.ndarray, int]]:
        """Return each language's sentences, and how many of the ``total`` are drawn from them."""
        languages = self.languages[sentences]
        names, counts = np.unique(languages, return_counts=True)
        share = counts**self.exponent / (counts**self.exponent).sum()
        wanted = np.round(share * total).astype(int)
        return [(sentences[languages == name], int(n)) for name, n in zip(names, wanted, strict=True)]


class EvaluationBatches(Sampler[list[int]]):
    """Gives every sentence once, in batches of similar length; processes get as many batches each.

    A process with fewer batches is given some of one empty sentence (-1): a repeated one would count twice.

    Args:
        lengths: (sentences,) words of each sentence.
        tokens: budget of a batch in words, padding included.
        rank: of this process among ``world`` processes.
        world: number of processes.
    """

    def __init__(self, lengths: np.ndarray, tokens: int, rank: int = 0, world: int = 1) -> None:
        batches = cut_by_budget(np.argsort(lengths, kind="stable").tolist(), lengths, tokens)
        batches += [[-1]] * (-len(batches) % world)
        self.batches = batches[rank::world]

    @property
    def sampler(self) -> EvaluationBatches:
        """Return this sampler, as for training."""
        return self

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self.batches)
