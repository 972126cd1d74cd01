"""Entities by Viterbi and by their expected F1 (``--model.decoding entities``), from the same finished taggers.

``python benchmarks/entity_decoding.py uner runs/evidence*/uner/teachers runs/evidence/uner/best …`` takes folders of
seeds and of teachers, one for each language; those of one name are seeds of a variant. The threshold of a tagger is
half of its best dev score. It writes ``experiments/results/entity_decoding/<task>.csv``: means over seeds, and the 95 %
interval of the gain, by the paired bootstrap of the reports; then, for each variant that has one of its name and
``-none`` beside it, what the teachers add by each decoding.
"""

from __future__ import annotations

import argparse
import zlib
from collections import defaultdict
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, NamedTuple

import numpy as np
import torch
from common import EXPERIMENTS, write_rows
from finished_runs import best_dev_score, corpora_of
from numpy.typing import NDArray

import skd_lightning
from skd_lightning.analysis import bootstrap
from skd_lightning.analysis.scores import parts, ratio
from skd_lightning.cli.main import quiet
from skd_lightning.data.module import TaggingData
from skd_lightning.entity_spans import threshold_of
from skd_lightning.metrics import TaggingScores
from skd_lightning.taggers import Tagger
from skd_lightning.taggers.decoding import decode_entities
from skd_lightning.taggers.prediction import chains

WAYS = ("viterbi", "entities")

Counts = dict[tuple[str, str], NDArray[np.int64]]
"""{(way, language): (sentences, columns) counts}."""


class Scores(NamedTuple):
    """Of one seed: the macro means over languages of each way on dev sentences, and counts of test sentences."""

    dev: dict[str, float]
    test: Counts


def count(tagger: Tagger, data: TaggingData, split: str, language: str, threshold: float) -> Counts:
    """Return the counts of each sentence of a language by both ways."""
    sentences = [s for s in data.sentences[split][language] if s.tags and s.words]
    scores = TaggingScores(tagger.tag_set, [language])
    found: dict[str, Any] = {way: [None] * len(sentences) for way in WAYS}
    for indices, crf in chains(tagger, [s.words for s in sentences], language):
        gold = torch.zeros(crf.mask.shape, dtype=torch.int64)
        for row, i in enumerate(indices):
            gold[row, : len(sentences[i].words)] = torch.tensor(
                tagger.tag_set.encode(sentences[i].tags or ())
            )
        paths = (crf.viterbi(), decode_entities(crf, tagger.tag_set, threshold))
        for way, chosen in zip(WAYS, paths, strict=True):
            counts = scores.count(chosen, gold, crf.lengths).numpy()
            for row, i in enumerate(indices):
                found[way][i] = counts[row]
    return {(way, language): np.array(own) for way, own in found.items()}


def f1(counts: NDArray[np.int64]) -> float:
    """Return the F1 of all sentences, in per cent."""
    return 100 * float(ratio(parts(counts, "f1").sum(0)))


def scores_of(runs: list[Path]) -> Scores:
    """Return the scores of one tagger, or of the taggers of several languages."""
    counts: dict[str, Counts] = {"dev": {}, "test": {}}
    for run in runs:
        tagger, data = skd_lightning.load(run), corpora_of(run)
        threshold = threshold_of(best_dev_score(run))
        for split in counts:
            for language in tagger.languages:
                counts[split] |= count(tagger, data, split, language, threshold)
    dev = {way: fmean(f1(c) for (own, _), c in counts["dev"].items() if own == way) for way in WAYS}
    return Scores(dev, counts["test"])


def seeds_of(folder: Path) -> list[list[Path]]:
    """Return the runs of each seed of a folder."""
    if seeds := sorted(folder.glob("seed[0-9]*")):
        return [[seed] for seed in seeds]
    return [sorted(run.parent for run in folder.glob("*/results.json"))]


def main() -> None:
    """Score, print, and write the CSV."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", help="names the CSV")
    parser.add_argument("folders", type=Path, nargs="+")
    options = parser.parse_args()
    quiet()
    variants: dict[str, list[Scores]] = defaultdict(list)
    for folder in options.folders:
        for runs in seeds_of(folder):
            variants[folder.name].append(scores_of(runs))
            print(folder, variants[folder.name][-1].dev, flush=True)
    systems = [(name, way) for name in variants for way in WAYS]
    languages = sorted({language for _, language in next(iter(variants.values()))[0].test})
    values, draws = 0.0, 0.0
    for language in languages:
        taggers = [
            [parts(seed.test[way, language], "f1") for seed in variants[name]] for name, way in systems
        ]
        own, drawn = bootstrap.scores(taggers, seed=zlib.crc32(language.encode()))
        values, draws = values + own / len(languages), draws + drawn / len(languages)

    def gain(ours: tuple[str, str], theirs: tuple[str, str]) -> dict[str, float]:
        a, b = systems.index(ours), systems.index(theirs)
        found = bootstrap.difference(values[a], values[b], draws[:, a], draws[:, b])  # type: ignore[index]
        return {name: round(100 * getattr(found, name), 2) for name in ("value", "low", "high")}

    rows: list[dict[str, Any]] = []
    for name, seeds in variants.items():
        row: dict[str, Any] = {"name": name, "seeds": len(seeds)}
        for way in WAYS:
            tests = [fmean(f1(seed.test[way, language]) for language in languages) for seed in seeds]
            row[f"dev {way}"] = round(fmean(seed.dev[way] for seed in seeds), 2)
            row[f"test {way}"] = round(fmean(tests), 2)
            row[f"deviation {way}"] = round(stdev(tests), 2) if len(tests) > 1 else ""
        rows.append(row | gain((name, "entities"), (name, "viterbi")))
    for name in variants:
        if f"{name}-none" in variants:
            for way in WAYS:
                against = f"{name} against {name}-none, {way}"
                rows.append({"name": against, **gain((name, way), (f"{name}-none", way))})
    for row in rows:
        print(row)
    write_rows(EXPERIMENTS / "entity_decoding" / f"{options.task}.csv", rows)


if __name__ == "__main__":
    main()
