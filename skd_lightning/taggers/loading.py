"""A trained tagger from its run folder or checkpoint."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import torch

from skd_lightning.encoders import Encoder
from skd_lightning.errors import UserError
from skd_lightning.taggers.optimization import Optimization
from skd_lightning.taggers.tagger import Tagger

BEST = "checkpoints/best.ckpt"
"""Where a run folder keeps the weights with the best dev score."""


def load(path: str | Path) -> Tagger:
    """A tagger in evaluation mode, on the CPU.

    Args:
        path: a run folder (its best checkpoint is taken) or a checkpoint file.

    Raises:
        UserError: nothing there, or not a tagger's checkpoint.
    """
    file = Path(path) / BEST if Path(path).is_dir() else Path(path)
    if not file.is_file():
        raise UserError(f"{file}: no trained tagger there; train it first (make help)")
    try:
        checkpoint = torch.load(file, map_location="cpu", weights_only=True)
        description = checkpoint["tagger"]
        tagger = Tagger(
            tags=description["tags"],
            scheme=description["scheme"],
            languages=description["languages"],
            encoder=_make_encoder(description["encoder"]),
            decoder=description["decoder"],
            constrain=description["constrain"],
            optimization=Optimization(**description["optimization"]),
        )
        tagger.load_state_dict(checkpoint["state_dict"])
    except UserError:
        raise
    except Exception as error:  # a damaged file raises whatever its first wrong byte leads to
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{file}: not a readable tagger checkpoint ({reason}); train it again") from error
    return tagger.eval()


def _make_encoder(description: dict[str, Any]) -> Encoder:
    module, _, name = description["class_path"].rpartition(".")
    encoder_class = getattr(importlib.import_module(module), name)
    if not (isinstance(encoder_class, type) and issubclass(encoder_class, Encoder)):
        raise UserError(f"{description['class_path']} is not an encoder")
    return encoder_class(**description["init_args"])
