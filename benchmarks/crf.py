"""Cost of the CRF against other libraries, in one run: ``python benchmarks/crf.py``.

Every result, ours too, is compared with that of plain torch in float64 before anything is timed; one that differs is
not timed, and its cell says by how much. A figure is the median over turns, the libraries in turn, so that a drifting
machine hits all alike. A library that is not installed is left out.
"""

from __future__ import annotations

import argparse
import time
import warnings
from typing import Any

import torch
from common import RESULTS, milliseconds, report, synchronize
from crf_exact import exact_results
from crf_peers import OURS, PEERS, VITERBI, Operations
from rich.console import Console

SHAPES = {
    "cpu": ((32, 30, 9), (32, 50, 17), (64, 128, 17), (8, 512, 33)),
    "cuda": ((32, 50, 17), (512, 50, 17), (64, 128, 17), (8, 512, 33)),
}
PATIENCE = 40.0
"""Seconds that the first call of a peer may take: one that takes longer is shown as slower and not called again."""


def disagreement(found: torch.Tensor, expected: torch.Tensor, operation: str) -> str:
    """How a result differs from the exact one by more than 0.001; empty if it does not.

    Paths of equal scores are equally good, so a few tags may differ.
    """
    if found.shape != expected.shape and found.dim() == 2:
        found = found.t()  # scores come in either order of axes
    if found.shape != expected.shape:
        return f"shape {tuple(found.shape)}"
    if operation == VITERBI:
        share = float((found != expected).float().mean())
        return f"{share:.1%} tags differ" if share > 0.001 else ""
    off = (found - expected).abs() / expected.abs().clamp(min=1.0)
    return "" if bool((off <= 1e-3).all()) else f"off by {float(off.max()):.0e}"


def measure(shape: tuple[int, int, int], repeats: int, budget: float) -> list[dict[str, Any]]:
    """All operations of all peers on one batch of ragged sentences."""
    batch, words, tags = shape
    torch.manual_seed(0)
    emissions, transitions = 2 * torch.randn(batch, words, tags), torch.randn(tags, tags)
    lengths = torch.randint(max(2, words // 2), words + 1, (batch,))
    lengths[0] = words
    peers: dict[str, Operations] = {}
    for name, make in PEERS.items():
        try:
            peers[name] = make(emissions.clone(), transitions.clone(), lengths)
        except ImportError as error:
            Console().print(f"{name}: {error}; left out (make bench installs it)", markup=False)
    for compiles in peers[OURS].values():
        compiles()  # at its first call, which would else look as slow as the compiler
    rows = []
    for operation, expected in exact_results(emissions.clone(), transitions.clone(), lengths).items():
        notes, calls = {}, {}
        for name, theirs in peers.items():
            if operation not in theirs:
                continue
            began = time.perf_counter()
            try:
                found = theirs[operation]().detach()
                synchronize()
            except RuntimeError as error:
                notes[name] = "out of memory" if "memory" in str(error) else "fails"
                continue
            spent = time.perf_counter() - began
            if wrong := disagreement(found.cpu(), expected, operation):
                notes[name] = wrong
            elif spent > PATIENCE:
                notes[name] = f"{1000 * spent:.0f}"
            else:
                calls[name] = theirs[operation]
        row: dict[str, Any] = {"shape": list(shape), "operation": operation, "notes": notes}
        row["milliseconds"] = milliseconds(calls, repeats, budget)
        rivals = {name: value for name, value in row["milliseconds"].items() if name != OURS}
        if rivals and OURS in calls:
            best = min(rivals, key=rivals.__getitem__)
            row |= {"best": best, "ratio": rivals[best] / row["milliseconds"][OURS]}
        Console().print(f"{shape} {operation}: {row.get('ratio', 0):.1f} times as fast; {notes}")
        rows.append(row)
    return rows


def plot(rows: list[dict[str, Any]], name: str) -> None:
    """Ours against the best peer, where one can do it: ``results/<name>.png``."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = [row for row in rows if "ratio" in row]
    figure, axis = pyplot.subplots(figsize=(11, 4.2))
    operations = list(dict.fromkeys(row["operation"] for row in rows))
    for i, shape in enumerate(dict.fromkeys(tuple(row["shape"]) for row in rows)):
        own = [row for row in rows if tuple(row["shape"]) == shape]
        places = [operations.index(row["operation"]) + 0.2 * i for row in own]
        axis.bar(places, [row["ratio"] for row in own], width=0.18, label=str(shape))
    axis.set_yscale("log")
    axis.set_ylabel("times faster than the best correct peer")
    labels = [
        name.replace(" through", "\nthrough").replace(" + ", "\n+ ").replace(", ", ",\n")
        for name in operations
    ]
    axis.set_xticks([j + 0.3 for j in range(len(operations))], labels, fontsize=8)
    axis.legend(title="(batch, words, tags)", fontsize=8)
    axis.grid(axis="y", alpha=0.3)
    figure.tight_layout()
    figure.savefig(RESULTS / f"{name}.png", dpi=120)


def main() -> None:
    """Measure, print, write ``benchmarks/results/crf{,-cuda}.{md,json,png}``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=25)
    parser.add_argument("--budget", type=float, default=3.0, help="seconds for each peer and operation")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu", choices=SHAPES)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.set_default_device(options.device)
    warnings.filterwarnings("ignore")
    rows = [
        row for shape in SHAPES[options.device] for row in measure(shape, options.repeats, options.budget)
    ]
    names = [
        name for name in PEERS if any(name in row["milliseconds"] or name in row["notes"] for row in rows)
    ]
    cells = [
        [
            f"{tuple(row['shape'])} {row['operation']}",
            *(
                f"{row['milliseconds'][name]:.3g}"
                if name in row["milliseconds"]
                else row["notes"].get(name, "–")
                for name in names
            ),
            f"{row['ratio']:.1f}" if "ratio" in row else "–",
        ]
        for row in rows
    ]
    headings = ["milliseconds", *names, "best peer ÷ ours"]
    threads = f"{options.threads} thread{'s' * (options.threads > 1)}"
    where = threads if options.device == "cpu" else torch.cuda.get_device_name()
    name = "crf" if options.device == "cpu" else f"crf-{options.device}"
    report(name, f"CRF, float32, {where}", headings, cells, rows)
    plot(rows, name)


if __name__ == "__main__":
    main()
