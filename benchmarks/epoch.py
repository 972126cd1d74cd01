"""Time that distillation adds to a student's epoch with a filled cache, for every objective, in one run.

``python benchmarks/epoch.py`` trains small teachers, fills the cache, then measures epochs of all objectives in turn
(baseline, first objective, …, baseline again), so that a drifting machine hits all alike. The figure to quote is the
median of the epoch's time over that of its baseline in the same round: the student that differs in the objective alone,
with the same decoder. Then it takes an epoch of each apart. An epoch trains the network; the sparse features are fitted
before. The demo corpus is the default; ``--task upos --data ../shared/data --languages …`` measures real ones.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from pathlib import Path
from statistics import median

import torch
from common import report, synchronize

from skd_lightning.cli.main import quiet
from skd_lightning.data.batches import Batch
from skd_lightning.distillation.names import BASELINE, objective_names
from skd_lightning.distillation.objectives import by_name
from skd_lightning.encoders import JoinedFeaturizer
from skd_lightning.runs import execution as experiment
from skd_lightning.runs.lightning_cli import TaggingCLI
from skd_lightning.runs.plan import Plan
from skd_lightning.taggers import Student

SOFTMAX = "none-softmax"
"""The baseline of objectives for softmax decoders, whose likelihood costs less than a CRF's."""
VARIANTS = (BASELINE, SOFTMAX, *objective_names())
PARTS = ("batch", "encoder", "CRF and loss", "backward", "clipping", "optimiser")


def loss_of(variant: str) -> str:
    """Return the choice of ``--loss``."""
    return BASELINE if variant == SOFTMAX else variant


def options_of(variant: str) -> list[str]:
    """Return its further options; an objective for softmax decoders brings its own."""
    return ["--model.decoder", "softmax"] if variant == SOFTMAX else []


def baseline_of(variant: str) -> str:
    """Return the variant that differs in the objective alone."""
    if variant in (BASELINE, SOFTMAX):
        return variant
    return BASELINE if "crf" in by_name(variant).decoders else SOFTMAX


class Epochs:
    """A student with its data, whose epochs are run by hand: the bare training step, without a progress bar."""

    def __init__(self, variant: str, plan: Plan, device: str = "cpu") -> None:
        arguments = [*plan.student(loss_of(variant), seed=1).arguments, *options_of(variant)]
        arguments += ["--trainer.max_epochs", "1", "--trainer.enable_progress_bar", "false"]
        arguments += ["--trainer.default_root_dir", str(plan.runs / variant)]
        cli = TaggingCLI(arguments, run=False)
        # One epoch warms everything up and fills the cache.
        cli.trainer.fit(cli.model, datamodule=cli.datamodule)
        assert isinstance(cli.model, Student)
        self.student, self.data = cli.model, cli.datamodule
        self.student.to(device)
        self.optimizer = torch.optim.AdamW(self.student.parameters(), fused=True)
        self.student.train()
        self.student.log = lambda *_, **__: None  # type: ignore[method-assign, assignment]
        self.student.teacher_weight = lambda: 0.5  # type: ignore[method-assign]

    @property
    def words(self) -> int:
        """Words of an epoch."""
        return int(self.data.train_dataset.lengths.sum())

    def seconds(self) -> float:
        """One epoch: batches made, forward, loss, backward, optimiser step."""
        began = time.perf_counter()
        for i, batch in enumerate(self.data.train_dataloader()):
            self._step(self._moved(batch), i)
        synchronize()
        return time.perf_counter() - began

    def _moved(self, batch: Batch) -> Batch:
        moved = self.student.transfer_batch_to_device(batch, self.student.device, 0)
        assert isinstance(moved, Batch)
        return moved

    def _step(self, batch: Batch, i: int) -> None:
        self.optimizer.zero_grad()
        self.student.training_step(batch, i).backward()
        torch.nn.utils.clip_grad_norm_(self.student.parameters(), 5.0)
        self.optimizer.step()

    def parts(self) -> dict[str, float]:
        """Seconds of an epoch by part."""
        spent: Counter[str] = Counter()
        last = time.perf_counter()

        def took(part: str) -> None:
            nonlocal last
            synchronize()
            now = time.perf_counter()
            spent[part] += now - last
            last = now

        for batch in map(self._moved, self.data.train_dataloader()):
            took("batch")
            self.optimizer.zero_grad()
            states = self.student.encoder(JoinedFeaturizer.of_part(batch.inputs, 0), batch.lengths)
            took("encoder")
            crf = self.student.head.chain(self.student.head(states), batch.lengths)
            loss = self.student.losses(crf, batch).mean()
            took("CRF and loss")
            loss.backward()
            took("backward")
            torch.nn.utils.clip_grad_norm_(self.student.parameters(), 5.0)
            took("clipping")
            self.optimizer.step()
            took("optimiser")
        return dict(spent)


def main() -> None:
    """Measure, print, write ``benchmarks/results/epoch{,-<task>}{,-cuda}.{md,json}``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--task", default="demo")
    parser.add_argument("--data")
    parser.add_argument("--languages", nargs="+")
    parser.add_argument("--sentences", type=int, help="training sentences of each language")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    options = parser.parse_args()
    quiet()
    rows, data = [], []
    with tempfile.TemporaryDirectory() as folder:
        some = ("--data.max_train_sentences", str(options.sentences)) if options.sentences else ()
        quick = ("--trainer.max_epochs", "2", *some)
        plan = Plan(Path(folder), options.task, options.data, options.languages, quick)
        experiment.train_teachers(plan)
        epochs = {variant: Epochs(variant, plan, options.device) for variant in VARIANTS}
        base = epochs[BASELINE]
        words, padding = base.words, base.data.train_dataloader().batch_sampler.padding()
        for threads in options.threads:
            torch.set_num_threads(threads)
            times: dict[str, list[float]] = {variant: [] for variant in VARIANTS}
            for _ in range(options.rounds):
                for variant in VARIANTS:
                    times[variant].append(epochs[variant].seconds())
            for variant in VARIANTS:
                pairs = zip(times[variant], times[baseline_of(variant)], strict=True)
                ratio = median(own / other for own, other in pairs)
                apart = [epochs[variant].parts() for _ in range(3)]
                parts = {part: median(one[part] for one in apart) for part in PARTS}
                spent = median(times[variant])
                data.append(
                    {"threads": threads, "variant": variant, "seconds": spent, "ratio": ratio, "parts": parts}
                )
                cells = [f"{spent:.3f}", f"{words / spent:,.0f}", f"{ratio:.3f}"]
                shares = [f"{100 * parts[part] / sum(parts.values()):.1f}" for part in PARTS]
                rows.append([f"{variant}, {threads} thread{'s' * (threads > 1)}", *cells, *shares])
    headings = ["objective", "seconds", "words/s", "÷ its baseline", *(f"{part} %" for part in PARTS)]
    title = f"A student's epoch, cache filled, k = 5: {options.task}, {words:,} words, {padding:.1%} padding"
    name = "-".join(
        ["epoch", *[options.task] * (options.task != "demo"), *[options.device] * (options.device != "cpu")]
    )
    report(name, title, headings, rows, {"words": words, "padding": padding, "rows": data})


if __name__ == "__main__":
    main()
