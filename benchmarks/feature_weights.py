"""How much the weight of the sparse features matters: dev and test scores of finished taggers by that weight.

``python benchmarks/feature_weights.py runs/evidence/uner best-gold best-none`` takes the first seed of each variant and
its corpora, on the first 700 dev and test sentences of each language. It writes
``experiments/results/feature_weights/<task>.csv``.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from common import EXPERIMENTS, write_rows
from finished_runs import corpora_of

import skd_lightning
from skd_lightning.cli.main import quiet
from skd_lightning.data.module import TaggingData
from skd_lightning.metrics import TaggingScores
from skd_lightning.taggers import Tagger

WEIGHTS = (0.1, 0.3, 0.5, 0.7, 0.9)


def score(tagger: Tagger, data: TaggingData, split: str, sentences: int) -> float:
    """Return the macro mean over languages on the first sentences of a split, in per cent."""
    scores = TaggingScores(data.tag_set, data.train_languages)
    for place, language in enumerate(data.train_languages):
        some = [s for s in data.sentences[split][language] if s.tags and s.words][:sentences]
        found = tagger.predict([list(s.words) for s in some], language)
        for sentence, prediction in zip(some, found, strict=True):
            sides = (data.tag_set.encode(tags) for tags in (prediction.tags, sentence.tags or ()))
            predicted, gold = (torch.tensor([side]) for side in sides)
            scores.update(predicted, gold, torch.tensor([gold.shape[1]]), torch.tensor([place]))
    return 100 * float(scores.compute()["average"])


def main() -> None:
    """Score, print, and write the CSV."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", type=Path, help="RUNS/TASK")
    parser.add_argument("names", nargs="+", help="variants with network and features")
    parser.add_argument("--sentences", type=int, default=700, help="of dev and of test, in each language")
    options = parser.parse_args()
    quiet()
    rows: list[dict[str, Any]] = []
    for name in options.names:
        folder = options.task / name / "seed1"
        data, tagger = corpora_of(folder), skd_lightning.load(folder)
        if tagger.wide is None:
            raise SystemExit(f"{folder}: a tagger without features has no such weight")
        for weight in WEIGHTS:
            tagger.wide.share.fill_(weight)
            both = {
                split: round(score(tagger, data, split, options.sentences), 2) for split in ("dev", "test")
            }
            rows.append({"name": name, "weight": weight, **both})
            print(rows[-1])
    write_rows(EXPERIMENTS / "feature_weights" / f"{data.task}.csv", rows)


if __name__ == "__main__":
    main()
