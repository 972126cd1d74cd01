"""The mathematics of linear-chain conditional random fields; needs torch and nothing else."""

from skd_lightning.crf.chain import LinearChainCRF
from skd_lightning.crf.kbest import KBest

__all__ = ["KBest", "LinearChainCRF"]
