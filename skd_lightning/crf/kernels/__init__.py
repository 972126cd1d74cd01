"""Compiled kernels behind :class:`~skd_lightning.crf.LinearChainCRF`; nothing but its operators calls them.

``cpu.interface`` and ``gpu.interface`` have the same six functions, those of :mod:`skd_lightning.crf.operators`.
"""
