"""Whether the weights of a checkpoint belong to a tagger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from skd_lightning.errors import UserError


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
    shapes = {name: value.shape for name, value in checkpoint["state_dict"].items()}
    if shapes != {name: value.shape for name, value in weights.items()}:
        there, here = _settings(theirs), _settings(description)
        differing = [
            f"{name} {there.get(name)} there, {value} here"
            for name, value in here.items()
            if there.get(name) != value
        ]
        raise UserError(
            f"the checkpoint is of another network ({'; '.join(differing)}); give the options it was trained with"
        )


def _settings(description: Mapping[str, Any]) -> dict[str, Any]:
    """What decides about the shapes of a described tagger's weights, and some more."""
    encoder = description.get("encoder", {})
    return {"encoder": encoder.get("class_path"), **encoder.get("init_args", {})}
