"""Chains over IOB2 tags as chains over BIOES tags.

Every well-formed IOB2 sequence is one well-formed BIOES sequence: a B- without I- behind it is S-, an I- without I-
behind it is E-. Letter by letter, each BIOES tag has an IOB2 tag (S- has B-, E- has I-), so that the score of a
sequence is that of its counterpart where each tag scores what its counterpart scores. What remains is to forbid what
BIOES forbids. The other way, tags fall together and no sequences do: see :func:`map_tags`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skd_lightning.distillation.cache.entry import Potentials
from skd_lightning.tags import TagSet

COUNTERPART = {"S": "B", "E": "I"}
"""Prefixes of BIOES that IOB2 has others for."""


def counterpart(tag: str) -> str:
    """Return the IOB2 tag of a BIOES tag.

    >>> counterpart("S-PER"), counterpart("I-PER"), counterpart("O")
    ('B-PER', 'I-PER', 'O')
    """
    return COUNTERPART.get(tag[0], tag[0]) + tag[1:] if tag[1:2] == "-" else tag


@dataclass(frozen=True)
class IntoBioes:
    """The conversion of a tagger's potentials.

    Attributes:
        theirs: IOB2 tags of the tagger.
    """

    theirs: TagSet

    @property
    def tag_set(self) -> TagSet:
        """Return the BIOES tags of the same types."""
        return TagSet.of(self.theirs.names, "bioes")

    def __call__(self, said: Potentials) -> Potentials:
        """Return the same distribution over BIOES tags; of one with ill-formed sequences, that of all others.

        Args:
            said: over the tagger's tags.
        """
        there = {name: place for place, name in enumerate(self.theirs.names)}
        source = np.array([there.get(counterpart(name), len(there)) for name in self.tag_set.names])
        neighbours, first, last = self.tag_set.forbidden()

        def taken(values: np.ndarray, *axes: int) -> np.ndarray:
            wider = np.pad(
                values, [(0, int(axis in axes)) for axis in range(values.ndim)], constant_values=-np.inf
            )
            for axis in axes:
                wider = wider.take(source, axis)
            return wider

        return Potentials(
            taken(said.emissions, 1),
            np.where(neighbours, np.float32(-np.inf), taken(said.transitions, 0, 1)),
            np.where(first, np.float32(-np.inf), taken(said.start, 0)),
            np.where(last, np.float32(-np.inf), taken(said.end, 0)),
            said.known,
        )
