"""Compiled kernels behind :class:`~skd_lightning.crf.LinearChainCRF`; nothing else calls them."""
