"""From distributions to the tags that a tagger chooses."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from skd_lightning import entity_spans
from skd_lightning.crf import LinearChainCRF
from skd_lightning.errors import UserError
from skd_lightning.taggers.entity_probabilities import span_log_prob_of
from skd_lightning.tags import OUTSIDE, TagSet

Decoding = Literal["viterbi", "marginals", "entities"]
"""The most probable sequence; each word's most probable tag, which maximises the expected number of right ones; or the
entities that are more probable than half of the F1 to be reached, which maximises the expected F1."""


def chosen_decoding(decoding: Decoding | None, tag_set: TagSet, well_formed: bool) -> Decoding:
    """Return the decoding to be used: ``entities`` wherever it can be, if nothing is said, and else ``viterbi``.

    Args:
        decoding: asked for; None if nothing is said.
        tag_set: the tags.
        well_formed: True if tag sequences that the scheme forbids have no probability.

    Raises:
        UserError: the tags or their distributions do not go with the decoding.
    """
    scheme = tag_set.scheme
    marks_entities = scheme != "none" and OUTSIDE in tag_set.names
    if decoding is None:
        return "entities" if marks_entities and well_formed else "viterbi"
    if decoding == "marginals" and scheme != "none":
        raise UserError(
            f"--model.decoding marginals is for tags without entities, these are in {scheme}: take viterbi or entities"
        )
    if decoding == "entities" and not marks_entities:
        raise UserError(
            "--model.decoding entities is for tags that mark entities, and O elsewhere: take viterbi or marginals"
        )
    if decoding == "entities" and not well_formed:
        raise UserError(
            "--model.decoding entities needs --model.decoder crf and --model.constrain true: other taggers give "
            "sequences that the scheme forbids a probability"
        )
    return decoding


def decode_entities(crf: LinearChainCRF, tag_set: TagSet, threshold: float) -> Tensor:
    """Return the tags of the entities of the best expected F1, (batch, words) int64; 0 at padding.

    Args:
        crf: distributions that give ill-formed sequences no probability.
        tag_set: their tags, of an entity scheme.
        threshold: every entity is more probable, see :func:`skd_lightning.entity_spans.decode_entities`.

    >>> tag_set = TagSet.of(["B-PER"], "iob2")  # O, B-PER, I-PER
    >>> emissions = torch.tensor([[[0.6, 0.4, 0.0]]]).log()
    >>> crf = LinearChainCRF(emissions, torch.zeros(3, 3), torch.tensor([1]))
    >>> decode_entities(crf, tag_set, threshold=0.3), crf.viterbi()
    (tensor([[1]]), tensor([[0]]))
    """
    marginals = crf.marginals.float().cpu().numpy()
    paths = entity_spans.decode_entities(
        span_log_prob_of(crf), marginals, crf.lengths.tolist(), tag_set, threshold
    )
    return torch.from_numpy(paths).to(crf.lengths.device)
