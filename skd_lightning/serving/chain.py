"""Linear chains in NumPy: what a saved tagger needs of :class:`skd_lightning.crf.LinearChainCRF`, without PyTorch."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SPREAD = 200.0
"""Nats between the potentials of a word up to which products of probabilities are safe from underflow.

A float64 holds exp(-745). What a scheme forbids can add up the spread of two or three words, and no more.
"""


class Chain:
    """Distributions p(y|x) ∝ exp Σ_i [b(y_{i-1}, y_i) + u_i(y_i)] over the tag sequences of a batch, in float64.

    Args:
        emissions: (batch, words, tags) scores in nats, anything at padding.
        transitions: (tags, tags) scores in nats ``[from, to]``, -inf where forbidden.
        lengths: (batch,) words of each sentence; longest first.
        start: (tags,) scores of the first word's tag.
        end: (tags,) scores of the last word's tag.

    >>> chain = Chain(np.array([[[0.0, 1.0], [3.0, 0.0]]]), np.zeros((2, 2)), np.array([2]), np.zeros(2), np.zeros(2))
    >>> chain.viterbi().tolist(), chain.kbest(2)[0].tolist()
    ([[1, 0]], [[[1, 0], [0, 0]]])
    """

    def __init__(
        self, emissions: NDArray[np.floating], transitions: Floats, lengths: Ints, start: Floats, end: Floats
    ) -> None:
        self.lengths, self.transitions = lengths, np.asarray(transitions, dtype=np.float64)
        self.unary = np.asarray(emissions, dtype=np.float64).transpose(1, 0, 2).copy()  # (words, batch, tags)
        words = len(self.unary)
        self._active = np.searchsorted(
            -lengths, -np.arange(words), side="left"
        )  # sentences that reach a word
        if words:
            full = int(self._active[0])
            self.unary[0, :full] += start
            self.unary[lengths[:full] - 1, np.arange(full)] += end

    # -- sums over paths ----------------------------------------------------------------------------------

    @cached_property
    def _messages(self) -> tuple[Floats, Floats, Floats]:
        """Log-sums over prefixes and suffixes, both (words, batch, tags), and the log-partition (batch,).

        Prefixes include the word's own emission, suffixes do not; both are up to a constant a word.
        """
        finite = np.where(np.isfinite(self.unary), self.unary, 0.0)
        spread = np.ptp(finite, axis=2).max(initial=0.0)
        allowed = self.transitions[np.isfinite(self.transitions)]
        safe = spread + (np.ptp(allowed) if allowed.size else 0.0) < SPREAD
        with np.errstate(divide="ignore", invalid="ignore"):
            return self._products() if safe else self._log_sums()

    def _products(self) -> tuple[Floats, Floats, Floats]:
        """Return the messages through products of probabilities, normalised at each word."""
        words, batch, tags = self.unary.shape
        tops = _finite(self.unary.max(axis=2, keepdims=True, initial=-np.inf))
        emitted = np.exp(self.unary - tops)
        top = float(_finite(self.transitions.max(initial=-np.inf)))
        into = np.exp(self.transitions - top)
        out_of = np.ascontiguousarray(into.T)
        forward, backward = np.zeros((2, words, batch, tags))
        totals = np.ones((words, batch, 1))
        active = self._active.tolist()
        own = emitted[0] if words else emitted
        for i, n in enumerate(active):
            if i:
                own = (forward[i - 1, :n] @ into) * emitted[i, :n]
            own[:n].sum(axis=1, keepdims=True, out=totals[i, :n])
            np.divide(own[:n], totals[i, :n], out=forward[i, :n])
        backward[:] = 1.0
        for i in range(words - 2, -1, -1):
            n = active[i + 1]
            np.matmul(emitted[i + 1, :n] * backward[i + 1, :n], out_of, out=backward[i, :n])
            backward[i, :n] /= totals[i + 1, :n]
        inside = np.arange(words)[:, None] < self.lengths
        shifts = np.log(totals[..., 0]) + tops[..., 0]
        shifts[1:] += top
        return np.log(forward), np.log(backward), np.where(inside, shifts, 0.0).sum(0)

    def _log_sums(self) -> tuple[Floats, Floats, Floats]:
        """Return the messages in log space: slower, and safe for any potentials."""
        words, batch, tags = self.unary.shape
        forward, backward = np.zeros((2, words, batch, tags))
        for i in range(words):
            n = int(self._active[i])
            forward[i, :n] = self.unary[i, :n]
            if i:
                forward[i, :n] += _log_sum(forward[i - 1, :n, :, None] + self.transitions, axis=1)
        for i in range(words - 2, -1, -1):
            n = int(self._active[i + 1])
            suffix = (backward[i + 1, :n] + self.unary[i + 1, :n])[:, None, :]
            backward[i, :n] = _log_sum(suffix + self.transitions, axis=2)
        log_partition = np.zeros(batch)
        full = self.lengths > 0
        last = forward[self.lengths[full] - 1, np.flatnonzero(full)]
        log_partition[full] = _log_sum(last, axis=1)
        return forward, backward, log_partition

    @property
    def log_partition(self) -> Floats:
        """(batch,) log Z in nats; 0 for a sentence without words."""
        return self._messages[2]

    @cached_property
    def log_marginals(self) -> Floats:
        """(batch, words, tags) log p(y_i|x) in nats; anything at padding."""
        forward, backward, _ = self._messages
        joint = forward + backward
        with np.errstate(divide="ignore", invalid="ignore"):
            normalised = joint - _log_sum(joint, axis=2)[..., None]
        return np.ascontiguousarray(normalised.transpose(1, 0, 2))

    def log_prob(self, paths: Ints) -> Floats:
        """Return log p(y|x) (batch,) in nats of one sequence a sentence.

        Args:
            paths: (batch, words) tags, any at padding.
        """
        words = self.unary.shape[0]
        inside = np.arange(words) < self.lengths[:, None]
        own = np.take_along_axis(self.unary.transpose(1, 0, 2), paths[..., None], axis=2)[..., 0]
        steps = self.transitions[paths[:, :-1], paths[:, 1:]]
        total = np.where(inside, own, 0.0).sum(1) + np.where(inside[:, 1:], steps, 0.0).sum(1)
        return np.asarray(total - self.log_partition)

    def span_log_prob(self, sentence: Ints, first: Ints, tags: Ints) -> Floats:
        """Return log p(y_first … = tags | x) (n,) in nats; see :meth:`LinearChainCRF.span_log_prob`.

        Args:
            sentence: (n,) places in the batch.
            first: (n,) first word of each span.
            tags: (n, longest), -1 behind each span's end.
        """
        backward = self._messages[1]
        known = np.maximum(tags, 0)
        log_prob = self.log_marginals[sentence, first, known[:, 0]]
        for step in range(1, tags.shape[1]):
            there = np.flatnonzero(tags[:, step] >= 0)
            row, word = sentence[there], first[there] + step
            scores = self.transitions[known[there, step - 1]] + self.unary[word, row] + backward[word, row]
            chosen = scores[np.arange(len(there)), known[there, step]]
            with np.errstate(invalid="ignore"):
                log_prob[there] += np.where(chosen == -np.inf, -np.inf, chosen - _log_sum(scores, axis=1))
        return log_prob

    # -- best paths ---------------------------------------------------------------------------------------

    def viterbi(self) -> Ints:
        """Return (batch, words) the most probable tags; 0 at padding."""
        words, batch, tags = self.unary.shape
        paths = np.zeros((batch, words), dtype=np.int64)
        into = np.ascontiguousarray(self.transitions.T)  # [to, from]
        active = self._active.tolist()
        best = self.unary.copy()  # of the prefixes that end in a tag
        pointers = np.zeros((words, batch, tags), dtype=np.int64)
        for i in range(1, words):
            n = active[i]
            candidates = best[i - 1, :n, None] + into
            candidates.argmax(axis=2, out=pointers[i, :n])
            best[i, :n] += candidates.max(axis=2)
        for i in range(words - 1, -1, -1):
            n, longer = active[i], active[i + 1] if i + 1 < words else 0
            if longer:
                rows = np.arange(longer)
                paths[rows, i] = pointers[i + 1][rows, paths[rows, i + 1]]
            if longer < n:
                paths[longer:n, i] = best[i, longer:n].argmax(axis=1)
        return paths

    def decode_marginals(self) -> Ints:
        """Return (batch, words) each word's most probable tag; 0 at padding."""
        inside = np.arange(self.unary.shape[0]) < self.lengths[:, None]
        return np.where(inside, self.log_marginals.argmax(axis=2), 0)

    def kbest(self, k: int) -> tuple[Ints, Floats]:
        """Return the k best paths (batch, k, words), and their log p(y|x) (batch, k) in nats, -inf where none is left.

        Schwartz and Chow 1990, as in :func:`skd_lightning.crf.kbest.kbest`.
        """
        words, batch, tags = self.unary.shape
        paths = np.zeros((batch, k, words), dtype=np.int64)
        scores = np.full((batch, k), -np.inf)
        scores[self._reach(0) :, 0] = 0.0  # the one path of no words
        if not words:
            return paths, scores
        into = np.ascontiguousarray(self.transitions.T)[:, :, None]  # [to, from, rank]
        best = np.full((batch, tags, k), -np.inf)
        best[:, :, 0] = self.unary[0]
        pointers = np.zeros((words, batch, tags, k), dtype=np.int32)
        for i in range(1, words):
            n = int(self._active[i])
            self._finish(best[n:], i, n, scores, pointers, paths)
            best = best[:n]
            candidates = (best[:, None] + into).reshape(n, tags, tags * k)
            best, pointers[i, :n] = _largest(candidates, k)
            best = best + self.unary[i, :n, :, None]
        self._finish(best, words, 0, scores, pointers, paths)
        return paths, scores

    def _reach(self, word: int) -> int:
        return int(self._active[word]) if word < len(self._active) else 0

    def _finish(
        self, best: Floats, length: int, first: int, scores: Floats, pointers: NDArray[np.int32], paths: Ints
    ) -> None:
        """Write scores and paths of the sentences from ``first`` on that end after ``length`` words."""
        rows = np.arange(first, self._reach(length - 1))
        if not len(rows):
            return
        k = best.shape[2]
        final, at = _largest(best[: len(rows)].reshape(len(rows), 1, -1), k)
        scores[rows] = final[:, 0] - self.log_partition[rows, None]
        place = at[:, 0]
        for i in range(length - 1, -1, -1):
            paths[rows, :, i] = np.where(final[:, 0] > -np.inf, place // k, 0)
            if i:
                place = pointers[i][rows[:, None], place // k, place % k]


def _largest(candidates: Floats, k: int) -> tuple[Floats, NDArray[np.int64]]:
    """Return the k largest entries of the last axis, largest first, and their places; a tie goes to the lower one."""
    if k == 1:
        place = candidates.argmax(axis=-1)[..., None]
    else:
        missing = k - candidates.shape[-1]
        if missing > 0:
            shape = (*candidates.shape[:-1], missing)
            candidates = np.concatenate([candidates, np.full(shape, -np.inf)], axis=-1)
        place = np.argsort(-candidates, axis=-1, kind="stable")[..., :k]
    return np.take_along_axis(candidates, place, axis=-1), place


def _log_sum(values: Floats, axis: int) -> Floats:
    """Return log Σ exp along an axis; -inf where all are."""
    top = _finite(values.max(axis=axis, keepdims=True))
    with np.errstate(divide="ignore"):
        summed: Floats = np.log(np.exp(values - top).sum(axis=axis)) + np.squeeze(top, axis)
    return summed


def _finite(values: NDArray) -> NDArray:
    return np.where(np.isfinite(values), values, 0.0)
