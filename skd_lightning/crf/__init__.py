"""Linear-chain conditional random fields: exact sums over paths, marginals, k-best paths, divergences.

:class:`LinearChainCRF` is the one public face. Behind it stand plain torch, the reference on every device, and compiled
kernels where their compiler is installed.
"""

from skd_lightning.crf.chain import LinearChainCRF
from skd_lightning.crf.kbest import KBest

__all__ = ["KBest", "LinearChainCRF"]
