"""Time that distillation adds to a whole run, teacher predictions included: ``python benchmarks/whole_run.py``.

Every student is a process of its own, with an empty cache, so that time and peak memory are those of a user; its
baseline differs in the objective alone. Epochs are in the paper's proportion: one prediction pass, then tens of epochs.
Figures are those of ``results.json``.
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
from epoch import VARIANTS, baseline_of, loss_of, options_of

from skd_lightning.cli.main import quiet
from skd_lightning.runs import execution as experiment
from skd_lightning.runs.plan import Plan


def run(runs: Path, variant: str, options: argparse.Namespace, seed: int) -> dict[str, Any]:
    """``results.json`` of one student that finds no cache."""
    # Baselines ask no teacher, but fits of sparse features are in the cache, too.
    cache = runs / f"cache-{variant}-{seed}"
    command = [sys.executable, "-m", "skd_lightning", "distill", "--task", options.task, "--runs", str(runs)]
    command += ["--loss", loss_of(variant), "--name", variant, "--seed", str(seed), *options_of(variant)]
    command += ["--trainer.max_epochs", str(options.epochs), "--distillation.cache", str(cache)]
    command += ["--data", options.data] if options.data else []
    command += ["--langs", *options.languages] if options.languages else []
    environment = {**os.environ, "OMP_NUM_THREADS": str(options.threads)}
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    found: dict[str, Any] = json.loads(
        (runs / options.task / variant / f"seed{seed}" / "results.json").read_text()
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
        found: dict[str, list[dict[str, Any]]] = {variant: [] for variant in VARIANTS}
        for seed in range(1, options.rounds + 1):
            for variant in VARIANTS:
                found[variant].append(run(runs, variant, options, seed))
    rows = []
    for variant in VARIANTS:
        pairs = list(zip(found[variant], found[baseline_of(variant)], strict=True))
        seconds = median(map(whole, found[variant]))
        predictions = median(own["seconds"].get("teacher_predictions") or 0.0 for own in found[variant])
        memory = median(own["peak_memory_mib"] for own in found[variant])
        time_ratio = median(whole(own) / whole(base) for own, base in pairs)
        memory_ratio = median(own["peak_memory_mib"] / base["peak_memory_mib"] for own, base in pairs)
        cells = [
            f"{seconds:.1f}",
            f"{predictions:.2f}",
            f"{time_ratio:.3f}",
            f"{memory:.0f}",
            f"{memory_ratio:.3f}",
        ]
        rows.append([variant, *cells])
    headings = [
        "objective",
        "training, s",
        "of it teachers, s",
        "÷ its baseline",
        "peak MiB",
        "÷ its baseline ",
    ]
    title = f"Whole runs: {options.task}, {options.epochs} epochs, {options.threads} thread, empty cache"
    kept = ("seed", "seconds", "peak_memory_mib", "average")
    data = {variant: [{name: one[name] for name in kept} for one in own] for variant, own in found.items()}
    report("whole_run", title, headings, rows, data)


if __name__ == "__main__":
    main()
