"""Timing in turn, and results that say how they were made: shared by all benchmarks."""

from __future__ import annotations

import csv
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from skd_lightning.display.style import Plot

RESULTS = Path(__file__).parent / "results"
EXPERIMENTS = Path(__file__).parent.parent / "experiments" / "results"
PACKAGES = ("torch", "numba", "numpy", "pytorch-lightning", "transformers")


TURN = 0.03


def milliseconds(
    operations: dict[str, Callable[[], object]], repeats: int, budget: float
) -> dict[str, float]:
    """Median time of a call of each operation, over turns.

    The operations take turns, so that a drifting machine hits all alike; a turn is as many calls as fit into 30
    milliseconds, at least one, so that a short operation is not measured with the caches of the one before it.
    An operation that has spent its budget of seconds gets no more turns.
    """
    times: dict[str, list[float]] = {name: [] for name in operations}
    spent = dict.fromkeys(operations, 0.0)
    for _ in range(repeats):
        for name, operation in operations.items():
            if spent[name] >= budget:
                continue
            calls, began = 0, time.perf_counter()
            while calls == 0 or time.perf_counter() - began < TURN:
                operation()
                calls += 1
            synchronize()
            seconds = time.perf_counter() - began
            spent[name] += seconds
            times[name].append(seconds / calls)
    return {name: 1000 * median(values) for name, values in times.items()}


def synchronize() -> None:
    """Wait until a GPU, if there is one, has done what it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def report(name: str, title: str, headings: Sequence[str], rows: Sequence[Sequence[str]], data: Any) -> None:
    """Print a table; write it to ``results/<name>.md`` and what it was made from to ``results/<name>.json``."""
    table = Table(title=title, title_justify="left")
    for i, heading in enumerate(headings):
        table.add_column(heading, justify="right" if i else "left")
    for row in rows:
        table.add_row(*row)
    Console(width=150).print(table)
    made = circumstances()
    lines = [
        f"# {title}",
        "",
        "| " + " | ".join(headings) + " |",
        "|---" + "|---:" * (len(headings) - 1) + "|",
    ]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    lines += [
        "",
        f"`{made['command']}`, {made['cores']} cores ({made['processor']}), load {made['load']:.1f}; ",
    ]
    lines += [", ".join(f"{package} {number}" for package, number in made["versions"].items())]
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.md").write_text("\n".join(lines) + "\n")
    (RESULTS / f"{name}.json").write_text(json.dumps({"made": made, "results": data}, indent=1) + "\n")


def write_students(name: str, rows: Sequence[Mapping[str, Any]], picture: Plot) -> None:
    """Print the rows of trained students, and write them and their picture to ``experiments/results/<name>/``."""
    write_rows(EXPERIMENTS / name / f"{name}.csv", rows)
    (EXPERIMENTS / name / f"{name}.png").write_bytes(picture.png)
    for row in rows:
        print(row)


def write_rows(file: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a CSV file with the keys of the first row as its head."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="") as opened:
        writer = csv.DictWriter(opened, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def circumstances() -> dict[str, Any]:
    """Command, load, cores and versions."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return {
        "command": " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]]),
        "load": os.getloadavg()[0],
        "cores": os.cpu_count(),
        "processor": torch.cuda.get_device_name() if torch.cuda.is_available() else platform.machine(),
        "versions": versions,
    }
