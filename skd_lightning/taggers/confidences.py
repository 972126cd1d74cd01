"""The counts that calibration is judged by: how sure a tagger was, and how often it was right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from skd_lightning.crf import LinearChainCRF
from skd_lightning.taggers.entity_probabilities import entities_of_chain
from skd_lightning.tags import TagSet, entities

BINS = 15
"""Number of bins of equal width that confidences are sorted into; as in Guo et al. 2017."""

UNIT = 2**32
"""Confidences and losses are added up in whole units of 2⁻³²: integers give one sum in any order of batches."""


class ConfidenceCounts(Metric):
    """Counts of the decoded words and entities of each language by their probability.

    The confidence of a word is p(y_i|x) of its decoded tag, that of an entity its probability: both are those of a
    :class:`~skd_lightning.predictions.Prediction`. Bin m of the ``BINS`` holds the confidences in
    (m/BINS, (m + 1)/BINS], counted from 0. An entity is right if it is one of the gold annotation, in conlleval's
    reading. Integers alone are kept and summed over processes. Sentences of 0 words count for nothing.

    Args:
        tag_set: the tags.
        languages: their codes; ``update`` receives places in this list.
        well_formed: True if the distributions give ill-formed sequences no probability; saves work.

    Examples:
        >>> counts = ConfidenceCounts(TagSet.of(["N", "V"], "none"), ["en"], well_formed=True)
        >>> crf = LinearChainCRF(torch.tensor([[[2.0, 0.0]]]), torch.zeros(2, 2), torch.tensor([1]))
        >>> path, gold = crf.viterbi(), torch.tensor([[1]])
        >>> counts.update(crf, path, gold, lengths=torch.tensor([1]), languages=torch.tensor([0]))
        >>> found = counts.compute()["en"]
        >>> found["words"]["count"].index(1), sum(found["words"]["correct"])  # 0.88 is in the bin up to 14/15
        (13, 0)
        >>> round(found["log_loss"], 4)  # −log 0.12
        2.1269
    """

    is_differentiable = False
    full_state_update = False

    words: Tensor
    entities: Tensor
    loss: Tensor

    def __init__(self, tag_set: TagSet, languages: Sequence[str], well_formed: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.tag_set, self.well_formed = tag_set, well_formed
        self.languages = list(languages)
        self.of_entities = tag_set.scheme != "none"
        bins = torch.zeros(len(self.languages), BINS, 3, dtype=torch.int64)  # count, confidence, correct
        self.add_state("words", bins.clone(), dist_reduce_fx="sum")
        self.add_state("entities", bins, dist_reduce_fx="sum")
        self.add_state("loss", torch.zeros(len(self.languages), dtype=torch.int64), dist_reduce_fx="sum")

    def update(
        self,
        crf: LinearChainCRF,
        paths: Tensor,
        gold: Tensor,
        lengths: Tensor,
        languages: Tensor,
    ) -> None:
        """Count a batch.

        Args:
            crf: its distributions.
            paths: (batch, words) int64 decoded tags; any tag at padding.
            gold: (batch, words) int64 tags; anything at padding.
            lengths: (batch,) words of each sentence; 0 for a sentence that does not count.
            languages: (batch,) int64 places in the list of languages.
        """
        words = torch.arange(paths.shape[1], device=paths.device) < lengths.unsqueeze(1)
        gold = torch.where(words, gold, 0)
        # A tagger whose weights are not finite is sure of nothing; its results have to be written all the same.
        marginals = crf.marginals.nan_to_num(0.0)
        of_path, of_gold = (marginals.gather(2, tags.unsqueeze(2)).squeeze(2) for tags in (paths, gold))
        owners = languages.unsqueeze(1).expand_as(paths)
        _add(self.words, of_path[words], (paths == gold)[words], owners[words])
        # What underflows counts 87 nats, not infinitely many.
        loss = -of_gold.clamp(torch.finfo(of_gold.dtype).tiny, 1).log()
        self.loss.index_add_(0, languages, torch.where(words, _units(loss), 0).sum(1))
        if self.of_entities:
            self._count_entities(crf, paths, gold, lengths, languages)

    def _count_entities(
        self, crf: LinearChainCRF, paths: Tensor, gold: Tensor, lengths: Tensor, languages: Tensor
    ) -> None:
        """Count the entities of a batch; arguments as for :meth:`update`."""
        decoded, true = (
            [self.tag_set.decode(row[:n]) for row, n in zip(tags.tolist(), lengths.tolist(), strict=True)]
            for tags in (paths, gold)
        )
        found = entities_of_chain(crf, decoded, self.tag_set, self.well_formed)
        confidences, right = [], []
        for own, tags in zip(found, true, strict=True):
            spans = set(entities(tags))
            confidences += [entity.probability for entity in own]
            right += [(entity.label, entity.first, entity.last + 1) in spans for entity in own]
        device = languages.device
        sure = torch.tensor(confidences, dtype=torch.double, device=device).nan_to_num(0.0)
        sizes = torch.tensor([len(own) for own in found], dtype=torch.int64, device=device)
        owners = languages.repeat_interleave(sizes)
        _add(self.entities, sure, torch.tensor(right, dtype=torch.bool, device=device), owners)

    def compute(self) -> dict[str, dict[str, Any]]:
        """Return the counts as plain numbers.

        Returns:
            For each language that has words: ``log_loss``, the mean −log p(y*_i|x) of the gold tags in nats a word;
            ``words`` and, unless the scheme is ``"none"``, ``entities`` (the predicted ones), both with lists of
            ``BINS`` numbers, one a bin: ``count``, ``confidence`` (its sum), and ``correct`` (their number).
        """
        found = {}
        for place, language in enumerate(self.languages):
            if not (words := int(self.words[place, :, 0].sum())):
                continue
            row = {
                "log_loss": round(int(self.loss[place]) / UNIT / words, 9),
                "words": _lists(self.words[place]),
            }
            found[language] = row | ({"entities": _lists(self.entities[place])} if self.of_entities else {})
        return found


def binned(confidence: Tensor, right: Tensor) -> dict[str, list[Any]]:
    """Return n words or entities, told by two tensors (n,), as :meth:`ConfidenceCounts.compute` does.

    >>> found = binned(torch.tensor([0.9, 0.88]), torch.tensor([True, False]))
    >>> found["count"][13], found["confidence"][13], found["correct"][13]
    (2, 1.78, 1)
    """
    counts = torch.zeros(1, BINS, 3, dtype=torch.int64)
    _add(counts, confidence, right, torch.zeros(len(confidence), dtype=torch.int64))
    return _lists(counts[0])


def _add(counts: Tensor, confidence: Tensor, right: Tensor, languages: Tensor) -> None:
    """Add n words or entities to the counts (languages, BINS, 3), told by three tensors (n,)."""
    confidence = confidence.clamp(0, 1)
    bins = ((confidence * BINS).ceil().long() - 1).clamp(0, BINS - 1)
    rows = torch.stack([torch.ones_like(bins), _units(confidence), right.long()], 1)
    counts.view(-1, 3).index_add_(0, languages * BINS + bins, rows)


def _units(values: Tensor) -> Tensor:
    return (values * UNIT).round().long()


def _lists(counts: Tensor) -> dict[str, list[Any]]:
    count, confidence, correct = counts.T.tolist()
    return {
        "count": count,
        "confidence": [round(units / UNIT, 6) for units in confidence],
        "correct": correct,
    }
