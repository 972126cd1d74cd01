"""What finished runs say: their scores and their corpora."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from skd_lightning.analysis.training_logs import best_dev
from skd_lightning.data.module import TaggingData
from skd_lightning.data.run_settings import read_settings
from skd_lightning.run_folder import RunFolder


def scores_of_seeds(variant: Path) -> dict[str, Any]:
    """Return mean and sample deviation of the macro means of all seeds of a variant, in per cent, and their number."""
    records = sorted(variant.glob("seed*/results.json"))
    scores = [100 * json.loads(file.read_text())["average"] for file in records]
    spread = round(stdev(scores), 2) if len(scores) > 1 else ""
    return {"average": round(fmean(scores), 2), "deviation": spread, "seeds": len(scores)}


def best_dev_score(run: Path) -> float:
    """Return the dev score that selected the weights of a run, in [0, 1].

    Raises:
        SystemExit: its log has none.
    """
    found = best_dev(RunFolder(run))
    if found is None:
        raise SystemExit(f"{run}: no log with a dev score")
    return found[0]


def corpora_of(run: Path) -> TaggingData:
    """Return the corpora of a run folder, without its unlabelled and generated text."""
    settings = read_settings(RunFolder(run)).data.model_dump()
    return TaggingData(**{**settings, "held_back": 0, "generated": 0})
