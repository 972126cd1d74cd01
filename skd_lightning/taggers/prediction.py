"""Predictions of a tagger on sentences that are lists of words."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from skd_lightning.crf import LinearChainCRF
from skd_lightning.data.batch_sampling import EvaluationBatches
from skd_lightning.data.batches import SentenceDataset
from skd_lightning.data.sentence import Sentence
from skd_lightning.errors import UserError
from skd_lightning.predictions import (
    Alternative,
    Languages,
    Prediction,
    alternatives_of,
    languages_of,
    refuse_other_than_words,
)
from skd_lightning.ragged import cells, ranges
from skd_lightning.taggers.entity_probabilities import entities_of_chain

if TYPE_CHECKING:
    from skd_lightning.taggers.tagger import Tagger

TOKENS = 4000
"""Words a batch when nothing is trained."""


def chains(
    tagger: Tagger, sentences: Sequence[Sequence[str]], language: Languages
) -> Iterator[tuple[list[int], LinearChainCRF]]:
    """Yield positions and distributions of the sentences, batch by batch.

    Several threads may ask a tagger that is in evaluation mode.

    Raises:
        UserError: something is no list of words, or the languages are not as many as the sentences.
    """
    refuse_other_than_words(sentences)
    own = tagger.wide is not None and tagger.wide.settings.of_languages
    languages = languages_of(language, len(sentences), tagger.languages, own)
    named = [Sentence(tuple(words), language=own) for words, own in zip(sentences, languages, strict=True)]
    dataset = SentenceDataset(named, tagger.featurizer, sorted(set(languages)))
    was_training = tagger.training
    if was_training:
        tagger.eval()
    try:
        with torch.inference_mode():
            for indices in EvaluationBatches(dataset.lengths, TOKENS):
                batch = dataset.__getitems__(indices)
                yield indices, tagger(tagger.transfer_batch_to_device(batch, tagger.device, 0))
    finally:
        if was_training:
            tagger.train()


def distribution(tagger: Tagger, sentences: Sequence[Sequence[str]], language: Languages) -> LinearChainCRF:
    """Return the distributions of all sentences as one batch on the CPU; see :meth:`Tagger.distribution`."""
    found = list(chains(tagger, sentences, language))
    lengths = torch.tensor([len(words) for words in sentences], dtype=torch.long)
    emissions = torch.zeros(len(sentences), max(lengths.tolist(), default=0), len(tagger.tag_set))
    for indices, crf in found:
        emissions[indices, : crf.emissions.shape[1]] = crf.emissions.float().cpu()
    transitions, start, end = (scores.detach().cpu() for scores in tagger.scores())
    return LinearChainCRF(emissions, transitions, lengths, start, end)


def predict(
    tagger: Tagger, sentences: Sequence[Sequence[str]], language: Languages, k: int = 0
) -> list[Prediction]:
    """Return tags and probabilities of each sentence; see :meth:`Tagger.predict`."""
    predictions: dict[int, Prediction] = {}
    for indices, chain in chains(tagger, sentences, language):
        # A log-probability is the difference of two scores of thousands of nats, which float32 knows to three decimals;
        # that of a long sentence is too small for it.
        crf = LinearChainCRF(chain.unary.double(), chain.transitions.double(), chain.lengths)
        paths = tagger.decode(crf)
        confidences = crf.marginals.gather(2, paths.unsqueeze(-1)).squeeze(-1).tolist()
        probabilities = crf.log_prob(paths).exp().tolist()
        tags = [
            tagger.tag_set.decode(path[: len(sentences[i])])
            for path, i in zip(paths.tolist(), indices, strict=True)
        ]
        found = entities_of_chain(crf, tags, tagger.tag_set, tagger.head.well_formed)
        alternatives = _alternatives(tagger, crf, k) if k else [()] * len(indices)
        for row, i in enumerate(indices):
            length = len(sentences[i])
            own = tuple(confidences[row][:length])
            if not all(math.isfinite(number) for number in (*own, probabilities[row])):
                raise UserError(
                    f"sentence {i + 1} has no tag sequence with a probability: the tagger's weights are not finite, "
                    f"or its tags {', '.join(tagger.tag_set.names)} allow none of {length} words"
                )
            predictions[i] = Prediction(tags[row], own, probabilities[row], found[row], alternatives[row])
    return [predictions[i] for i in range(len(sentences))]


def _alternatives(tagger: Tagger, crf: LinearChainCRF, k: int) -> list[tuple[Alternative, ...]]:
    """Return the k most probable tag sequences of each sentence, best first."""
    best = crf.kbest(k)
    log_probs = best.scores - crf.log_partition.unsqueeze(1)
    return alternatives_of(
        tagger.tag_set.decode, best.paths.tolist(), log_probs.tolist(), crf.lengths.tolist()
    )


def predict_emissions(
    tagger: Tagger,
    sentences: Sequence[Sequence[str]],
    advance: Callable[[int], object],
    language: Languages,
) -> np.ndarray:
    """Return the emissions of all words, end to end; see :meth:`Tagger.predict_emissions`."""
    refuse_other_than_words(sentences)
    lengths = np.array([len(words) for words in sentences], dtype=np.int64)
    starts = np.cumsum(lengths) - lengths
    emissions = np.zeros((lengths.sum(), len(tagger.tag_set)), dtype=np.float32)
    for indices, crf in chains(tagger, sentences, language):
        row, word = cells(lengths[indices])
        emissions[ranges(starts[indices], lengths[indices])] = crf.emissions.float().cpu().numpy()[row, word]
        advance(len(indices))
    return emissions
