"""Compiled kernels behind :class:`~skd_lightning.crf.LinearChainCRF`; nothing but its operators calls them.

``cpu.interface`` has the functions of :mod:`skd_lightning.crf.operators`, ``gpu.interface`` all but
``restricted_sums``.
"""
