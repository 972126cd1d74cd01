"""A training step with the encoder compiled (``--compile true``) against the same step without.

``python benchmarks/compiled.py``. The n-gram encoder and a fine-tuned transformer of M-BERT's width with fewer layers
and random weights; nothing is downloaded. Both sides take the same batches in turn; the compiler's time is told apart.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from common import report
from frozen import save_transformer

from skd_lightning.data import demo
from skd_lightning.data.batch_sampling import TrainingBatches
from skd_lightning.data.batches import Batch, SentenceDataset
from skd_lightning.encoders import (
    BiLSTM,
    Context,
    Embedder,
    FineTunedTransformerEmbedder,
    NgramEmbedder,
    NoContext,
)
from skd_lightning.taggers import Teacher
from skd_lightning.tags import TagSet


def step(tagger: Teacher, optimizer: torch.optim.Optimizer, batch: Batch) -> float:
    """Seconds of forward, loss, backward and optimiser step."""
    began = time.perf_counter()
    optimizer.zero_grad()
    tagger.losses(tagger(batch), batch).mean().backward()
    optimizer.step()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - began


def main() -> None:
    """Measure, print, write ``benchmarks/results/compiled.{md,json}``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layers", type=int, default=2, help="of the transformer")
    parser.add_argument("--steps", type=int, default=12)
    options = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    sentences = demo.demo_corpus("en", {"train": 400, "dev": 1, "test": 1})["train"]
    tag_set = TagSet.of({tag for sentence in sentences for tag in sentence.tags or ()}, "iob2")
    rows, data = [], []
    with tempfile.TemporaryDirectory() as folder:
        name = save_transformer(Path(folder), sentences, options.layers)
        encoders: dict[str, tuple[Callable[[], Embedder], Context]] = {
            "n-grams": (NgramEmbedder, BiLSTM()),
            "transformer": (lambda: FineTunedTransformerEmbedder(name), NoContext()),
        }
        for kind, (make, context) in encoders.items():
            sides = {}
            for side in ("plain", "compiled"):
                tagger = Teacher(list(tag_set.names), tag_set.scheme, ["en"], make(), context)
                tagger.to(device).train()
                if side == "compiled":
                    tagger.encoder.compile(dynamic=True)
                sides[side] = tagger, torch.optim.AdamW(tagger.parameters(), fused=True)
            dataset = SentenceDataset(sentences, sides["plain"][0].featurizer, ["en"], tag_set)
            batches = list(TrainingBatches(dataset.lengths, dataset.languages, 1000))
            ready = [dataset.__getitems__(batch) for batch in batches]
            moved = [sides["plain"][0].transfer_batch_to_device(b, torch.device(device), 0) for b in ready]
            warm_up = {side: sum(step(*both, batch) for batch in moved[:4]) for side, both in sides.items()}
            times: dict[str, list[float]] = {side: [] for side in sides}
            for i in range(options.steps):
                for side, both in sides.items():
                    times[side].append(step(*both, moved[i % len(moved)]))
            ratio = median(p / c for p, c in zip(times["plain"], times["compiled"], strict=True))
            plain, compiled = median(times["plain"]), median(times["compiled"])
            extra = warm_up["compiled"] - 4 * compiled
            rows.append(
                [kind, f"{1000 * plain:.0f}", f"{1000 * compiled:.0f}", f"{ratio:.2f}", f"{extra:.0f}"]
            )
            data.append({"encoder": kind, "times": times, "warm_up": warm_up})
    headings = ["encoder", "plain, ms a step", "compiled", "times faster", "compiling, s"]
    title = (
        f"Training steps of 1,000 words, {device}, {torch.get_num_threads()} threads, {options.layers} layers"
    )
    report("compiled", title, headings, rows, data)


if __name__ == "__main__":
    main()
