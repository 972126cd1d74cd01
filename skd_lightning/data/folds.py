"""Folds of the training text: a tagger trained without one of them speaks on its sentences as on new text."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from skd_lightning.data.sentence import Sentence
from skd_lightning.errors import UserError


def fold_of(words: Sequence[str], folds: int) -> int:
    """Return the fold of a sentence, from 1 to ``folds``.

    Its words decide about it, so that it is the same in every sample, split and run, and that of all copies.

    >>> fold_of(["Anna", "reads"], 5) == fold_of(("Anna", "reads"), 5)
    True
    """
    digest = hashlib.sha256(json.dumps([*words], ensure_ascii=False).encode())
    return 1 + int.from_bytes(digest.digest()[:8], "big") % folds


@dataclass(frozen=True)
class Fold:
    """One of the parts that the words of sentences decide about, see :func:`fold_of`.

    Attributes:
        number: of the fold, from 1.
        folds: how many there are, at least 2.
    """

    number: int
    folds: int

    @classmethod
    def named(cls, text: str) -> Fold:
        """Return the fold with a name such as ``2/5``.

        Raises:
            UserError: the text names no fold.

        >>> Fold.named("2/5")
        Fold(number=2, folds=5)
        """
        match = re.fullmatch(r"(\d+)/(\d+)", text)
        fold = cls(*map(int, match.groups())) if match else cls(0, 0)
        if not 1 <= fold.number <= fold.folds or fold.folds < 2:
            raise UserError(f"--data.without_fold is {text!r}; expected a fold and their number, such as 2/5")
        return fold

    @classmethod
    def all(cls, folds: int) -> list[Fold]:
        """Return all folds in their order.

        >>> [str(fold) for fold in Fold.all(2)]
        ['1/2', '2/2']
        """
        return [cls(number + 1, folds) for number in range(folds)]

    def __str__(self) -> str:
        return f"{self.number}/{self.folds}"

    def without(self, sentences: Sequence[Sentence]) -> list[Sentence]:
        """Return the sentences of the other folds, in their order."""
        return [sentence for sentence in sentences if fold_of(sentence.words, self.folds) != self.number]
