"""Scores of each entity type, as seqeval's classification report has them, summed over languages and taggers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from skd_lightning.runs.record import TypeScores


@dataclass(frozen=True)
class TypeCounts:
    """Entities of one type: those in both, those predicted, those in the gold annotation.

    >>> both = TypeCounts(3, 4, 6) + TypeCounts(0, 1, 0)
    >>> both.precision, both.recall, both.support
    (0.6, 0.5, 6)
    """

    found: int = 0
    predicted: int = 0
    gold: int = 0

    def __add__(self, other: TypeCounts) -> TypeCounts:
        return TypeCounts(self.found + other.found, self.predicted + other.predicted, self.gold + other.gold)

    @property
    def precision(self) -> float:
        """Return the share of the predicted entities that are right; 0 without any."""
        return self.found / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """Return the share of the gold entities that were found; 0 without any."""
        return self.found / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        """Return the harmonic mean of precision and recall; 0 where there is nothing to divide by."""
        whole = self.predicted + self.gold
        return 2 * self.found / whole if whole else 0.0

    @property
    def support(self) -> int:
        """Return the number of gold entities."""
        return self.gold


Types = dict[str, TypeCounts]


def read_types(row: Mapping[str, TypeScores]) -> Types:
    """Restore the counts of a language from its scores by type.

    Raises:
        ValueError: precision and recall of a type do not come from the same counts.
    """
    counts = {
        name: TypeCounts(round(found.recall * found.support), found.predicted, found.support)
        for name, found in row.items()
    }
    for name, found in row.items():
        if abs(counts[name].precision - found.precision) > 1e-6:
            raise ValueError(f"entity type {name}: its precision is not that of its counts")
    return counts


def together(groups: Iterable[Types]) -> Types:
    """Add up the counts of languages or of taggers (micro averages), types in sorted order."""
    total: Types = {}
    for group in groups:
        for name, counts in group.items():
            total[name] = total.get(name, TypeCounts()) + counts
    return dict(sorted(total.items()))


def over_all(types: Types) -> TypeCounts:
    """Add up the counts of all types."""
    return sum(types.values(), TypeCounts())
