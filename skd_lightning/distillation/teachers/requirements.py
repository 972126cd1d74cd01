"""Answers that a pool needs of its members: refusal of teachers that have none, and sentences on which some speak."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from skd_lightning.distillation.cache.entry import Spoken
from skd_lightning.distillation.objective import Needs
from skd_lightning.distillation.teachers.pools import Pool
from skd_lightning.errors import UserError


class TeacherFacts(NamedTuple):
    """Facts about a teacher that do not depend on the text.

    Attributes:
        fingerprint: hash of all that its answers depend on.
        columns: (teacher's tags,) place of each among the student's.
        languages: that it learned from; empty where nobody knows.
        speaks: the kind of its answers.
        complete: it speaks on every sentence.
    """

    fingerprint: str
    columns: np.ndarray
    languages: list[str]
    speaks: type[Spoken]
    complete: bool


def refuse_kind(
    folder: Path, facts: TeacherFacts, needs: Needs, pool: Pool, asks_disagreement: bool, asks_entropy: bool
) -> None:
    """Refuse a teacher whose kind has no answer to what is asked of it.

    Args:
        folder: its name.
        facts: about it.
        needs: fields that the objective reads.
        pool: to which it belongs, perhaps alone.
        asks_disagreement: the disagreement of the pool's members is asked for.
        asks_entropy: its entropy is asked for.

    Raises:
        UserError: naming the teacher, and what to do.
    """
    nature, offers, several = facts.speaks.nature, facts.speaks.offers, len(pool.folders) > 1
    if "potentials" not in offers and (needs.emissions or needs.chain):
        raise UserError(
            f"{folder}: it gives {nature}, and this objective asks for potentials: take posterior, or structural with "
            "alpha 1"
        )
    if "potentials" not in offers and asks_entropy:
        raise UserError(f"{folder}: --distillation.most_entropy asks for potentials, and it gives {nature}")
    if "potentials" not in offers and several and pool.kind == "product":
        raise UserError(f"{folder}: it gives {nature}, which have no potentials to multiply: take a mixture")
    if "pairs" not in offers and (needs.path_set is not None or (needs.k and several)):
        together = " of a pool" if needs.k else ""
        raise UserError(
            f"{folder}: it gives {nature}, and this objective{together} asks for probabilities of tag sequences: take "
            "posterior, or structural with alpha 1"
        )
    if (
        several
        and not (facts.complete and "potentials" in offers)
        and (asks_disagreement or pool.weights == "dev")
    ):
        option = "--distillation.most_disagreement" if asks_disagreement else "weights: dev"
        raise UserError(
            f"{folder}: {option} asks for potentials on every sentence, and it gives {nature} on some"
        )
    if several and pool.weights == "similarity" and not facts.languages:
        raise UserError(
            f"{folder}: nobody knows what text it learned from, which similarity compares: take uniform weights"
        )


def heard(pool: Pool, known: Sequence[np.ndarray | None]) -> np.ndarray:
    """Return (sentences,) bool, True where some member of a mixture speaks, or where all of a product do.

    Args:
        pool: of the members.
        known: (sentences,) bool of each member, at least one of which is not None; None for all True.
    """
    some = [mask for mask in known if mask is not None]
    if pool.kind == "product":
        return np.array(np.logical_and.reduce(some, axis=0))
    return np.array(np.logical_or.reduce(some, axis=0)) | (len(some) < len(known))
