"""A chain's scores in the layout that the recursions read.

Matrices are padded with zeros to a multiple of four tags and rows of messages to a multiple of eight, -inf or 0 at
the end: the remainder of a loop would cost more than all of its full vectors.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from skd_lightning.crf.kernels.cpu.compiler import Doubles, Floats, compiled
from skd_lightning.crf.kernels.cpu.exp_log import exp


class Transitions(NamedTuple):
    """The transitions of one sentence, or of all, in the forms that the recursions use.

    Attributes:
        scores: (tags, tags) nats ``[from, to]``.
        exponentials: e^(scores - largest), padded.
        transposed: of the exponentials.
        largest: of the scores, 0 if none is finite.
        width: of the rows of messages.
    """

    scores: Doubles
    exponentials: Doubles
    transposed: Doubles
    largest: float
    width: int


@compiled
def padded_unary(unary: Floats, b: int, words: int) -> Doubles:
    """Return the unary potentials (words, padded tags) of sentence b, rows of a multiple of eight, -inf at the end."""
    tags = unary.shape[2]
    out = np.empty((words, (tags + 7) // 8 * 8))
    for i in range(words):
        for j in range(tags):
            out[i, j] = unary[b, i, j]
        for j in range(tags, out.shape[1]):
            out[i, j] = -math.inf
    return out


@compiled
def prepare_transitions(transitions: Floats) -> Transitions:
    """Prepare transitions (tags, tags) ``[from, to]`` of float32 or float64, in nats, -inf where forbidden."""
    tags = transitions.shape[0]
    size = (tags + 3) // 4 * 4
    scores, out, transposed = np.empty((tags, tags)), np.zeros((size, size)), np.zeros((size, size))
    largest = -math.inf
    for i in range(tags):
        for j in range(tags):
            scores[i, j] = transitions[i, j]
            largest = max(largest, scores[i, j])
    if largest == -math.inf:
        largest = 0.0
    for i in range(tags):
        for j in range(tags):
            shifted = scores[i, j] - largest
            out[i, j] = 0.0 if shifted < -700.0 else exp(shifted)
            transposed[j, i] = out[i, j]
    return Transitions(scores, out, transposed, largest, (tags + 7) // 8 * 8)
