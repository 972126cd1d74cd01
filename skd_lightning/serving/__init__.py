"""The way out of the house: saved taggers, a runtime for them without PyTorch, and raw text to entities."""

from skd_lightning.serving.runtime import Runtime

__all__ = ["Runtime"]
