"""A training whose threads wait for one another in several ways, alone and beside a busy process.

``python benchmarks/threads.py`` on a machine that has nothing else to do. The student of the demo is trained with each
setting in turn, so that all rows are of the same hour; seconds are those of its epochs, those of the network alone.
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

from common import report

WAYS = {
    "two threads, 5,000 turns (the default)": {"OMP_NUM_THREADS": "2"},
    "two threads, 2,000 turns": {"OMP_NUM_THREADS": "2", "GOMP_SPINCOUNT": "2000"},
    "two threads that spin": {"OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "active"},
    "two threads that sleep": {"OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "passive"},
    "one thread": {"OMP_NUM_THREADS": "1"},
}
WAITING = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
NEIGHBOURS = ("alone", "beside a busy process")


def seconds(way: dict[str, str], neighbours: int, epochs: int) -> float:
    """Return the seconds that a student's epochs take beside so many busy processes."""
    others = {name: value for name, value in os.environ.items() if name not in WAITING}
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(neighbours)]
    try:
        with tempfile.TemporaryDirectory() as runs:
            words = ["distill", "--task", "demo", "--runs", runs, "--loss", "none", "--model.wide", "null"]
            subprocess.run(
                [sys.executable, "-m", "skd_lightning", *words, "--trainer.max_epochs", str(epochs)],
                env={**others, **way},
                check=True,
                capture_output=True,
            )
            results = json.loads(Path(runs, "demo/none/seed1/results.json").read_text())
    finally:
        for process in busy:
            process.kill()
            process.wait()
    return float(results["seconds"]["fit"])


def main() -> None:
    """Measure, print, write ``benchmarks/results/threads.{md,json}``."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=8)
    options = parser.parse_args()
    times: dict[str, list[list[float]]] = {name: [[] for _ in NEIGHBOURS] for name in WAYS}
    for _ in range(options.rounds):
        for name, way in WAYS.items():
            for neighbours, own in enumerate(times[name]):
                own.append(seconds(way, neighbours, options.epochs))
    rows = [[name, *(f"{median(own):.1f}" for own in both)] for name, both in times.items()]
    title = f"Seconds of {options.epochs} epochs of the demo student's network, medians of {options.rounds} rounds"
    report("threads", title, ["threads", *NEIGHBOURS], rows, times)


if __name__ == "__main__":
    main()
