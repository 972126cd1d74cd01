"""Trained taggers from disk.

A checkpoint may come from anybody. Nothing in it is unpickled or run: its description names classes from a table, and
its sizes are compared with its weights before anything of these sizes is made.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from skd_lightning.encoders import Embedder, Encoder
from skd_lightning.encoders.description import EncoderMaker, made
from skd_lightning.entity_spans import HIGHEST
from skd_lightning.errors import UserError, first_line
from skd_lightning.run_folder import RunFolder
from skd_lightning.serving.folder import WEIGHTS, is_saved, read_arrays, read_config
from skd_lightning.serving.hub import on_disk
from skd_lightning.serving.tables import expanded
from skd_lightning.taggers.compatibility import SCHEMA
from skd_lightning.taggers.finite import not_finite
from skd_lightning.taggers.head import ChainHead
from skd_lightning.taggers.optimization import Optimization
from skd_lightning.taggers.tagger import Tagger
from skd_lightning.taggers.wide import Wide, WidePath
from skd_lightning.tags import TagSet

MOST_COMPRESSED = 16
"""Times that the tables of a saved tagger may grow when they are read: four weights a byte, of four bytes each."""


def load(
    path: str | Path,
    outside: bool = False,
    embedders: Mapping[str, type[Embedder]] | None = None,
    cache: str | None = None,
) -> Tagger:
    """Load a tagger, in evaluation mode and on the CPU.

    Args:
        path: a run folder (its best checkpoint is taken), a checkpoint file, a folder that ``save`` made, or
            ``owner/name`` of one on the hub (``hf:owner/name`` where a folder ``owner`` exists).
        outside: allow the tagger to read files and pretrained models that its checkpoint names and does not hold
            (:class:`StaticEmbedder`, :class:`FrozenTransformerEmbedder`, :class:`FlairEmbedder`). Flair unpickles its
            models, so allow it only for a checkpoint that you trust.
        embedders: classes beside this package's, by the names that the checkpoint has for them (``my.module.Class``).
        cache: folder of word vectors that never change; None for ``runs/vectors``.

    Raises:
        UserError: there is no tagger's checkpoint, or it names what is not allowed.
    """
    place = on_disk(path)
    saved = is_saved(place)
    _refuse_a_folder_of_runs(place)
    file = place / WEIGHTS if saved else RunFolder(place).best if place.is_dir() else place
    try:
        checkpoint = read_saved(place) if saved else read_checkpoint(file)
        size = file.stat().st_size * (MOST_COMPRESSED if saved else 1)
        return _make(checkpoint, size, EncoderMaker(outside, embedders, cache)).eval()
    except UserError as error:
        raise UserError(f"{error}" if str(error).startswith(str(file)) else f"{file}: {error}") from error
    except Exception as error:  # a damaged file raises whatever its first wrong byte leads to
        raise UserError(
            f"{file}: not a readable tagger checkpoint ({first_line(error)}); train it again"
        ) from error


SHOWN = 5
"""Runs of a folder that a message names."""


def _refuse_a_folder_of_runs(place: Path) -> None:
    """Refuse a folder that holds no tagger itself but folders of them, such as one a seed or one a language.

    Raises:
        UserError: naming the first of them.
    """
    if not place.is_dir() or is_saved(place) or RunFolder(place).best.exists():
        return
    runs = sorted(path.name for path in place.iterdir() if RunFolder(path).best.is_file() or is_saved(path))
    if runs:
        listed = ", ".join(runs[:SHOWN]) + (" …" if len(runs) > SHOWN else "")
        raise UserError(f"{place}: it holds {listed}; name one, such as {place / runs[0]}")


def read_checkpoint(file: str | Path) -> dict[str, Any]:
    """Read a checkpoint as plain values and tensors.

    Raises:
        UserError: it is not a file of this machine.
    """
    if re.match(r"[A-Za-z][\w+.-]+:/", str(file)):
        raise UserError(f"{file}: an address, not a file; fetch it first, and give its path")
    if not Path(file).is_file():
        raise UserError(
            f"{file}: no trained tagger there; train it first (skd demo, skd teachers, skd distill)"
        )
    checkpoint: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
    return checkpoint


def read_saved(folder: Path) -> dict[str, Any]:
    """Read a saved tagger as a checkpoint.

    Raises:
        UserError: the folder is damaged, or not of this version.
    """
    arrays = expanded(read_arrays(folder))
    weights = {name: torch.from_numpy(np.array(values)) for name, values in arrays.items()}
    return {"tagger": read_config(folder)["tagger"] | {"optimization": {}}, "state_dict": weights}


def _make(checkpoint: Mapping[str, Any], size: int, maker: EncoderMaker) -> Tagger:
    description = checkpoint["tagger"]
    if description.get("schema") != SCHEMA:
        raise UserError("written by another version of skd_lightning; train it again")
    vocabulary = description["encoder"]["vocabulary"]
    for name, found in (
        ("tags", description["tags"]),
        ("languages", description["languages"]),
        ("words", vocabulary),
    ):
        if not isinstance(found, list) or not all(isinstance(word, str) for word in found):
            raise UserError(f"its {name} are no list of names")
    _refuse_sizes(description, _honest(checkpoint["state_dict"], size), maker)
    embedder, context = maker.parts(description["encoder"])
    described = description["wide"]
    tagger = Tagger(
        tags=description["tags"],
        scheme=description["scheme"],
        languages=description["languages"],
        embedder=embedder,
        context=context,
        wide=made(Wide, described["settings"]) if described else None,
        decoder=description["decoder"],
        constrain=description["constrain"],
        optimization=Optimization(**description["optimization"]),
        decoding=description.get("decoding", "viterbi"),
    )
    tagger.threshold = description.get("threshold", HIGHEST)
    tagger.encoder.use_vocabulary(vocabulary)
    if tagger.wide is not None:
        tagger.wide.use_features(checkpoint["state_dict"]["wide.keys"])
    tagger.load_state_dict(checkpoint["state_dict"])
    if broken := not_finite(tagger):
        raise UserError(f"its weights are not finite: {broken}; train it again")
    return tagger


def _refuse_sizes(description: Mapping[str, Any], weights: Mapping[str, Tensor], maker: EncoderMaker) -> None:
    """Refuse a description that does not fit its weights, before anything of its sizes is made.

    Raises:
        UserError: naming a weight of another shape.
    """
    tags = description["tags"]
    found = _shape(weights, "head.transitions")
    if found != f"{len(tags)}x{len(tags)}":  # first: what a scheme forbids is worked out pair by pair
        raise UserError(f"it describes {len(tags)} tags, and its transitions are {found}")
    with torch.device("meta"):  # shapes without memory
        encoder = Encoder(*maker.parts(description["encoder"]))
        encoder.use_vocabulary(description["encoder"]["vocabulary"])
        tag_set = TagSet(tuple(tags), description["scheme"])
        head = ChainHead(encoder.output_size, tag_set, constrain=False)
        parts: dict[str, nn.Module] = {"encoder": encoder, "head": head}
        if description["wide"]:
            wide = WidePath(made(Wide, description["wide"]["settings"]), tag_set, constrain=False)
            wide.use_features(torch.empty(int(description["wide"]["features"]), dtype=torch.int64))
            parts["wide"] = wide
    expected = nn.ModuleDict(parts).state_dict()
    for name in sorted({*expected, *weights}):
        found, wanted = _shape(weights, name), _shape(expected, name)
        if found != wanted:
            raise UserError(f"its description does not fit its weights: {name} is {found}, not {wanted}")


def _honest(weights: Mapping[str, Any], size: int) -> Mapping[str, Tensor]:
    """Return weights that are no larger than their file, as views that repeat a number would be.

    Raises:
        UserError: they are larger, or no plain tensors.
    """
    if any(not isinstance(value, Tensor) or value.layout != torch.strided for value in weights.values()):
        raise UserError("its weights are no plain tensors")
    if sum(value.numel() * value.element_size() for value in weights.values()) > size:
        raise UserError("its weights claim to be larger than the file")
    return weights


def _shape(weights: Mapping[str, Tensor], name: str) -> str:
    return "x".join(map(str, weights[name].shape)) or "a number" if name in weights else "missing"
