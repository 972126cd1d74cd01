"""The frontier of score and speed of contexts over trained students, those of ``context_networks.py`` among them.

``python benchmarks/contexts.py RUNS/uner NAME …`` reads the dev and test scores of these variants, means of all their
seeds, and measures training steps and ``predict_emissions`` of the first seed on the same sentences with one thread, in
turn. A tagger remembers words, so each prediction is that of one that was just loaded and has met a few other
sentences. Times are those of the thread's processor, so that other work on the machine hardly counts. It writes
``experiments/results/contexts/contexts.{csv,png}``.
"""

from __future__ import annotations

import argparse
import dataclasses
import random
import time
from pathlib import Path
from statistics import fmean, median
from typing import Any

import torch
from common import write_students
from context_networks import Convolutions, MinimalRecurrence
from finished_runs import best_dev_score, scores_of_seeds
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import skd_lightning
from skd_lightning.cli.main import quiet
from skd_lightning.data.batch_sampling import EvaluationBatches
from skd_lightning.data.batches import Batch, SentenceDataset
from skd_lightning.data.sentence import Sentence
from skd_lightning.display.style import Plot, draw, legend, looks
from skd_lightning.encoders.description import CONTEXTS
from skd_lightning.runs.lightning_cli import TaggingCLI
from skd_lightning.taggers import experts
from skd_lightning.taggers.lazy_adamw import clip_norm
from skd_lightning.taggers.optimization import parameter_parts
from skd_lightning.taggers.tagger import Tagger


class Trained:
    """A trained student, and a copy of it that takes training steps."""

    def __init__(self, variant: Path) -> None:
        self.variant, self.folder = variant, variant / "seed1"
        self.learns = skd_lightning.load(self.folder)
        self.learns.train()
        parts = parameter_parts(self.learns.encoder, self.learns.head)
        self.weights = [weight for part in parts.values() for weight in part]
        optimization = dataclasses.replace(self.learns.optimization, schedule="constant", warmup=0.0)
        self.optimizer = optimization.configure(parts, 1)["optimizer"]

    def scores(self) -> dict[str, Any]:
        """Return dev and test F1 in per cent, means of the seeds, and their number."""
        dev = [best_dev_score(run) for run in sorted(self.variant.glob("seed*"))]
        test = scores_of_seeds(self.variant)
        return {"dev_f1": round(100 * fmean(dev), 2), "test_f1": test["average"], "seeds": test["seeds"]}

    def predict(self, sentences: list[Sentence], others: list[Sentence]) -> float:
        """Seconds of the emissions of all sentences, by a tagger that has met others alone."""
        tagger = skd_lightning.load(self.folder)
        taken = []
        for own in (others, sentences):
            words, languages = [list(each.words) for each in own], [each.language for each in own]
            began = time.thread_time()
            tagger.predict_emissions(words, language=languages)
            taken.append(time.thread_time() - began)
        return taken[-1]

    def train(self, batches: list[Batch]) -> float:
        """Seconds of a step on each batch."""
        began = time.thread_time()
        for batch in batches:
            self.optimizer.zero_grad()
            crf = experts.network(self.learns, batch)
            self.learns.losses(crf, batch).mean().backward()
            clip_norm(self.weights, 5.0)
            self.optimizer.step()
        return time.thread_time() - began


def some_batches(tagger: Tagger, sentences: list[Sentence], batches: int) -> list[Batch]:
    """Batches of up to 1,000 words of like length, drawn at random."""
    languages = sorted({each.language for each in sentences})
    dataset = SentenceDataset(sentences, tagger.training_featurizer, languages, tagger.tag_set)
    drawn = random.Random(1).sample(list(EvaluationBatches(dataset.lengths, 1000)), batches)
    return [dataset.__getitems__(list(indices)) for indices in drawn]


def measure(trained: dict[str, Trained], rounds: int) -> list[dict[str, Any]]:
    """A row for each student: scores, words a second, and speed relative to the first, medians of the rounds."""
    first = next(iter(trained.values()))
    cli = TaggingCLI(
        ["--config", str(first.folder / "config.yaml"), "--trainer.default_root_dir", "unused"], run=False
    )
    torch.set_num_threads(1)  # not before the CLI, which sets its own
    splits = cli.datamodule.sentences
    dev = [sentence for own in splits["dev"].values() for sentence in own[:500]]
    train = [sentence for own in splits["train"].values() for sentence in own[:250]]
    others = [sentence for own in splits["train"].values() for sentence in own[:20]]
    batches = some_batches(first.learns, train, 12)
    words = sum(len(sentence.words) for sentence in dev), sum(int(batch.lengths.sum()) for batch in batches)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in trained}
    for number in range(rounds + 1):
        for name, own in trained.items():
            taken = own.predict(dev, others), own.train(batches)
            if number:  # the first round warms up
                times[name].append(taken)
    base = times[next(iter(trained))]
    rows = []
    for name, own in trained.items():
        row = {"name": name, "context": own.learns.encoder.description()["context"]["name"]}
        row["weights"] = sum(weight.numel() for weight in own.learns.encoder.context.parameters())
        row |= own.scores()
        for side, what in enumerate(("predict", "train")):
            row[f"{what}_words_per_second"] = round(words[side] / median(one[side] for one in times[name]))
            ratios = (a[side] / b[side] for a, b in zip(base, times[name], strict=True))
            row[f"{what}_relative"] = round(median(ratios), 3)
        rows.append(row)
    return rows


def frontier(rows: list[dict[str, Any]]) -> Plot:
    """Dev F1 against words a second, one panel for prediction and one for training."""
    kinds = list(dict.fromkeys(row["context"] for row in rows))
    found = looks(kinds)

    def paint(figure: Figure, axes: Axes) -> None:
        axes.remove()
        panels = figure.subplots(1, 2, sharey=True)
        for panel, what in zip(panels, ("predict", "train"), strict=True):
            for kind in kinds:
                own = sorted((row for row in rows if row["context"] == kind), key=lambda row: row["weights"])
                across = [row[f"{what}_words_per_second"] / 1000 for row in own]
                style = {"color": found[kind].colour, "marker": found[kind].marker, "label": kind}
                panel.plot(across, [row["dev_f1"] for row in own], linewidth=1.2, markersize=6, **style)
                for row, place in zip(own, across, strict=True):
                    panel.annotate(
                        row["name"], (place, row["dev_f1"]), (4, 5), textcoords="offset points", fontsize=8
                    )
            panel.margins(x=0.16, y=0.12)
            panel.set_xlabel(f"{what}: thousand words/s")
            panel.grid()
        panels[0].set_ylabel("dev F1 in per cent")
        legend(figure, panels[0])

    caption = "Up and to the right is better. One thread, seconds of its processor."
    return draw("contexts", "Score and speed of contexts", caption, 3.4, paint, width=7.2)


def main() -> None:
    """Measure, print, write CSV and picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="RUNS/TASK")
    parser.add_argument(
        "names", nargs="+", help="variants, the first being the one that others are set beside"
    )
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    quiet()
    CONTEXTS.update(MinimalRecurrence=MinimalRecurrence, Convolutions=Convolutions)
    rows = measure({name: Trained(options.folder / name) for name in options.names}, options.rounds)
    write_students("contexts", rows, frontier(rows))


if __name__ == "__main__":
    main()
