"""Fits of wide paths on disk: students of one corpus and the same teachers share it, whatever else they are."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from skd_lightning.data.sentence import Sentence
from skd_lightning.distillation.cache.parts import Parts
from skd_lightning.distillation.cache.reading import CachedTargets
from skd_lightning.storage import add_weights
from skd_lightning.taggers.wide import WidePath
from skd_lightning.tags import TagSet

FIT = "fit"
"""Name of the part of a cache entry."""


def find_or_fit(
    cache: Path,
    wide: WidePath,
    sentences: Sequence[Sentence],
    tag_set: TagSet,
    fit: Callable[[], object],
    teachers: CachedTargets | None = None,
) -> bool:
    """Take the weights of an earlier fit to the same sentences and answers of teachers, or fit and store them.

    The fit is deterministic, so that both are the same to the last bit. An entry has the size of the weights. It is
    compared with its checksum, and made again where it is damaged.

    Args:
        cache: folder whose entries the same code has made.
        wide: with the features of the sentences, and weights of 0; gets the weights.
        sentences: that it is fitted to.
        tag_set: numbers the tags.
        fit: fits it to the sentences.
        teachers: what they say about the sentences without tags, if there are any.

    Returns:
        True if the weights were there already.
    """
    weights = [wide.weight, *wide.learned]

    def make() -> dict[str, np.ndarray]:
        fit()
        return {f"weight{i}": weight.detach().cpu().numpy() for i, weight in enumerate(weights)}

    found, there = Parts(cache / _key(wide, sentences, tag_set, teachers)).find_or_make(FIT, make)
    if there:
        with torch.no_grad():
            for i, weight in enumerate(weights):
                weight.copy_(torch.from_numpy(found[f"weight{i}"].copy()))
    return there


def _key(
    wide: WidePath, sentences: Sequence[Sentence], tag_set: TagSet, teachers: CachedTargets | None
) -> str:
    """Return a hash of all that the fit depends on: features, settings, tags, sentences and what teachers say.

    A softmax has the state of a CRF but for transitions that are learned.
    """
    settings = [dataclasses.asdict(wide.settings), tag_set.scheme, tag_set.names, len(wide.learned)]
    digest = hashlib.sha256(json.dumps(settings).encode())
    add_weights(digest, wide)
    for sentence in sentences:
        line = [sentence.language, sentence.words, sentence.tags]
        digest.update(json.dumps(line, ensure_ascii=False).encode() + b"\n")
    if teachers is not None:
        for place, sentence in enumerate(sentences):
            if sentence.tags is None:
                said = teachers.read([place], len(sentence.words))
                for values in (said.marginals, said.transition_counts, said.taught):
                    if values is not None:
                        digest.update(values.numpy().tobytes())
    return digest.hexdigest()[:24]
