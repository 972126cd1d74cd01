"""Fits of wide paths on disk: students of one corpus share it, whatever their seeds, objectives and networks are."""

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
) -> bool:
    """Take the weights of an earlier fit to the same annotated sentences, or fit and store them.

    The fit is deterministic, so that both are the same to the last bit. An entry has the size of the weights. It is
    compared with its checksum, and made again where it is damaged.

    Args:
        cache: folder whose entries the same code has made.
        wide: with the features of the sentences, and weights of 0; gets the weights.
        sentences: annotated.
        tag_set: numbers the tags.
        fit: fits it to the sentences.

    Returns:
        True if the weights were there already.
    """
    weights = [wide.weight, *wide.learned]

    def make() -> dict[str, np.ndarray]:
        fit()
        return {f"weight{i}": weight.detach().cpu().numpy() for i, weight in enumerate(weights)}

    found, there = Parts(cache / _key(wide, sentences, tag_set)).find_or_make(FIT, make)
    if there:
        with torch.no_grad():
            for i, weight in enumerate(weights):
                weight.copy_(torch.from_numpy(found[f"weight{i}"].copy()))
    return there


def _key(wide: WidePath, sentences: Sequence[Sentence], tag_set: TagSet) -> str:
    """Return a hash of all that the fit depends on: features, settings, tags and annotated sentences."""
    settings = [dataclasses.asdict(wide.settings), tag_set.scheme, tag_set.names]
    digest = hashlib.sha256(json.dumps(settings).encode())
    add_weights(digest, wide)
    for sentence in sentences:
        line = [sentence.language, sentence.words, sentence.tags]
        digest.update(json.dumps(line, ensure_ascii=False).encode() + b"\n")
    return digest.hexdigest()[:24]
