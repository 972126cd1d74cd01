"""Scores of given paths, and their gradients, in float64."""

from __future__ import annotations

from skd_lightning.crf.kernels.cpu.compiler import Doubles, Floats, Integers, released


@released
def path_scores(
    begin: int,
    end: int,
    unary: Floats,
    transitions: Floats,
    lengths: Integers,
    paths: Integers,
    scores: Floats,
) -> bool:
    """Fill the scores (batch, k) of paths (batch, k, words); return False if a tag does not exist.

    ``transitions`` is (1, tags, tags) for all sentences or (batch, tags, tags).
    """
    tags = unary.shape[2]
    known = True
    for b in range(begin, end):
        own = b if transitions.shape[0] > 1 else 0
        for rank in range(paths.shape[1]):
            total, before = 0.0, -1
            for i in range(lengths[b]):
                tag = paths[b, rank, i]
                if not 0 <= tag < tags:
                    known = False
                    break
                total += unary[b, i, tag]
                if i > 0:
                    total += transitions[own, before, tag]
                before = tag
            scores[b, rank] = total
    return known


@released
def path_scores_adjoint(
    begin: int,
    end: int,
    grad: Floats,
    lengths: Integers,
    paths: Integers,
    grad_unary: Floats,
    grad_transitions: Doubles,
) -> None:
    """Add what the paths' scores pass on to the gradients (batch, words, tags) and (batch, tags, tags)."""
    for b in range(begin, end):
        for rank in range(paths.shape[1]):
            weight = grad[b, rank]
            before = -1
            for i in range(lengths[b]):
                tag = paths[b, rank, i]
                grad_unary[b, i, tag] += weight
                if i > 0:
                    grad_transitions[b, before, tag] += weight
                before = tag
