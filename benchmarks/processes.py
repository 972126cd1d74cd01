"""One process and two on the same work, and a training that is killed and goes on.

``python benchmarks/processes.py``. Teachers are trained once. Then, in turn and each time with an empty cache, a
student without dropout is trained by one process that accumulates two batches and by two processes: the same optimiser
steps on the same sentences. The weights that one process found are then tested by one and by two. Last, one process
is killed (SIGKILL) at times drawn at random, and started again until it has finished. Each process has one thread.
All taggers are the network alone, since the time of fitting sparse features would be taken for that of the epochs.
Options that are not this script's go to every training, such as ``--model.embedder.sparse true``.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from common import report


class Workplace:
    """A folder with trained teachers, in which students are trained.

    Args:
        folder: of all runs.
        options: of the command line.
        rest: options of every training.
    """

    def __init__(self, folder: Path, options: argparse.Namespace, rest: list[str]) -> None:
        self.folder, self.task = folder, options.task
        self.data, self.languages = options.data, options.languages
        self.where = ["--runs", str(folder), "--task", options.task]
        self.where += ["--data", options.data] if options.data else []
        self.where += ["--langs", *options.languages] if options.languages else []
        self.rest = ["--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false"]
        self.rest += ["--model.wide", "null", *rest]
        self.rest += ["--model.embedder.dropout", "0", "--model.embedder.form_dropout", "0"]
        self.rest += ["--model.context.dropout", "0"]
        if options.sentences:
            self.rest += ["--data.max_train_sentences", str(options.sentences)]
        self.student = ["--loss", "pos_topwk", "--trainer.max_epochs", str(options.epochs)]
        self.run(["teachers", *self.where, "--trainer.max_epochs", "5", *self.rest])

    def run(self, arguments: list[str], kill_after: float | None = None) -> int:
        """The exit status of a command; it is killed after so many seconds."""
        process = subprocess.Popen(
            [sys.executable, "-m", "skd_lightning", *arguments],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        try:
            _, errors = process.communicate(timeout=kill_after)
        except subprocess.TimeoutExpired:
            process.kill()
            _, errors = process.communicate()
        if process.returncode and kill_after is None:
            raise SystemExit(f"status {process.returncode}: {errors.decode()[-2000:]}")
        return process.returncode

    def train(self, name: str, processes: int, kill_after: float | None = None) -> int:
        """A student, by so many processes."""
        if processes == 1:
            step = ["--trainer.accumulate_grad_batches", "2"]
        else:
            step = ["--trainer.devices", str(processes)]
        return self.run(
            ["distill", *self.where, "--name", name, *self.student, *step, *self.rest], kill_after
        )

    def score(self, name: str, processes: int) -> str:
        """Return the scores that so many processes find in its best weights, as they write them."""
        out = self.folder / f"test{processes}"
        words = ["--config", "experiments/student.yaml", "--data.task", self.task, *self.rest]
        words += ["--data.data", self.data] if self.data else []
        words += ["--data.languages", json.dumps(self.languages)] if self.languages else []
        words += ["--ckpt_path", str(self._run(name) / "checkpoints/best.ckpt")]
        words += ["--trainer.devices", str(processes), "--trainer.default_root_dir", str(out)]
        self.run(["test", *words])
        with (out / "metrics.csv").open() as file:
            return next(csv.DictReader(file))["test/average"]

    def results(self, name: str) -> dict[str, Any]:
        """Its results."""
        found: dict[str, Any] = json.loads((self._run(name) / "results.json").read_text())
        return found

    def weights(self, name: str) -> dict[str, torch.Tensor]:
        """Its best weights."""
        checkpoint = torch.load(self._run(name) / "checkpoints/best.ckpt", weights_only=True)
        found: dict[str, torch.Tensor] = checkpoint["state_dict"]
        return found

    def forget(self, name: str) -> None:
        """Its run and the cache."""
        shutil.rmtree(self._run(name), ignore_errors=True)
        shutil.rmtree(self.folder / "cache", ignore_errors=True)

    def words(self) -> int:
        """Training words of an epoch, as the cache holds them."""
        metas = (self.folder / "cache").glob("*/emissions/emissions.npy")
        return sum(len(np.load(file, mmap_mode="r")) for file in metas)

    def _run(self, name: str) -> Path:
        return self.folder / self.task / name / "seed1"


def difference(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    """The largest difference of two weights."""
    return max(float((value.double() - other[name].double()).abs().max()) for name, value in one.items())


def main() -> None:
    """Measure, print, write ``benchmarks/results/processes.{md,json}``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--task", default="demo")
    parser.add_argument("--data")
    parser.add_argument("--languages", nargs="+")
    parser.add_argument("--sentences", type=int, help="training sentences of each language")
    options, rest = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Workplace(Path(folder), options, rest)
        measured: dict[int, list[dict[str, Any]]] = {1: [], 2: []}
        for _ in range(options.rounds):
            for processes, found in measured.items():
                place.forget(f"by{processes}")
                place.train(f"by{processes}", processes)
                found.append(place.results(f"by{processes}"))
        words = place.words()
        kills, rng = 0, random.Random(1)
        wall = measured[1][-1]["seconds"]["fit"] + 8  # of starting, too
        while kills < options.kills and place.train("killed", 1, kill_after=rng.uniform(6, wall)) < 0:
            kills += 1
        place.train("killed", 1)
        tested = {processes: place.score("by1", processes) for processes in measured}
        apart = difference(place.weights("by1"), place.weights("by2"))
        resumed = difference(place.weights("by1"), place.weights("killed"))
        same = place.results("killed")["languages"] == place.results("by1")["languages"]
    rows = []
    for processes, found in measured.items():
        fit = median(one["seconds"]["fit"] for one in found)
        cache = median(one["seconds"]["teacher_predictions"] for one in found)
        (score,) = {one["average"] for one in found}
        speed = f"{words * options.epochs / fit:,.0f}"
        rows.append(
            [
                str(processes),
                f"{fit:.1f}",
                speed,
                f"{cache:.2f}",
                f"{float(tested[processes]):.6f}",
                f"{score:.6f}",
            ]
        )
    headings = [
        "processes",
        "training, s",
        "words/s",
        "cache, s",
        "test of the same weights",
        "own test score",
    ]
    title = (
        f"A student's network by one process and by two: {options.task}, {words:,} words an epoch, "
        f"{options.epochs} epochs. Weights differ by at most {apart:.2g} between them; killed {kills} times and gone "
        f"on with, by {resumed:.2g} ({'the same' if same else 'other'} scores)"
    )
    data = {
        "rounds": measured,
        "apart": apart,
        "kills": kills,
        "resumed": resumed,
        "words": words,
        "tested": tested,
    }
    report("processes", title, headings, rows, data)


if __name__ == "__main__":
    main()
