"""What passes along one sentence, in both directions."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from skd_lightning.crf.kernels.compiler import Array, Kept, compiled


class Messages(NamedTuple):
    """Arrays (words, padded tags) of one sentence; there may be more rows than words.

    Attributes:
        prefix: sum over all prefixes that end in a tag, its emission included; scaled for each word.
        arriving: Σ_from prefix of the word before · e^transitions; the transitions shifted to at most 0.
        suffix: sum over all suffixes that start with a tag, its emission included; scaled for each word.
        leaving: Σ_to e^transitions · suffix of the next word.
        posterior: p(tag at word).
        log_posterior: its logarithm.
        forward: log prefix; with the next two filled by the careful sweeps only, as they alone need them.
        backward: log leaving.
        after: log suffix.
    """

    prefix: Array
    arriving: Array
    suffix: Array
    leaving: Array
    posterior: Array
    log_posterior: Array
    forward: Array
    backward: Array
    after: Array


@compiled
def empty_messages(words: int, width: int) -> Messages:
    """Room for the messages of a sentence of at most so many words, one after the other; padding of the sums is 0."""
    arriving, leaving = np.zeros((words, width)), np.zeros((words, width))
    rest = np.empty((7, words, width))
    return Messages(rest[0], arriving, rest[1], leaving, rest[2], rest[3], rest[4], rest[5], rest[6])


@compiled
def kept_messages(b: int, words: int, size: int, kept: Kept, room: Messages) -> Messages:
    """Messages of sentence b, the first four in ``kept`` (4, batch, words, padded tags); others share their room."""
    prefix, arriving, suffix, leaving = kept[0, b], kept[1, b], kept[2, b], kept[3, b]
    for i in range(words):
        for j in range(size, arriving.shape[1]):
            arriving[i, j] = 0.0
            leaving[i, j] = 0.0
    return Messages(
        prefix,
        arriving,
        suffix,
        leaving,
        room.posterior,
        room.log_posterior,
        room.forward,
        room.backward,
        room.after,
    )
