"""Scores of predicted tags against gold tags by language and by entity type; exact under any batching."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics import Metric

from skd_lightning.tags import OUTSIDE, TagSet, continues, split_tag

COLUMNS = (
    "sentences",
    "words",
    "correct",  # words with the gold tag
    "found",  # entities, lenient: in both / predicted / gold
    "predicted",
    "gold",
    "found_strict",
    "predicted_strict",
    "gold_strict",
)
"""Columns of the counts of a sentence, or of all sentences of a language."""

Chunks = tuple[Tensor, Tensor, Tensor, Tensor]
"""Chunks of a batch, see :meth:`TaggingScores._chunks`."""


class TaggingScores(Metric):
    """Entity F1 and word accuracy of each language, and their macro mean over languages.

    An entity counts as found if its first word, last word and type agree with a gold entity. Which entities a
    sequence of tags holds is read in two ways: leniently as conlleval does (and seqeval by default), and
    strictly, where only chunks count that are well-formed in the scheme of the tag set (seqeval's
    ``mode="strict"``).
    For the scheme ``"none"`` there are no entities, only accuracy.

    Only integers are kept and summed over processes, so the scores do not depend on how sentences were
    batched, padded or shared out: ``counts`` (languages, 9), and for entity schemes ``type_counts``
    (languages, types + 1, 3), entities of each type that are in both, predicted, gold (type 0 is none). Fill
    batches with sentences of 0 words: they count for nothing.

    Args:
        tag_set: the tags.
        languages: their codes; ``update`` receives places in this list.

    Examples:
        >>> tags = TagSet.of(["B-PER"], "iob2")
        >>> scores = TaggingScores(tags, ["en"])
        >>> gold = torch.tensor([tags.encode(["B-PER", "I-PER", "O", "B-PER"])])
        >>> found = torch.tensor([tags.encode(["B-PER", "I-PER", "O", "O"])])
        >>> scores.update(found, gold, lengths=torch.tensor([4]), languages=torch.tensor([0]))
        >>> scores.compute()["languages"]["en"]["by_type"]
        {'PER': {'precision': 1.0, 'recall': 0.5, 'f1': 0.6666666666666666, 'support': 2, 'predicted': 1}}
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False

    counts: Tensor
    type_counts: Tensor
    _continues: Tensor
    _types: Tensor
    _opens: Tensor
    _closes: Tensor

    def __init__(self, tag_set: TagSet, languages: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.tag_set = tag_set
        self.languages = list(languages)
        zeros = torch.zeros(len(self.languages), len(COLUMNS), dtype=torch.int64)
        self.add_state("counts", zeros, dist_reduce_fx="sum")

        # Lookup tables over the tags and, as number len(tag_set), what stands outside of the sentence.
        names = (*tag_set.names, OUTSIDE)
        types = [split_tag(name)[1] for name in names]
        self.types = sorted({"", *types})  # "" sorts first: 0 is no entity
        number = {name: i for i, name in enumerate(self.types)}
        opening, closing = ("B", "BI") if tag_set.scheme == "iob2" else ("BS", "ES")
        tables = {
            "_continues": torch.tensor([[continues(a, b) for b in names] for a in names]),
            "_types": torch.tensor([number[t] for t in types]),
            "_opens": torch.tensor([split_tag(name)[0] in opening for name in names]),
            "_closes": torch.tensor([split_tag(name)[0] in closing for name in names]),
        }
        for name, table in tables.items():
            self.register_buffer(name, table, persistent=False)
        if tag_set.scheme != "none":
            zeros = torch.zeros(len(self.languages), len(self.types), 3, dtype=torch.int64)
            self.add_state("type_counts", zeros, dist_reduce_fx="sum")

    def update(self, predicted: Tensor, gold: Tensor, lengths: Tensor, languages: Tensor) -> None:
        """Count a batch.

        Args:
            predicted: (batch, words) int64 tags; anything at padding.
            gold: (batch, words) int64 tags; anything at padding.
            lengths: (batch,) words of each sentence; 0 for a sentence that does not count.
            languages: (batch,) int64 places in the list of languages.
        """
        chunks = self._both(predicted, gold, lengths)
        self.counts.index_add_(0, languages, self._count(predicted, gold, lengths, chunks))
        if chunks is None:
            return
        ours, true = chunks
        marks = ((_in_both(ours, true), true), (ours[0], ours), (true[0], true))
        for column, (mark, (_, _, types, _)) in enumerate(marks):
            cells = (languages.unsqueeze(1) * len(self.types) + types).flatten()
            self.type_counts.view(-1, 3)[:, column].index_add_(0, cells, mark.flatten().to(torch.int64))

    def count(self, predicted: Tensor, gold: Tensor, lengths: Tensor) -> Tensor:
        """Return (batch, 9) int64 counts of each sentence, see :data:`COLUMNS`; arguments as for :meth:`update`."""
        return self._count(predicted, gold, lengths, self._both(predicted, gold, lengths))

    def _both(self, predicted: Tensor, gold: Tensor, lengths: Tensor) -> tuple[Chunks, Chunks] | None:
        """Find the chunks of both; None where tags mark none."""
        words = _words(gold, lengths)
        none = self.tag_set.scheme == "none"
        return None if none else (self._chunks(predicted, words), self._chunks(gold, words))

    def _count(
        self, predicted: Tensor, gold: Tensor, lengths: Tensor, chunks: tuple[Chunks, Chunks] | None
    ) -> Tensor:
        per_sentence = [lengths > 0, lengths, ((predicted == gold) & _words(gold, lengths)).sum(1)]
        if chunks is None:
            per_sentence += [torch.zeros_like(lengths)] * 6
        else:
            ours, true = chunks
            found = _in_both(ours, true)
            (begins_p, _, _, strict_p), (begins_g, _, _, strict_g) = ours, true
            marks = [found, begins_p, begins_g, found & strict_p & strict_g, strict_p, strict_g]
            per_sentence += [mark.sum(1) for mark in marks]
        return torch.stack([column.to(torch.int64) for column in per_sentence], dim=1)

    def _chunks(self, tags: Tensor, words: Tensor) -> Chunks:
        """Find the chunks of each sentence, told at the words where they begin.

        Args:
            tags: (batch, words) int64.
            words: (batch, words) bool, False at padding.

        Returns:
            Four tensors (batch, words): True where a chunk begins; last word + 1 of the chunk that begins
            there; its type; True where a well-formed chunk begins.
        """
        outside = len(self.tag_set)
        tags = torch.where(words, tags, outside)
        edge = tags.new_full((len(tags), 1), outside)
        before, after = torch.cat([edge, tags], 1), torch.cat([tags, edge], 1)
        # (batch, words + 1): word i does not carry on the chunk of word i - 1
        cut = ~self._continues[before, after]
        types = self._types[tags]
        begins = cut[:, :-1] & (types > 0)
        # The chunk that begins at word i ends at the first cut right of i; the last column is always one.
        position = torch.arange(cut.shape[1], device=tags.device)
        cuts = torch.where(cut, position, cut.shape[1])
        ends = cuts.flip(1).cummin(1).values.flip(1)[:, 1:]
        strict = begins & self._opens[tags] & self._closes[tags.gather(1, ends - 1)]
        return begins, ends, types, strict

    def compute(self) -> dict[str, Any]:
        """Return the scores as plain numbers.

        Returns:
            ``languages``: for each language ``accuracy`` (share of words), ``sentences`` and ``words``
            (counts) and, unless the scheme is ``"none"``, ``precision``, ``recall``, ``f1`` (lenient) and
            ``f1_strict``, micro-averaged over entities, and ``by_type``: for each entity type that occurs
            ``precision``, ``recall``, ``f1`` (lenient), ``support`` (gold entities) and ``predicted`` (their
            number), as in seqeval's ``classification_report``; 0 where there is nothing to divide by.
            ``metric``: which of them is the score of this tag set, ``"f1"`` or ``"accuracy"``.
            ``average``: its mean over the languages that have sentences. All scores are in [0, 1].
        """
        entity_scheme = self.tag_set.scheme != "none"
        metric = "f1" if entity_scheme else "accuracy"
        rows: dict[str, dict[str, Any]] = {}
        for place, (language, numbers) in enumerate(zip(self.languages, self.counts.tolist(), strict=True)):
            n = dict(zip(COLUMNS, numbers, strict=True))
            rows[language] = {
                "accuracy": _ratio(n["correct"], n["words"]),
                "sentences": n["sentences"],
                "words": n["words"],
            }
            if entity_scheme:
                rows[language] |= {
                    "f1": _ratio(2 * n["found"], n["predicted"] + n["gold"]),
                    "precision": _ratio(n["found"], n["predicted"]),
                    "recall": _ratio(n["found"], n["gold"]),
                    "f1_strict": _ratio(2 * n["found_strict"], n["predicted_strict"] + n["gold_strict"]),
                    "by_type": self._by_type(place),
                }
        scored = [row[metric] for row in rows.values() if row["sentences"]]
        return {"languages": rows, "metric": metric, "average": _ratio(sum(scored), len(scored))}

    def _by_type(self, place: int) -> dict[str, dict[str, Any]]:
        rows = zip(self.types[1:], self.type_counts[place, 1:].tolist(), strict=True)
        return {
            name: {
                "precision": _ratio(found, predicted),
                "recall": _ratio(found, gold),
                "f1": _ratio(2 * found, predicted + gold),
                "support": gold,
                "predicted": predicted,
            }
            for name, (found, predicted, gold) in rows
            if predicted or gold
        }


def _words(gold: Tensor, lengths: Tensor) -> Tensor:
    """Return (batch, words) bool, False at padding."""
    return torch.arange(gold.shape[1], device=gold.device) < lengths.unsqueeze(1)


def _in_both(ours: Chunks, true: Chunks) -> Tensor:
    """Return (batch, words) bool: a chunk begins there that has the same last word and type in both."""
    return ours[0] & true[0] & (ours[1] == true[1]) & (ours[2] == true[2])


def split_types(
    languages: Mapping[str, Mapping[str, Any]],
) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, dict[str, Any]]]]:
    """Part the rows of :meth:`TaggingScores.compute` into whole scores and scores by type; both by language."""
    rows = {code: {k: v for k, v in row.items() if k != "by_type"} for code, row in languages.items()}
    return rows, {code: row["by_type"] for code, row in languages.items() if row.get("by_type")}


def add_confusions(
    tags: Sequence[str], parts: Iterable[tuple[Sequence[str], NDArray[np.int64]]]
) -> NDArray[np.int64]:
    """Add up confusion matrices of taggers that know some of these tags.

    Args:
        tags: of the result.
        parts: for each tagger its tags, and (its tags, its tags) words ``[gold, predicted]``.

    Returns:
        (tags, tags) int64 words.

    >>> add_confusions(["O", "X"], [(["X"], np.array([[2]])), (["X", "O"], np.array([[1, 3], [0, 5]]))]).tolist()
    [[5, 0], [3, 3]]
    """
    place = {tag: i for i, tag in enumerate(tags)}
    total = np.zeros((len(tags), len(tags)), dtype=np.int64)
    for own, counts in parts:
        numbers = [place[tag] for tag in own]
        total[np.ix_(numbers, numbers)] += counts
    return total


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
