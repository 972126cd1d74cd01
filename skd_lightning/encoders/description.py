"""Encoders as plain values, for checkpoints, and back."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from skd_lightning.encoders.base import Encoder
from skd_lightning.errors import UserError


def describe(encoder: Encoder) -> dict[str, Any]:
    """``class_path`` and ``init_args`` of an encoder, plain values only."""
    path = f"{type(encoder).__module__}.{type(encoder).__qualname__}"
    return {"class_path": path, "init_args": encoder.config()}


def make_encoder(description: Mapping[str, Any]) -> Encoder:
    """The encoder that :func:`describe` described, without its weights.

    Raises:
        UserError: what is named is no encoder.
    """
    module, _, name = description["class_path"].rpartition(".")
    encoder_class = getattr(importlib.import_module(module), name)
    if not (isinstance(encoder_class, type) and issubclass(encoder_class, Encoder)):
        raise UserError(f"{description['class_path']} is not an encoder")
    arguments = dict(description["init_args"])
    if "encoders" in arguments:
        arguments["encoders"] = [make_encoder(part) for part in arguments["encoders"]]
    return encoder_class(**arguments)
