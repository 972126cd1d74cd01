"""How good a pool of teachers is: scores of its members alone, of the pool, and of the students that it taught.

``python benchmarks/pools.py runs/evidence/uner/best --sentences 700`` takes the teachers, their pool and the corpora
from the configuration of a student's first seed. Everybody is scored by each word's most probable tag, on the first
sentences of dev and of test of each language. It writes ``experiments/results/pools/<task>.csv``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from common import EXPERIMENTS, write_rows
from finished_runs import corpora_of

import skd_lightning
from skd_lightning.cli.main import quiet
from skd_lightning.data.module import TaggingData
from skd_lightning.distillation.objective import Needs
from skd_lightning.distillation.teachers import TeacherSet
from skd_lightning.distillation.teachers.asking import Asking, Text
from skd_lightning.metrics import TaggingScores
from skd_lightning.parsing import read_yaml
from skd_lightning.ragged import cells
from skd_lightning.run_folder import RunFolder
from skd_lightning.taggers import Tagger
from skd_lightning.tags import TagSet


@dataclass(frozen=True)
class Reader:
    """Somebody who asks teachers and learns nothing from them.

    Attributes:
        tag_set: over which they are to answer.
    """

    tag_set: TagSet
    objective = None
    device = torch.device("cpu")

    def load_teacher(self, path: Path, outside: bool) -> Tagger:
        """Return the teacher of a run folder."""
        return skd_lightning.load(path, outside)


def systems(run: Path, settings: dict[str, Any]) -> Iterator[tuple[str, list[TeacherSet]]]:
    """Yield the name of each row, and the pools whose mean scores it holds."""
    kind, weights = settings["pool"], settings["weights"]
    groups: dict[str, list[str]] = {}
    for name in settings["teachers"]:
        place = Path(name)
        groups.setdefault(place.parent.name if RunFolder(place).finished else place.name, []).append(name)
    for group, names in groups.items():
        yield f"one of {group}", [TeacherSet.named(name) for name in names]
        yield f"all of {group}, equal weights", [TeacherSet.named(names, kind)]
    yield "all, equal weights", [TeacherSet.named(settings["teachers"], kind)]
    yield f"all, weights: {weights}", [TeacherSet.named(settings["teachers"], kind, weights)]
    yield run.name, [TeacherSet.named(str(seed)) for seed in sorted(run.glob("seed*"))]


def score(teachers: TeacherSet, data: TaggingData, cache: Path, sentences: int) -> list[float]:
    """Return the macro means of a pool on dev and on test, in per cent."""
    asking = Asking(Reader(data.tag_set), teachers, Needs(marginals=1.0), cache, "float32")
    found = []
    for split in ("dev", "test"):
        scores = TaggingScores(data.tag_set, data.train_languages)
        for place, language in enumerate(data.train_languages):
            some = [s for s in data.sentences[split][language] if s.tags and s.words][:sentences]
            text = Text(f"{language} {split}", language, [s.words for s in some])
            answers, _ = asking.answers(text, data.sentences["dev"][language])
            lengths = torch.from_numpy(text.lengths)
            predicted, gold = torch.zeros(2, len(some), int(lengths.max()), dtype=torch.long)
            places = cells(text.lengths)
            predicted[places] = most_probable(answers, len(data.tag_set))
            gold[places] = torch.tensor([tag for s in some for tag in data.tag_set.encode(s.tags or ())])
            scores.update(predicted, gold, lengths, torch.full_like(lengths, place))
        found.append(100 * scores.compute()["average"])
    return found


def most_probable(answers: Any, tags: int) -> torch.Tensor:
    """Return (words,) the most probable tag of each."""
    words, columns, values = answers.marginals.take(np.arange(int(answers.lengths.sum())))
    dense = np.zeros((int(answers.lengths.sum()), tags), dtype=np.float32)
    dense[words, answers.columns[columns]] = values
    return torch.from_numpy(dense.argmax(1))


def main() -> None:
    """Score, print, and write the CSV."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="RUNS/TASK/VARIANT, a student that a pool taught")
    parser.add_argument("--sentences", type=int, default=400, help="of dev and of test, in each language")
    options = parser.parse_args()
    quiet()
    first = RunFolder(options.run / "seed1")
    data = corpora_of(options.run / "seed1")
    rows = []
    with TemporaryDirectory() as cache:
        for name, pools in systems(options.run, read_yaml(first.config)["distillation"]):
            each = [score(pool, data, Path(cache), options.sentences) for pool in pools]
            dev, test = (round(fmean(values), 2) for values in zip(*each, strict=True))
            rows.append({"system": name, "averaged": len(pools), "dev": dev, "test": test})
            sys.stdout.write(f"{rows[-1]}\n")
    write_rows(EXPERIMENTS / "pools" / f"{data.task}.csv", rows)


if __name__ == "__main__":
    main()
