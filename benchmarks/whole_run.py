"""Time that distillation adds to a whole run, teacher predictions included: ``python benchmarks/whole_run.py``.

Every objective is a process of its own, with an empty cache, so that time and peak memory are those of a user. Epochs
are in the paper's proportion: one prediction pass, then tens of epochs. Figures are those of ``results.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from common import report
from epoch import LOSSES

from skd_lightning.cli.main import quiet
from skd_lightning.runs import execution as experiment
from skd_lightning.runs.plan import Plan


def run(runs: Path, loss: str, options: argparse.Namespace, seed: int) -> dict[str, Any]:
    """``results.json`` of one student that finds no cache."""
    cache = runs / f"cache-{loss}-{seed}"
    command = [sys.executable, "-m", "skd_lightning", "distill", "--task", options.task, "--runs", str(runs)]
    command += ["--loss", loss, "--seed", str(seed), "--trainer.max_epochs", str(options.epochs)]
    command += ["--model.decoder", "softmax"] if loss == "token" else []
    command += ["--data", options.data] if options.data else []
    command += ["--langs", *options.languages] if options.languages else []
    command += ["--distillation.cache", str(cache)] if loss != "none" else []
    environment = {**os.environ, "OMP_NUM_THREADS": str(options.threads)}
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    found: dict[str, Any] = json.loads(
        (runs / options.task / loss / f"seed{seed}" / "results.json").read_text()
    )
    return found


def whole(record: dict[str, Any]) -> float:
    """Return the seconds of a run's training, teacher predictions included."""
    seconds = record["seconds"]
    return float(seconds["fit"] + seconds["teacher_predictions"])


def main() -> None:
    """Measure, print, write ``benchmarks/results/whole_run.{md,json}``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--task", default="demo")
    parser.add_argument("--data")
    parser.add_argument("--languages", nargs="+")
    options = parser.parse_args()
    quiet()
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder)
        quick = ("--trainer.max_epochs", "2")
        plan = Plan(runs, options.task, options.data, options.languages, quick)
        experiment.train_teachers(plan)
        found: dict[str, list[dict[str, Any]]] = {loss: [] for loss in LOSSES}
        for seed in range(1, options.rounds + 1):
            for loss in LOSSES:
                found[loss].append(run(runs, loss, options, seed))
    rows = []
    for loss in LOSSES:
        pairs = list(zip(found[loss], found["none"], strict=True))
        seconds = median(map(whole, found[loss]))
        predictions = median(own["seconds"].get("teacher_predictions") or 0.0 for own in found[loss])
        memory = median(own["peak_memory_mib"] for own in found[loss])
        time_ratio = median(whole(own) / whole(base) for own, base in pairs)
        memory_ratio = median(own["peak_memory_mib"] / base["peak_memory_mib"] for own, base in pairs)
        cells = [
            f"{seconds:.1f}",
            f"{predictions:.2f}",
            f"{time_ratio:.3f}",
            f"{memory:.0f}",
            f"{memory_ratio:.3f}",
        ]
        rows.append([loss, *cells])
    headings = ["objective", "training, s", "of it teachers, s", "÷ baseline", "peak MiB", "÷ baseline "]
    title = f"Whole runs: {options.task}, {options.epochs} epochs, {options.threads} thread, empty cache"
    kept = ("seed", "seconds", "peak_memory_mib", "average")
    data = {loss: [{name: one[name] for name in kept} for one in runs_] for loss, runs_ in found.items()}
    report("whole_run", title, headings, rows, data)


if __name__ == "__main__":
    main()
