"""The forward and backward messages of one sentence, as arrays.

Arrays are taken out of the tuple before a loop: every access to a member counts a reference.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from skd_lightning.crf.kernels.cpu.compiler import Doubles, compiled


class Messages(NamedTuple):
    """Arrays (words, padded tags) of one sentence, on the scale of probabilities; there may be more rows than words.

    Attributes:
        prefix: sum over all prefixes that end in a tag, its emission included; scaled for each word.
        arriving: Σ_from prefix of the word before · e^transitions; the transitions shifted to at most 0.
        suffix: sum over all suffixes that start with a tag, its emission included; scaled for each word.
        leaving: Σ_to e^transitions · suffix of the next word.
        posterior: p(tag at word).
        log_posterior: its logarithm.
        forward: log prefix; only the recursions in log space fill and need this and the next two.
        backward: log leaving.
        after: log suffix.
    """

    prefix: Doubles
    arriving: Doubles
    suffix: Doubles
    leaving: Doubles
    posterior: Doubles
    log_posterior: Doubles
    forward: Doubles
    backward: Doubles
    after: Doubles


@compiled
def empty_messages(words: int, width: int) -> Messages:
    """Return arrays for sentences of at most so many words, to be used for one after the other.

    The padding of ``arriving`` and ``leaving`` is 0, everything else is uninitialised.
    """
    arriving, leaving = np.zeros((words, width)), np.zeros((words, width))
    rest = np.empty((7, words, width))
    return Messages(rest[0], arriving, rest[1], leaving, rest[2], rest[3], rest[4], rest[5], rest[6])


@compiled
def kept_messages(b: int, words: int, size: int, kept: Doubles, workspace: Messages) -> Messages:
    """Return messages of sentence b whose first four arrays are views of ``kept`` (4, batch, words, padded tags)."""
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
        workspace.posterior,
        workspace.log_posterior,
        workspace.forward,
        workspace.backward,
        workspace.after,
    )
