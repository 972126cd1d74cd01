"""The k best paths of a batch's sentences, in float64: one recursion, then a backward search.

Source: the backward search of Soong and Huang 1991, with the disjoint deviations of Lawler 1972.
"""

from __future__ import annotations

import math

import numpy as np

from skd_lightning.crf.kernels.cpu.compiler import Doubles, Floats, Integers, compiled, released


@compiled
def _best_arrivals(i: int, transitions: Doubles, best: Doubles, arrival: Doubles) -> None:
    """Set arrival[i] = the largest of best[i - 1] + transitions into each tag, four tags before it at a time."""
    size = transitions.shape[0]
    for j in range(size):
        arrival[i, j] = -math.inf
    for x in range(0, size, 4):
        a, b, c, d = best[i - 1, x], best[i - 1, x + 1], best[i - 1, x + 2], best[i - 1, x + 3]
        for j in range(size):
            ab = max(a + transitions[x, j], b + transitions[x + 1, j])
            cd = max(c + transitions[x + 2, j], d + transitions[x + 3, j])
            arrival[i, j] = max(arrival[i, j], max(ab, cd))


@compiled
def _insert(score: float, origin: tuple[int, int, int], scores: Doubles, origins: Integers) -> None:
    """Put a score that beats the last one into its place in the sorted list, after its equals."""
    place = scores.shape[0] - 1
    while place > 0 and scores[place - 1] < score:
        scores[place] = scores[place - 1]
        for x in range(3):
            origins[place, x] = origins[place - 1, x]
        place -= 1
    scores[place] = score
    origins[place, 0], origins[place, 1], origins[place, 2] = origin


@compiled
def _kbest(
    b: int,
    words: int,
    unary: Floats,
    transitions: Doubles,
    into: Doubles,
    paths: Integers,
    scores: Floats,
) -> None:
    """Fill the k best paths and scores of sentence b; ``into`` is the transitions transposed."""
    tags, size, k = unary.shape[2], transitions.shape[0], paths.shape[1]
    best, arrival = np.empty((words, size)), np.zeros((words, size))
    for i in range(words):
        if i > 0:
            _best_arrivals(i, transitions, best, arrival)
        for j in range(tags):
            score = arrival[i, j] + unary[b, i, j]
            best[i, j] = -math.inf if math.isnan(score) else score
        for j in range(tags, size):
            best[i, j] = -math.inf

    found, origins = np.full(k, -math.inf), np.zeros((k, 3), dtype=np.int64)
    for j in range(tags):
        if best[words - 1, j] > found[k - 1]:
            _insert(best[words - 1, j], (words - 1, j, 0), found, origins)
    predecessors = np.full((words, tags), -1)
    for rank in range(k):
        scores[b, rank] = found[rank]
        if found[rank] == -math.inf:
            break
        last, tag, parent = origins[rank]
        for i in range(last + 1, words):
            paths[b, rank, i] = paths[b, parent, i]
        paths[b, rank, last] = tag
        for i in range(last - 1, -1, -1):
            # Leaving this path here costs arrival - (best + into); most ways of leaving do not reach the list.
            limit = arrival[i + 1, tag] - (found[rank] - found[k - 1])
            promising = 0
            for j in range(size):
                promising += best[i, j] + into[tag, j] > limit
            if predecessors[i + 1, tag] < 0:
                for j in range(tags - 1, -1, -1):
                    if best[i, j] + into[tag, j] == arrival[i + 1, tag]:
                        predecessors[i + 1, tag] = j
            before = predecessors[i + 1, tag]
            if promising > 0 and rank + 1 < k:
                for j in range(tags):
                    score = found[rank] - (arrival[i + 1, tag] - (best[i, j] + into[tag, j]))
                    if j != before and score > found[k - 1]:
                        _insert(score, (i, j, rank), found, origins)
            tag = before
            paths[b, rank, i] = tag


@compiled
def _pad(transitions: Floats, padded: Doubles, into: Doubles) -> None:
    """Copy transitions (tags, tags) into ``padded``, and transposed into ``into``; padding and NaN are -inf there."""
    for i in range(transitions.shape[0]):
        for j in range(transitions.shape[0]):
            score = transitions[i, j]
            padded[i, j] = into[j, i] = -math.inf if math.isnan(score) else score


@released
def kbest(
    begin: int,
    end: int,
    unary: Floats,
    transitions: Floats,
    lengths: Integers,
    paths: Integers,
    scores: Floats,
) -> None:
    """Fill the k best paths (batch, k, words) and their scores (batch, k), best first.

    The Viterbi scores of all prefixes are computed once; then paths are read off backwards, each next one the best
    way of leaving an earlier one. Ways of leaving a path at different words, or for different tags, lead to
    different paths, and together to all of them, so a list of the k best is exact, and never holds a path twice.
    A further path costs words · tags comparisons where keeping k prefixes for every tag costs words · tags² · k.
    ``transitions`` is (1, tags, tags) for all sentences or (batch, tags, tags).
    Sentences ``begin`` to ``end`` are done.
    """
    size = (unary.shape[2] + 3) // 4 * 4
    padded, into = np.full((size, size), -math.inf), np.full((size, size), -math.inf)
    _pad(transitions[0], padded, into)
    for b in range(begin, end):
        if transitions.shape[0] > 1:
            _pad(transitions[b], padded, into)
        if lengths[b] > 0:
            _kbest(b, lengths[b], unary, padded, into, paths, scores)
        else:
            scores[b, 0] = 0.0
