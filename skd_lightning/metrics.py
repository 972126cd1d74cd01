"""Scores of predicted tags against gold tags, for each language; exact under any batching."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
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
"""What is counted, for a sentence or summed over those of a language."""


class TaggingScores(Metric):
    """Entity F1 and word accuracy of each language, and their macro mean over languages.

    An entity counts as found if its first word, last word and type agree with a gold entity. Which entities a
    sequence of tags holds is read in two ways: leniently as conlleval does (and seqeval by default), and
    strictly, where only chunks count that are well-formed in the scheme of the tag set (seqeval's
    ``mode="strict"``).
    For the scheme ``"none"`` there are no entities, only accuracy.

    Only integers are kept, in one state of shape (languages, 9) summed over processes, so the scores do not
    depend on how sentences were batched, padded or shared out. Fill batches with sentences of 0 words: they
    count for nothing.

    Args:
        tag_set: the tags.
        languages: their codes; ``update`` receives places in this list.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False

    counts: Tensor
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
        number = {name: i for i, name in enumerate(sorted({"", *types}))}  # "" sorts first: 0 is no entity
        opening, closing = ("B", "BI") if tag_set.scheme == "iob2" else ("BS", "ES")
        tables = {
            "_continues": torch.tensor([[continues(a, b) for b in names] for a in names]),
            "_types": torch.tensor([number[t] for t in types]),
            "_opens": torch.tensor([split_tag(name)[0] in opening for name in names]),
            "_closes": torch.tensor([split_tag(name)[0] in closing for name in names]),
        }
        for name, table in tables.items():
            self.register_buffer(name, table, persistent=False)

    def update(self, predicted: Tensor, gold: Tensor, lengths: Tensor, languages: Tensor) -> None:
        """Count a batch.

        Args:
            predicted: (batch, words) int64 tags; anything at padding.
            gold: (batch, words) int64 tags; anything at padding.
            lengths: (batch,) words of each sentence; 0 for a sentence that does not count.
            languages: (batch,) int64 places in the list of languages.
        """
        words = torch.arange(gold.shape[1], device=gold.device) < lengths.unsqueeze(1)
        per_sentence = [lengths > 0, lengths, ((predicted == gold) & words).sum(1)]
        if self.tag_set.scheme == "none":
            per_sentence += [torch.zeros_like(lengths)] * 6
        else:
            begins_p, ends_p, types_p, strict_p = self._chunks(predicted, words)
            begins_g, ends_g, types_g, strict_g = self._chunks(gold, words)
            found = begins_p & begins_g & (ends_p == ends_g) & (types_p == types_g)
            marks = [found, begins_p, begins_g, found & strict_p & strict_g, strict_p, strict_g]
            per_sentence += [mark.sum(1) for mark in marks]
        table = torch.stack([column.to(torch.int64) for column in per_sentence], dim=1)
        self.counts.index_add_(0, languages, table)

    def _chunks(self, tags: Tensor, words: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The chunks of each sentence, told at the words where they begin.

        Args:
            tags: (batch, words) int64.
            words: (batch, words) bool, False at padding.

        Returns:
            each (batch, words): does a chunk begin here; last word + 1 of the chunk that begins here; its
            type; does a chunk begin here that is well-formed.
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
        """The scores, plain numbers.

        Returns:
            ``languages``: for each language ``accuracy`` (share of words), ``sentences`` and ``words``
            (counts) and, unless the scheme is ``"none"``, ``precision``, ``recall``, ``f1`` (lenient) and
            ``f1_strict``, micro-averaged over entities; 0 where there is nothing to divide by.
            ``metric``: which of them is the score of this tag set, ``"f1"`` or ``"accuracy"``.
            ``average``: its mean over the languages that have sentences. All scores are in [0, 1].
        """
        entity_scheme = self.tag_set.scheme != "none"
        metric = "f1" if entity_scheme else "accuracy"
        rows: dict[str, dict[str, Any]] = {}
        for language, numbers in zip(self.languages, self.counts.tolist(), strict=True):
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
                }
        scored = [row[metric] for row in rows.values() if row["sentences"]]
        return {"languages": rows, "metric": metric, "average": _ratio(sum(scored), len(scored))}


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
