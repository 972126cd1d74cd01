"""Names of the losses, known without importing torch: the command line offers them before anything heavy is loaded."""

from __future__ import annotations

import pkgutil
from pathlib import Path

BASELINE = "none"
"""Loss of a tagger without an objective: gold tags alone."""

PAPER = (BASELINE, "token", "emission", "topk", "topwk", "posterior", "pos_topwk")
"""Order of the losses in Wang et al. 2020 (arXiv 2004.03846), which tables and plots follow."""


def objective_names() -> tuple[str, ...]:
    """Return the name of every objective: the modules in the folder ``objectives/``.

    >>> "topk" in objective_names()
    True
    """
    folder = Path(__file__).with_name("objectives")
    return tuple(sorted((module.name for module in pkgutil.iter_modules([str(folder)])), key=rank))


def losses() -> tuple[str, ...]:
    """Return the choices of ``--loss``: the baseline, then every objective.

    >>> losses()[:2]
    ('none', 'token')
    """
    return (BASELINE, *objective_names())


def rank(loss: str) -> tuple[int, str]:
    """Return the sort key of a loss: the paper's order, then all others by name.

    >>> sorted(["other", "topk", "none"], key=rank)
    ['none', 'topk', 'other']
    """
    return (PAPER.index(loss) if loss in PAPER else len(PAPER)), loss
