"""Taggers to folders that :class:`~skd_lightning.serving.Runtime` and :func:`skd_lightning.load` read."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np

from skd_lightning.errors import UserError
from skd_lightning.serving.embedding import EMBEDDINGS
from skd_lightning.serving.folder import CARD, CONFIG, FORMAT, NETWORK, SCHEMA, TRANSFORMER, WEIGHTS, is_saved
from skd_lightning.serving.network import network_onnx
from skd_lightning.serving.tables import Compression, compressed
from skd_lightning.storage import new_folder

TABLES = ("grams.weight", "forms.weight", "words.weight", "table.weight")
"""Ends of the names of an embedder's large tables."""


def save(
    folder: Path,
    description: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    card: str,
    tables: Compression = "float32",
    least_weight: float = 0.0,
    transformer: tuple[Mapping[str, Any], bytes] | None = None,
) -> None:
    """Write a tagger's folder; a folder that was there is replaced, if it holds a saved tagger.

    Args:
        folder: to write.
        description: of the tagger, see ``Tagger.description``.
        arrays: its weights by name.
        card: the page for readers.
        tables: how the tables of vectors and of sparse features are written.
        least_weight: sparse features none of whose weights is this large are left out, in nats.
        transformer: settings (see :class:`serving.transformer.Transformer`) and ONNX of one that reads the words.

    Raises:
        UserError: something else has the folder's name; a weight is not finite; the network cannot be written.
    """
    if tables not in get_args(Compression):
        raise UserError(f"tables are written as {', '.join(get_args(Compression))}, not as {tables}")
    if not 0 <= least_weight < float("inf"):
        raise UserError(f"the least weight is {least_weight}, it must be 0 nats or more")
    free = not folder.exists() or is_saved(folder) or (folder.is_dir() and not any(folder.iterdir()))
    if not free:
        raise UserError(f"{folder}: exists, and holds no saved tagger; give another name")
    for name, values in arrays.items():
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise UserError(f"its weights are not finite: {name}; train it again")
    described: dict[str, Any] = copy.deepcopy(dict(description))
    described.pop("optimization", None)
    written = dict(arrays)
    if description["wide"] is not None:
        written |= _sorted_features(written, least_weight)
        described["wide"]["features"] = len(written["wide.keys"])
    network = None
    embedder = description["encoder"]["embedder"]
    served = transformer is not None or runs_without_torch(embedder)
    if served and arrays["head.emissions.weight"].shape[1]:
        network = network_onnx(description["encoder"]["context"], arrays)
    if tables != "float32":
        for name in [name for name in written if name.endswith(TABLES) or name == "wide.weight"]:
            # A row of a tag's weights is too short for codes of four weights each.
            kind = "int8" if tables == "pq" and name == "wide.weight" else tables
            written |= compressed(name, written.pop(name), kind)
    config = {"format": FORMAT, "schema": SCHEMA, "without_torch": served, "tagger": described}
    if transformer is not None:
        config["transformer"] = dict(transformer[0])
    from safetensors.numpy import save as in_one_file

    with new_folder(folder) as unfinished:
        # The library's function for files makes one that only its owner may read, whatever the umask.
        in_order = {name: np.ascontiguousarray(values) for name, values in written.items()}
        (unfinished / WEIGHTS).write_bytes(in_one_file(in_order))
        if network is not None:
            (unfinished / NETWORK).write_bytes(network)
        if transformer is not None:
            (unfinished / TRANSFORMER).write_bytes(transformer[1])
        (unfinished / CONFIG).write_text(json.dumps(config, ensure_ascii=False, indent=1), encoding="utf-8")
        (unfinished / CARD).write_text(card, encoding="utf-8")


def _sorted_features(arrays: Mapping[str, np.ndarray], least_weight: float) -> dict[str, np.ndarray]:
    """Return keys in rising order and their weights, without those that are too small."""
    keys, weights = arrays["wide.keys"].view(np.uint64), arrays["wide.weight"]
    kept = np.flatnonzero(np.abs(weights).max(axis=1, initial=0.0) >= least_weight)
    order = kept[np.argsort(keys[kept], kind="stable")]
    return {"wide.keys": keys[order].view(np.int64), "wide.weight": weights[order]}


def runs_without_torch(embedder: Mapping[str, Any]) -> bool:
    """Return True for an embedder, as it is described, that reads words without PyTorch."""
    parts = embedder["settings"].get("embedders", [])
    return embedder["name"] in EMBEDDINGS and all(map(runs_without_torch, parts))
