"""Weights and descriptions of taggers: what belongs to a tagger, and what would load and mean nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from skd_lightning.errors import UserError

SCHEMA = 4
"""Version of descriptions."""

CHAIN = ("decoder", "constrain")
"""Settings that decide what transitions and masks mean."""


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
    # Masks and transitions have the same shapes in taggers that mean other things by them.
    others = bool(theirs) and any(there[name] != here[name] for name in CHAIN)
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
    found = {name: description.get(name) for name in CHAIN}
    found["wide"] = bool(description.get("wide"))
    for part in ("embedder", "context"):
        own = description.get("encoder", {}).get(part, {"name": None, "settings": {}})
        found[part] = own["name"]
        found |= {f"{part}.{name}": value for name, value in own["settings"].items() if name != "saved"}
    return found
