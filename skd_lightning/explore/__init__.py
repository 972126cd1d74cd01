"""What the notebooks show beside the report's plots: corpora, and what taggers know about sentences.

``corpora`` draws what ``data.overview`` counts; ``distributions`` lays out a distribution over tag sequences;
``heat`` draws tables of shares. Figures are ``report.style.Plot`` in the report's looks, tables are of pandas.
"""

from __future__ import annotations

import os
from pathlib import Path

from skd_lightning.display.heat import heat_map
from skd_lightning.explore.corpora import sentence_lengths, tag_shares, unknown_words
from skd_lightning.explore.distributions import (
    kbest_table,
    mass_table,
    posterior_map,
    posterior_table,
    show_mass,
    tempered_table,
)

__all__ = [
    "heat_map",
    "kbest_table",
    "mass_table",
    "posterior_map",
    "posterior_table",
    "sentence_lengths",
    "show_mass",
    "tag_shares",
    "tempered_table",
    "unknown_words",
    "work_from_root",
]


def work_from_root() -> None:
    """Leave ``notebooks/``, where a notebook starts: a path then means what it means in a command."""
    if Path.cwd().name == "notebooks":
        os.chdir("..")
