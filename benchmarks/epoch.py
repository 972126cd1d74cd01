"""What distillation adds to a student's epoch when the cache is filled, for every objective, in one run.

``python benchmarks/epoch.py`` trains small teachers on the demo corpus, fills the cache, then measures epochs of
all objectives in turn (baseline, first objective, …, baseline again), so that a drifting machine hits all alike.
The figure to quote is the median of the epoch's time over the baseline's of the same round.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from statistics import median

import torch
from rich.console import Console
from rich.table import Table

from skd_lightning import experiment
from skd_lightning.cli import _quiet
from skd_lightning.data.batches import Batch
from skd_lightning.distillation import Loss
from skd_lightning.lightning_cli import TaggingCLI
from skd_lightning.taggers import Student

LOSSES: tuple[Loss, ...] = ("none", "token", "emission", "topk", "topwk", "posterior", "pos_topwk")
RESULTS = Path(__file__).parent / "results"


class Epochs:
    """A student with its data, whose epochs are run by hand: the bare training step, without a progress bar."""

    def __init__(self, loss: Loss, plan: experiment.Plan) -> None:
        arguments = ["--config", "experiments/student.yaml", "--config", "experiments/demo.yaml"]
        if loss == "token":
            arguments += ["--model.decoder", "softmax"]
        arguments += ["--model.loss", loss, "--distillation.teachers", str(plan.teachers)]
        arguments += ["--distillation.cache", str(plan.runs / "cache"), "--trainer.max_epochs", "1"]
        arguments += [
            "--trainer.default_root_dir",
            str(plan.runs / loss),
            "--trainer.enable_progress_bar",
            "false",
        ]
        cli = TaggingCLI([*arguments, *plan.options], run=False)
        cli.trainer.fit(
            cli.model, datamodule=cli.datamodule
        )  # one epoch warms everything up and fills the cache
        assert isinstance(cli.model, Student)
        self.student, self.data = cli.model, cli.datamodule
        self.optimizer = torch.optim.AdamW(self.student.parameters(), fused=True)
        self.student.train()
        self.student.log = lambda *_, **__: None  # type: ignore[method-assign, assignment]
        self.student.log_dict = lambda *_, **__: None  # type: ignore[method-assign, assignment]
        self.student.teacher_weight = lambda: 0.5  # type: ignore[method-assign]

    def seconds(self) -> float:
        """One epoch: batches made, forward, loss, backward, optimiser step."""
        began = time.perf_counter()
        for i, batch in enumerate(self.data.train_dataloader()):
            self._step(batch, i)
        return time.perf_counter() - began

    def _step(self, batch: Batch, i: int) -> None:
        self.optimizer.zero_grad()
        self.student.training_step(batch, i).backward()
        torch.nn.utils.clip_grad_norm_(self.student.parameters(), 5.0)
        self.optimizer.step()


def main() -> None:
    """Measure, print, and write ``benchmarks/results/epoch.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    _quiet()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        plan = experiment.Plan(Path(folder), "demo", options=("--trainer.max_epochs", "2"))
        experiment.train_teachers(plan)
        epochs = {loss: Epochs(loss, plan) for loss in LOSSES}
        words = int(epochs["none"].data.train_dataset.lengths.sum())
        for threads in options.threads:
            torch.set_num_threads(threads)
            times: dict[str, list[float]] = {loss: [] for loss in LOSSES}
            for _ in range(options.rounds):
                for loss in LOSSES:
                    times[loss].append(epochs[loss].seconds())
            for loss in LOSSES:
                ratios = [own / base for own, base in zip(times[loss], times["none"], strict=True)]
                rows.append(
                    {
                        "threads": threads,
                        "loss": loss,
                        "seconds": median(times[loss]),
                        "words_per_second": words / median(times[loss]),
                        "ratio": median(ratios),
                    }
                )
    table = Table(title=f"a student's epoch, cache filled, k = 5, {words:,} words, {os.cpu_count()} cores")
    for heading in ("threads", "objective", "seconds", "words/s", "÷ baseline"):
        table.add_column(heading, justify="left" if heading == "objective" else "right")
    for row in rows:
        table.add_row(
            str(row["threads"]),
            str(row["loss"]),
            f"{row['seconds']:.3f}",
            f"{row['words_per_second']:,.0f}",
            f"{row['ratio']:.3f}",
        )
    Console().print(table)
    RESULTS.mkdir(exist_ok=True)
    load = os.getloadavg()[0]
    (RESULTS / "epoch.json").write_text(
        json.dumps({"words": words, "load": load, "rows": rows}, indent=2) + "\n"
    )


if __name__ == "__main__":
    main()
