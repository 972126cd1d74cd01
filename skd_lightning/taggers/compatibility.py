"""Weights and descriptions of taggers: what belongs to a tagger, and what would load and mean nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from skd_lightning.errors import UserError

SCHEMA = 4
"""Version of descriptions."""

MEANING = ("decoder", "constrain", "of_languages", "hidden_states", "pooling")
"""Settings that decide what weights mean and leave their shapes as they are."""


def refuse_other(
    checkpoint: Mapping[str, Any], description: Mapping[str, Any], weights: Mapping[str, Tensor]
) -> None:
    """Refuse weights that belong to other tags, which would load and mean nothing, or to another network.

    Args:
        checkpoint: as ``Tagger.on_save_checkpoint`` makes it; one without a description has its shapes checked only.
        description: of the tagger, see ``Tagger.description``.
        weights: of the tagger.

    Raises:
        UserError: naming what is different.
    """
    theirs = checkpoint.get("tagger", {})
    if theirs and theirs["tags"] != description["tags"]:
        raise UserError(
            f"the checkpoint was trained on the tags {', '.join(theirs['tags'])}, the data have "
            f"{', '.join(description['tags'])}; give the data it was trained on, or train anew"
        )
    there, here = _settings(theirs), _settings(description)
    common = there.keys() & here.keys() if theirs else ()
    others = any(there[name] != here[name] for name in common if name.rpartition(".")[2] in MEANING)
    shapes = {name: value.shape for name, value in checkpoint["state_dict"].items()}
    if others or shapes != {name: value.shape for name, value in weights.items()}:
        differing = [
            f"{name} {there.get(name)} there, {here.get(name)} here"
            for name in {**here, **there}
            if there.get(name) != here.get(name)
        ]
        raise UserError(
            f"the checkpoint is of another network ({'; '.join(differing)}); give the options it was trained with"
        )


def _settings(description: Mapping[str, Any]) -> dict[str, Any]:
    """Return what decides about the shapes and the meaning of a described tagger's weights, and some more."""
    found = {name: description.get(name) for name in ("decoder", "constrain")}
    wide = description.get("wide")
    found["wide"] = bool(wide)
    found["wide.of_languages"] = bool(wide and wide["settings"].get("of_languages"))
    encoder = description.get("encoder", {})
    for part in ("embedder", "context"):
        found |= _settings_of_part(part, encoder.get(part, {"name": None, "settings": {}}))
    return found


def _settings_of_part(part: str, described: Mapping[str, Any]) -> dict[str, Any]:
    """Return name and settings of an embedder or a context, and those of the embedders that it puts side by side."""
    found = {part: described["name"]}
    for name, value in described["settings"].items():
        if name == "embedders":
            for place, own in enumerate(value, start=1):
                found |= _settings_of_part(f"{part}.{place}", own)
        elif name != "saved":
            found[f"{part}.{name}"] = value
    return found
