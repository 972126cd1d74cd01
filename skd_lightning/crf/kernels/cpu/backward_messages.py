"""The backward messages of a batch's sentences, in log space."""

from __future__ import annotations

from skd_lightning.crf.kernels.cpu.compiler import Floats, Integers, released
from skd_lightning.crf.kernels.cpu.log_space_recursions import backward_recursion
from skd_lightning.crf.kernels.cpu.messages import empty_messages
from skd_lightning.crf.kernels.cpu.potentials import padded_unary, prepare_transitions


@released
def backward_messages(
    begin: int, end: int, unary: Floats, transitions: Floats, lengths: Integers, backward: Floats
) -> None:
    """Fill ``backward`` (batch, words, tags), log-sums over all suffixes that follow a tag, its emission excluded.

    They are right up to a constant of the word. ``transitions`` is (1, tags, tags) for all sentences or (batch, tags,
    tags). Sentences ``begin`` to ``end`` are done.
    """
    prepared = prepare_transitions(transitions[0])
    messages = empty_messages(unary.shape[1], prepared.width)
    found = messages.backward
    for b in range(begin, end):
        if lengths[b] == 0:
            continue
        if transitions.shape[0] > 1:
            prepared = prepare_transitions(transitions[b])
        backward_recursion(padded_unary(unary, b, lengths[b]), prepared, messages)
        for i in range(lengths[b]):
            for j in range(unary.shape[2]):
                backward[b, i, j] = found[i, j]
