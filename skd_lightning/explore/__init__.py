"""Figures and tables of the notebooks: corpora, and the distributions of taggers over the tags of sentences.

``corpus_figures`` draws what ``data.overview`` counts; ``distributions`` lays out a distribution over tag sequences;
``entities`` prints seqeval's report. Figures are ``display.style.Plot`` in the report's looks, tables are of pandas.
"""

from __future__ import annotations

import os
from pathlib import Path

from skd_lightning.display.heat import heat_map
from skd_lightning.explore.corpus_figures import sentence_lengths, tag_shares, unknown_words
from skd_lightning.explore.distributions import (
    kbest_table,
    mass_table,
    posterior_map,
    posterior_table,
    show_mass,
    tempered_table,
)
from skd_lightning.explore.entities import entity_report

__all__ = [
    "entity_report",
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
