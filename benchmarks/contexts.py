"""The frontier of score and speed of contexts over trained students, and two contexts that were tried and not kept.

A student is trained with them by class path: ``PYTHONPATH=benchmarks skd distill … --model.context
contexts.MinimalRecurrence``. ``python benchmarks/contexts.py RUNS/uner NAME …`` then reads the dev and test
scores of these run folders, and measures training steps and ``predict_emissions`` on the same sentences with one
thread, in turn. Times are those of the thread's processor, so that other work on the machine hardly counts. It writes
``experiments/results/contexts/contexts.{csv,png}``.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
from common import write_students
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn

import skd_lightning
from skd_lightning.cli.main import quiet
from skd_lightning.data.batches import Batch, SentenceDataset
from skd_lightning.data.sampling import EvaluationBatches
from skd_lightning.data.sentence import Sentence
from skd_lightning.display.style import Plot, draw, legend, looks
from skd_lightning.encoders.context import Context
from skd_lightning.encoders.description import CONTEXTS
from skd_lightning.runs.lightning_cli import TaggingCLI
from skd_lightning.taggers.lazy_adamw import clip_norm
from skd_lightning.taggers.tagger import Tagger


@dataclass(frozen=True)
class MinimalRecurrence(Context):
    """A bidirectional recurrence whose gates see the input only (minGRU, Feng et al. 2024), with an output gate."""

    hidden_size: int = 128
    layers: int = 1
    dropout: float = 0.33

    def build(self, input_size: int) -> nn.Module:
        return RecurrentNetwork(input_size, self)


class RecurrentNetwork(nn.Module):
    """h_t = d_t h_{t-1} + (1 - d_t) v_t in each direction; o_t tanh(h_t) goes out."""

    def __init__(self, input_size: int, settings: MinimalRecurrence) -> None:
        super().__init__()
        self.output_size = 2 * settings.hidden_size
        sizes = [input_size, *[self.output_size] * (settings.layers - 1)]
        self.maps = nn.ModuleList(nn.Linear(size, 3 * self.output_size) for size in sizes)
        self.dropout = nn.Dropout(settings.dropout)

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        mask = inside(states.shape[1], lengths)
        for linear in self.maps:
            mapped = linear(states)
            decay, opened = torch.sigmoid(mapped[..., : 2 * self.output_size]).chunk(2, dim=-1)
            values = mapped[..., 2 * self.output_size :] * mask
            states = self.dropout(opened * torch.tanh(Recurrence.apply(decay, values)))
        return states


@dataclass(frozen=True)
class Convolutions(Context):
    """Residual convolutions over neighbouring words, after ID-CNN (Strubell et al. 2017), without dilation."""

    channels: int = 64
    conv_layers: int = 3
    dropout: float = 0.33

    def build(self, input_size: int) -> nn.Module:
        return ResidualConvolutions(input_size, self)


class ResidualConvolutions(nn.Module):
    """Layers of convolutions over a word and its two neighbours, each added to what it reads; then layer norm."""

    def __init__(self, input_size: int, settings: Convolutions) -> None:
        super().__init__()
        self.output_size = settings.channels
        self.into = nn.Linear(input_size, settings.channels)
        # Two dimensions, one of them of size 1: on CPU this reads (batch, words, channels) as it lies in memory.
        self.windows = nn.ModuleList(
            nn.Conv2d(settings.channels, settings.channels, (1, 3), padding=(0, 1))
            for _ in range(settings.conv_layers)
        )
        self.norm = nn.LayerNorm(settings.channels)
        self.dropout = nn.Dropout(settings.dropout)

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        mask = inside(states.shape[1], lengths)
        states = torch.relu(self.into(states))
        for window in self.windows:
            rows = (states * mask).transpose(1, 2).unsqueeze(2)
            states = states + torch.relu(window(rows).squeeze(2).transpose(1, 2))
        return self.dropout(self.norm(states))  # type: ignore[no-any-return]


def inside(words: int, lengths: Tensor) -> Tensor:
    """(batch, words, 1) true at words, false at padding."""
    return (torch.arange(words, device=lengths.device) < lengths.unsqueeze(1)).unsqueeze(-1)


class Recurrence(torch.autograd.Function):
    """(batch, words, 2 units) states of decay and values; the second half of the units reads from the end.

    One operation a word in each direction: at the lengths of sentences that is faster on a CPU than a parallel scan.
    """

    @staticmethod
    def forward(ctx: Any, decay: Tensor, values: Tensor) -> Tensor:
        states = torch.empty_like(values)
        for own_decay, own_values, own_states in zip(
            *(directions(each) for each in (decay, values, states)), strict=True
        ):
            state = values.new_zeros(len(values), values.shape[2] // 2)
            for rate, value, out in zip(own_decay, own_values, own_states, strict=True):
                state = torch.lerp(value, state, rate, out=out)
        ctx.save_for_backward(decay, values, states)
        return states

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, Tensor]:
        decay, values, states = ctx.saved_tensors
        total, before = torch.empty_like(upstream), torch.zeros_like(states)
        for own_decay, own_states, own_upstream, own_total, own_before in zip(
            *(directions(each) for each in (decay, states, upstream, total, before)), strict=True
        ):
            for earlier, place in zip(own_states[:-1], own_before[1:], strict=True):
                place.copy_(earlier)
            carried = torch.zeros_like(own_total[0])
            for rate, gradient, out in zip(own_decay[::-1], own_upstream[::-1], own_total[::-1], strict=True):
                carried = rate * torch.add(gradient, carried, out=out)
        return total * (before - values), total - total * decay


def directions(states: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """The words' (batch, units) of each direction, in its reading order."""
    first, second = states.chunk(2, dim=-1)
    yield first.unbind(1)
    yield second.unbind(1)[::-1]


