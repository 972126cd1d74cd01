"""Size, building and reading of the teacher cache at 20 tags and k = 10: ``python benchmarks/cache.py``."""

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

from skd_lightning.data import demo
from skd_lightning.data.sampling import TrainingBatches
from skd_lightning.distillation.cache import CacheEntry, EmissionPrecision
from skd_lightning.distillation.objectives import Posterior
from skd_lightning.distillation.targets import CachedTargets, TeacherWords
from skd_lightning.encoders import NgramEmbedder
from skd_lightning.taggers import Student, Teacher

TAGS, K = [f"T{i}" for i in range(20)], 10


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
    torch.set_num_threads(1)
    torch.manual_seed(1)
    corpus = demo.demo_corpus("en", {"train": options.sentences, "dev": 1, "test": 1})["train"]
    sentences = [sentence.words for sentence in corpus]
    lengths = np.array([len(words) for words in sentences])
    teacher = Teacher(TAGS, "none", ["en"], NgramEmbedder()).eval()
    student = Student(TAGS, "none", ["en"], NgramEmbedder(), objective=Posterior()).train()
    optimizer = torch.optim.AdamW(student.parameters(), fused=True)
    rows, data = [], {}
    with tempfile.TemporaryDirectory() as folder:
        for precision in ("float16", "float32"):
            bare, built, opened, read = [], [], [], []
            for round_ in range(options.rounds):
                entry = CacheEntry(Path(folder) / f"{precision}{round_}", lengths, _precision(precision))

                def predict() -> tuple[np.ndarray, object]:
                    return teacher.predict_emissions(sentences), teacher

                bare.append(seconds(predict))
                built.append(seconds(lambda: (entry.emissions(predict), entry.paths(K))))  # noqa: B023
                opened.append(seconds(entry.marginals))
                words = TeacherWords(
                    lengths,
                    np.arange(20),
                    entry.emissions(predict)[0]["emissions"],
                    entry.marginals(),
                    **entry.paths(K),
                )
                nothing = np.zeros(len(lengths), np.int64)
                targets = CachedTargets([words], nothing, np.arange(len(lengths)), 20)
                batches = list(TrainingBatches(lengths, nothing, options.tokens))
                read.append(
                    seconds(lambda: [targets.read(b, int(lengths[b].max())) for b in batches]) / len(batches)  # noqa: B023
                )
            size = entry.bytes() / entry.words
            ratio = median(b / a for a, b in zip(bare, built, strict=True))
            cells = [f"{size:.1f}", f"{ratio:.3f}", f"{median(opened) / entry.words * 1e6:.2f}"]
            rows.append([precision, *cells, f"{1000 * median(read):.2f}"])
            data[precision] = {"bytes": size, "bare": bare, "built": built, "opened": opened, "read": read}
        data["step"] = step = _step_seconds(student, optimizer, sentences, batches, lengths)
    for row in rows:
        row.append(f"{100 * float(row[4]) / (1000 * step):.1f}")
    headings = ["stored as", "bytes/word", "built ÷ bare prediction", "marginals when opened, µs/word"]
    headings += ["all read, ms a batch", "% of a step"]
    title = f"Teacher cache, 20 tags, k = {K}, {int(lengths.sum()):,} words in {len(lengths):,} sentences, one thread"
    report("cache", title, headings, rows, data)


def _precision(name: str) -> EmissionPrecision:
    return "float16" if name == "float16" else "float32"


def _step_seconds(
    student: Student,
    optimizer: torch.optim.Optimizer,
    sentences: list[tuple[str, ...]],
    batches: list[list[int]],
    lengths: np.ndarray,
) -> float:
    """Median time of a baseline's training step on these batches."""
    times = []
    items = student.encoder.featurizer.index(sentences)
    for batch in batches[:20]:
        began = time.perf_counter()
        inputs = student.encoder.featurizer.collate([items[i] for i in batch], int(lengths[batch].max()))
        in_batch = torch.from_numpy(lengths[batch])
        optimizer.zero_grad()
        crf = student.head.chain(student.head(student.encoder(inputs, in_batch)), in_batch)
        gold = torch.zeros(len(batch), int(lengths[batch].max()), dtype=torch.long)
        (-crf.log_prob(gold).mean()).backward()
        torch.nn.utils.clip_grad_norm_(student.parameters(), 5.0)
        optimizer.step()
        times.append(time.perf_counter() - began)
    return median(times)


if __name__ == "__main__":
    main()
