"""A trained tagger from its run folder or checkpoint."""

from __future__ import annotations

from pathlib import Path

import torch

from skd_lightning.encoders.description import make_encoder
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
        raise UserError(
            f"{file}: no trained tagger there; train it first (make demo, make teachers, make distill)"
        )
    try:
        checkpoint = torch.load(file, map_location="cpu", weights_only=True)
        description = checkpoint["tagger"]
        tagger = Tagger(
            tags=description["tags"],
            scheme=description["scheme"],
            languages=description["languages"],
            encoder=make_encoder(description["encoder"]),
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
