"""The mathematics of linear-chain conditional random fields: torch, and kernels where they can be compiled."""

from skd_lightning.crf.chain import LinearChainCRF
from skd_lightning.crf.kbest import KBest

__all__ = ["KBest", "LinearChainCRF"]
