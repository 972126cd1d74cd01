"""The files of a saved tagger, and what is believed of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np

from skd_lightning.entity_spans import checked_threshold
from skd_lightning.errors import UserError
from skd_lightning.serving.arrays import mapped_arrays
from skd_lightning.tags import OUTSIDE, Scheme, TagSet

CONFIG, WEIGHTS, CARD = "config.json", "model.safetensors", "README.md"
NETWORK, TRANSFORMER = "network.onnx", "transformer.onnx"
"""Names of the files: description, weights and a page for readers; for onnxruntime, what reads vectors and words."""
FILES = (CONFIG, WEIGHTS, NETWORK, TRANSFORMER, CARD)
"""All files of a saved tagger; not every tagger has a network or a transformer."""
NETWORK_HEAD, WIDE_HEAD = "head", "wide.head"
"""Prefixes of the weights of the experts' heads."""
FORMAT, SCHEMA = "skd_lightning", 2
"""How ``config.json`` says that it is of this package, and the version of such folders."""
LONGEST_CONFIG = 2**28
"""Bytes; it holds vocabulary and tokenizer."""


def is_saved(folder: Path) -> bool:
    """Return True for a folder with a tagger that was saved for use."""
    return (folder / CONFIG).is_file() and (folder / WEIGHTS).is_file()


def read_config(folder: Path) -> dict[str, Any]:
    """Return ``tagger``, the description of a saved tagger, whose parts have the types that they are used as.

    Beside it stands ``transformer``, where one reads the words; see :class:`serving.transformer.Transformer`.

    Raises:
        UserError: the folder holds none, or a damaged one, or one of another version.
    """
    file = folder / CONFIG
    if not file.is_file():
        raise UserError(f"{folder}: no saved tagger there ({CONFIG} is missing); save one with skd export")
    if file.stat().st_size > LONGEST_CONFIG:
        raise UserError(f"{file}: larger than any description of a tagger")
    try:
        config = json.loads(file.read_bytes())
    except (ValueError, RecursionError):
        raise UserError(f"{file}: no readable JSON; save the tagger again") from None
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        raise UserError(f"{file}: the description of something else than a tagger of skd_lightning")
    if config.get("schema") != SCHEMA:
        raise UserError(f"{file}: written by another version of skd_lightning; save the tagger again")
    try:
        _check(config["tagger"])
        if "transformer" in config:
            _refuse_other(config["transformer"], dict, "transformer")
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{file}: its description is damaged ({error}); save the tagger again") from None
    return config


def read_arrays(folder: Path) -> Mapping[str, np.ndarray]:
    """Return the weights of a saved tagger, mapped into memory.

    Raises:
        UserError: the file is missing or damaged.
    """
    return mapped_arrays(folder / WEIGHTS)


def chain_scores(
    description: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> tuple[TagSet, tuple[np.ndarray, ...]]:
    """Return the tags, and transitions (tags, tags), start and end (tags,) in nats, -inf where forbidden.

    Raises:
        UserError: the weights are missing, of another shape or not finite.
    """
    tag_set = TagSet(tuple(description["tags"]), description["scheme"])
    weights = expert_weights(description, arrays)
    return tag_set, tuple(
        np.sum([weight * _score(arrays, head, name, tag_set) for head, weight in weights.items()], axis=0)
        for name in ("transitions", "start", "end")
    )


def expert_weights(description: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Return {head: weight} of the network, the sparse features, or both.

    Raises:
        UserError: the weight of the sparse features is missing, or not between 0 and 1.
    """
    if not description["wide"]:
        return {NETWORK_HEAD: 1.0}
    if description["encoder"]["embedder"]["name"] == "NoEmbedder":
        return {WIDE_HEAD: 1.0}
    share = arrays.get("wide.share")
    if share is None or share.shape != (1,) or not 0 < share[0] < 1:
        raise UserError("the weight of its sparse features (wide.share) is no number between 0 and 1")
    return {NETWORK_HEAD: 1 - float(share[0]), WIDE_HEAD: float(share[0])}


def _score(arrays: Mapping[str, np.ndarray], head: str, name: str, tag_set: TagSet) -> np.ndarray:
    mask = "forbidden" if name == "transitions" else f"forbidden_{name}"
    shape = (len(tag_set),) * (2 if name == "transitions" else 1)
    weights, forbidden = (arrays.get(f"{head}.{part}") for part in (name, mask))
    if weights is None or forbidden is None or not weights.shape == forbidden.shape == shape:
        raise UserError(
            f"its description does not fit its weights: {head}.{name} is not of its {len(tag_set)} tags"
        )
    if not np.isfinite(weights).all():
        raise UserError(f"its weights are not finite: {head}.{name}")
    return np.where(forbidden, -np.inf, weights.astype(np.float64))


def well_formed(tagger: Mapping[str, Any]) -> bool:
    """Return True if a tagger, as it is described, gives tag sequences that its scheme forbids no probability."""
    return tagger["constrain"] is True and tagger["decoder"] == "crf"


def _check(tagger: Mapping[str, Any]) -> None:
    """Refuse a description whose parts are of other types.

    Raises:
        KeyError, TypeError, ValueError: naming the part.
    """
    for name in ("tags", "languages"):
        _refuse_other(tagger[name], list, name)
        for word in tagger[name]:
            _refuse_other(word, str, name)
    if not tagger["tags"] or len(set(tagger["tags"])) != len(tagger["tags"]):
        raise ValueError("tags")
    if tagger["scheme"] not in get_args(Scheme):
        raise ValueError("scheme")
    if tagger["decoding"] not in ("viterbi", "marginals", "entities"):
        raise ValueError("decoding")
    if tagger["decoding"] == "entities":
        if tagger["scheme"] == "none" or OUTSIDE not in tagger["tags"] or not well_formed(tagger):
            raise ValueError("decoding")
        checked_threshold(tagger["threshold"])
    encoder = tagger["encoder"]
    _refuse_other(encoder["vocabulary"], list, "vocabulary")
    for part in (encoder["embedder"], encoder["context"]):
        _refuse_other(part["name"], str, "encoder")
        _refuse_other(part["settings"], dict, "encoder")
    if tagger["wide"] is not None:
        _refuse_other(tagger["wide"]["settings"], dict, "wide")


def _refuse_other(value: object, kind: type, name: str) -> None:
    if not isinstance(value, kind):
        raise TypeError(name)
