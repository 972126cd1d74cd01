"""Sums over the paths of which every pair of neighbouring tags is allowed, and their gradients.

Few pairs are allowed, as a rule: both directions walk over these alone, in log space, which cannot underflow.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from skd_lightning.crf.kernels.cpu.compiler import Doubles, Floats, Integers, compiled, released

Booleans = NDArray[np.bool_]


@compiled
def _fill_prefixes(
    words: int, unary: Floats, transitions: Floats, pairs: Booleans, prefix: Doubles, workspace: Doubles
) -> float:
    """Fill the log-sums over all prefixes that end in a tag at a word; return the log-partition."""
    tags = unary.shape[1]
    largest, total = workspace[0], workspace[1]
    for k in range(tags):
        prefix[0, k] = -math.inf
        for j in range(tags):
            if pairs[0, j, k]:
                prefix[0, k] = unary[0, k]
    for i in range(1, words):
        largest[:] = -math.inf
        total[:] = 0.0
        for j in range(tags):
            if prefix[i - 1, j] != -math.inf:
                for k in range(tags):
                    if pairs[i, j, k]:
                        score = prefix[i - 1, j] + transitions[j, k]
                        if score > largest[k] or score != score:
                            largest[k] = score
        for j in range(tags):
            if prefix[i - 1, j] != -math.inf:
                for k in range(tags):
                    if pairs[i, j, k] and largest[k] != -math.inf:
                        total[k] += math.exp(prefix[i - 1, j] + transitions[j, k] - largest[k])
        for k in range(tags):
            reached = largest[k] != -math.inf
            prefix[i, k] = largest[k] + math.log(total[k]) + unary[i, k] if reached else -math.inf
    most = -math.inf
    for k in range(tags):
        if prefix[words - 1, k] > most or prefix[words - 1, k] != prefix[words - 1, k]:
            most = prefix[words - 1, k]
    if most == -math.inf:
        return most
    whole = 0.0
    for k in range(tags):
        whole += math.exp(prefix[words - 1, k] - most)
    return most + math.log(whole)


@compiled
def _share_out(
    words: int,
    unary: Floats,
    transitions: Floats,
    pairs: Booleans,
    prefix: Doubles,
    log_partition: float,
    marginals: Floats,
    counts: Doubles,
    workspace: Doubles,
) -> None:
    """Add the marginals and the expected transition counts, from the last word to the first.

    The probability of a tag is shared out among the tags before it, in proportion to what their prefixes added to its
    own: the adjoint of the forward recursion, which needs no backward one.
    """
    tags = unary.shape[1]
    here, before = workspace[0], workspace[1]
    for k in range(tags):
        here[k] = math.exp(prefix[words - 1, k] - log_partition)
        marginals[words - 1, k] = here[k]
    for i in range(words - 1, 0, -1):
        for j in range(tags):
            before[j] = 0.0
            if prefix[i - 1, j] != -math.inf:
                for k in range(tags):
                    if pairs[i, j, k] and here[k] != 0.0:
                        log_share = prefix[i - 1, j] + transitions[j, k] + unary[i, k] - prefix[i, k]
                        flow = here[k] * math.exp(log_share)
                        counts[j, k] += flow
                        before[j] += flow
        for j in range(tags):
            here[j] = before[j]
            marginals[i - 1, j] = before[j]


@released
def restricted_sums(
    begin: int,
    end: int,
    unary: Floats,
    transitions: Floats,
    lengths: Integers,
    pairs: Booleans,
    log_partition: Floats,
    marginals: Floats,
    counts: Doubles,
) -> None:
    """Fill log-partitions (batch,), marginals (batch, words, tags) and transition counts (batch, tags, tags).

    All three come as zeros, which stay at padding, in empty sentences, and in the latter two where no path is allowed.
    ``pairs`` is (batch, words, tags, tags) ``[from, to]``; at the first word a tag is allowed if any row allows it.
    ``transitions`` is (1, tags, tags) for all sentences or (batch, tags, tags). Sentences ``begin`` to ``end`` are
    done.
    """
    prefix = np.empty(unary.shape[1:])
    workspace = np.empty((2, unary.shape[2]))
    for b in range(begin, end):
        own = b if transitions.shape[0] > 1 else 0
        if lengths[b] > 0:
            potentials = unary[b], transitions[own], pairs[b], prefix
            log_sum = _fill_prefixes(lengths[b], *potentials, workspace)
            log_partition[b] = log_sum
            if log_sum != -math.inf:
                _share_out(lengths[b], *potentials, log_sum, marginals[b], counts[b], workspace)