class Trained:
    """A trained student, and a second copy of it that takes training steps."""

    def __init__(self, folder: Path) -> None:
        self.predicts, self.learns = (skd_lightning.load(str(folder)) for _ in range(2))
        self.learns.train()
        head = self.learns.head
        parts = {
            "encoder": self.learns.encoder.parameters_as_made(),
            "head": list(head.emissions.parameters()),
            "transitions": [head.transitions, head.start, head.end],
            "pretrained": [],
        }
        self.weights = [*parts["encoder"], *head.parameters()]
        optimization = dataclasses.replace(self.learns.optimization, schedule="constant", warmup=0.0)
        self.optimizer = optimization.configure(parts, 1)["optimizer"]
        rows = list(csv.DictReader((folder / "metrics.csv").open()))
        self.dev = max(float(row["dev/average"]) for row in rows if row["dev/average"])
        self.test = json.loads((folder / "results.json").read_text())["average"]

    def predict(self, sentences: list[Sentence]) -> float:
        """Seconds of the emissions of all sentences."""
        words, languages = [list(each.words) for each in sentences], [each.language for each in sentences]
        began = time.thread_time()
        self.predicts.predict_emissions(words, language=languages)
        return time.thread_time() - began

    def train(self, batches: list[Batch]) -> float:
        """Seconds of a step on each batch."""
        began = time.thread_time()
        for batch in batches:
            self.optimizer.zero_grad()
            crf = self.learns._network(batch)
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


def measure(trained: dict[str, Trained], folder: Path, rounds: int) -> list[dict[str, Any]]:
    """A row for each student: scores, words a second, and speed relative to the first, medians of the rounds."""
    cli = TaggingCLI(
        ["--config", str(folder / "config.yaml"), "--trainer.default_root_dir", "unused"], run=False
    )
    torch.set_num_threads(1)  # not before the CLI, which sets its own
    splits = cli.datamodule.sentences
    dev = [sentence for own in splits["dev"].values() for sentence in own[:500]]
    train = [sentence for own in splits["train"].values() for sentence in own[:250]]
    batches = some_batches(next(iter(trained.values())).learns, train, 12)
    words = sum(len(sentence.words) for sentence in dev), sum(int(batch.lengths.sum()) for batch in batches)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in trained}
    for number in range(rounds + 1):
        for name, own in trained.items():
            taken = own.predict(dev), own.train(batches)
            if number:  # the first round warms up
                times[name].append(taken)
    base = times[next(iter(trained))]
    rows = []
    for name, own in trained.items():
        row = {"name": name, "context": own.predicts.encoder.description()["context"]["name"]}
        row["weights"] = sum(weight.numel() for weight in own.predicts.encoder.context.parameters())
        row |= {"dev_f1": round(100 * own.dev, 2), "test_f1": round(100 * own.test, 2)}
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

    caption = "Up and to the right is better. One thread, seconds of its processor; one seed."
    return draw("contexts", "Score and speed of contexts", caption, 3.4, paint, width=7.2)


def main() -> None:
    """Measure, print, write CSV and picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="RUNS/TASK")
    parser.add_argument(
        "names", nargs="+", help="variants, the first being the one that others are set beside"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    quiet()
    CONTEXTS.update(MinimalRecurrence=MinimalRecurrence, Convolutions=Convolutions)
    folders = {name: options.folder / name / f"seed{options.seed}" for name in options.names}
    rows = measure(
        {name: Trained(folder) for name, folder in folders.items()},
        next(iter(folders.values())),
        options.rounds,
    )
    write_students("contexts", rows, frontier(rows))


if __name__ == "__main__":
    main()
