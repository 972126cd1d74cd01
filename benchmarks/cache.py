"""Size, building, opening and reading of the teacher cache, by what it holds: ``python benchmarks/cache.py``.

A teacher of the demo corpus is trained first, since what is stored of a distribution depends on how sure it is.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import torch
from common import report

from skd_lightning.cli.main import quiet
from skd_lightning.data import demo
from skd_lightning.data.batch_sampling import TrainingBatches
from skd_lightning.distillation.cache.answers import Answers
from skd_lightning.distillation.cache.entry import CacheEntry, Potentials
from skd_lightning.distillation.cache.parts import Parts
from skd_lightning.distillation.cache.reading import CachedTargets, LanguageAnswers
from skd_lightning.distillation.objective import Needs
from skd_lightning.runs import execution
from skd_lightning.runs.plan import Plan
from skd_lightning.taggers.checkpoints import load

K = 10
Fill = Callable[[LanguageAnswers, Answers, CacheEntry], None]


def emissions(words: LanguageAnswers, answers: Answers, entry: CacheEntry) -> None:
    words.potentials = entry.spoken(Potentials, _nobody)[0]


def paths(words: LanguageAnswers, answers: Answers, entry: CacheEntry) -> None:
    words.paths, words.log_probs = answers.paths(K)


def expectations(words: LanguageAnswers, answers: Answers, entry: CacheEntry) -> None:
    words.marginals, words.transition_counts = answers.expectations()


def path_sets(words: LanguageAnswers, answers: Answers, entry: CacheEntry) -> None:
    words.path_sets = answers.path_sets(0.95)


FIELDS: dict[str, tuple[str, Fill, Needs]] = {
    "emissions, float16": ("emissions", emissions, Needs(emissions=True)),
    f"{K} best paths": (f"paths-k{K}", paths, Needs(k=K)),
    "marginals and counts": ("expectations-t1", expectations, Needs(marginals=1.0, transition_counts=1.0)),
    "path sets": ("path-sets-m0.95", path_sets, Needs(path_set=0.95)),
}


def _nobody() -> Potentials:
    raise AssertionError("the teacher must not be asked again")


def seconds(action: Callable[[], object]) -> float:
    """Time of one call."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def main() -> None:
    """Measure, print, write ``benchmarks/results/cache.{md,json}``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--sentences", type=int, default=3000)
    parser.add_argument("--tokens", type=int, default=2000, help="words of a training batch")
    options = parser.parse_args()
    quiet()
    torch.set_num_threads(1)
    corpus = demo.demo_corpus("en", {"train": options.sentences, "dev": 1, "test": 1})["train"]
    sentences = [sentence.words for sentence in corpus]
    lengths = np.array([len(words) for words in sentences])
    nothing, words_in_all = np.zeros(len(lengths), np.int64), int(lengths.sum())
    batches = list(TrainingBatches(lengths, nothing, options.tokens))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plan = Plan(folder, "demo", None, ["en"], ("--trainer.max_epochs", "4"))
        execution.train_teachers(plan)
        teacher = load(plan.teachers / "en").eval()
        tags = len(teacher.tag_set)
        bare: list[float] = []
        built: dict[str, list[float]] = {field: [] for field in FIELDS}
        opened: dict[str, list[float]] = {field: [] for field in FIELDS}
        read: dict[str, list[float]] = {field: [] for field in FIELDS}
        sizes = {}

        def ask() -> Potentials:
            return Potentials.of(teacher.predict_emissions(sentences), teacher)

        for turn in range(options.rounds):
            entry = CacheEntry(folder / str(turn), "float16")
            bare.append(seconds(lambda: teacher.predict_emissions(sentences)))
            for field, (part, fill, needs) in FIELDS.items():

                def run(parts: Parts, fill: Fill = fill) -> LanguageAnswers:
                    entry = CacheEntry(parts.folder, "float16")
                    words = LanguageAnswers(lengths, np.arange(tags))
                    fill(
                        words, Answers(parts, lengths, lambda: [entry.spoken(Potentials, _nobody)[0]]), entry
                    )
                    return words

                if part == "emissions":
                    built[field].append(seconds(lambda: entry.spoken(Potentials, ask)))  # noqa: B023
                else:
                    built[field].append(seconds(lambda: run(entry.parts)))  # noqa: B023
                opened[field].append(seconds(lambda: run(Parts(entry.parts.folder))))  # noqa: B023
                targets = CachedTargets([run(entry.parts)], nothing, np.arange(len(lengths)), tags, needs)
                read[field].append(
                    seconds(lambda: [targets.read(b, int(lengths[b].max())) for b in batches]) / len(batches)  # noqa: B023
                )
                sizes[field] = sum(f.stat().st_size for f in (entry.parts.folder / part).iterdir())
    rows = []
    for field in FIELDS:
        ratio = median(b / a for a, b in zip(bare, built[field], strict=True))
        cells = [f"{sizes[field] / words_in_all:.1f}", f"{ratio:.3f}"]
        cells += [f"{median(opened[field]) / words_in_all * 1e6:.3f}", f"{1000 * median(read[field]):.2f}"]
        rows.append([field, *cells])
    headings = ["stored", "bytes/word", "built ÷ bare prediction", "opened, µs/word", "read, ms a batch"]
    title = (
        f"Teacher cache, {tags} tags, {words_in_all:,} words in {len(lengths):,} sentences, one thread, "
        f"batches of {options.tokens:,} words"
    )
    data = {"bare": bare, "built": built, "opened": opened, "read": read, "bytes": sizes}
    report("cache", title, headings, rows, data)


if __name__ == "__main__":
    main()
