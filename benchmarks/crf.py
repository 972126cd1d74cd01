"""What the CRF costs against pytorch-crf and torch-struct, in one run: ``python benchmarks/crf.py``.

Values are compared before anything is timed. A figure is the median over repeats, the peers in turn, so that a
drifting machine hits all alike; a peer that is not installed is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from skd_lightning.crf import LinearChainCRF

SHAPES = ((32, 30, 9), (32, 50, 17), (64, 128, 17))
RESULTS = Path(__file__).parent / "results"
Operation = Callable[[], Tensor]


def ours(emissions: Tensor, transitions: Tensor, lengths: Tensor) -> dict[str, Operation]:
    """Each operation from raw potentials to its result."""

    def crf(grad: bool = False) -> LinearChainCRF:
        return LinearChainCRF(emissions.requires_grad_(grad), transitions.requires_grad_(grad), lengths)

    def gradient() -> Tensor:
        value = crf(True).log_partition
        torch.autograd.grad(value.sum(), (emissions, transitions))
        return value.detach()

    return {
        "log-partition + gradient": gradient,
        "marginals": lambda: crf().marginals,
        "Viterbi": lambda: crf().viterbi(),
        "5 best": lambda: crf().kbest(5).scores,
    }


def pytorch_crf(emissions: Tensor, transitions: Tensor, lengths: Tensor) -> dict[str, Operation]:
    """pytorch-crf; its log-likelihood is the log-partition minus the score of a path, both with gradients."""
    from torchcrf import CRF

    batch, words, tags = emissions.shape
    model = CRF(tags, batch_first=True)
    with torch.no_grad():
        model.transitions.copy_(transitions)
        model.start_transitions.zero_()
        model.end_transitions.zero_()
    mask = torch.arange(words) < lengths[:, None]
    gold = torch.zeros(batch, words, dtype=torch.long)
    gold_score = LinearChainCRF(emissions.detach(), transitions.detach(), lengths).score(gold)

    def gradient() -> Tensor:
        value = model(emissions.requires_grad_(), gold, mask, reduction="none")
        torch.autograd.grad(value.sum(), (emissions, model.transitions))
        return (gold_score - value).detach()

    def viterbi() -> Tensor:
        paths = model.decode(emissions.detach(), mask)
        return torch.tensor([path + [0] * (words - len(path)) for path in paths])

    return {"log-partition + gradient": gradient, "Viterbi": viterbi}


def torch_struct(emissions: Tensor, transitions: Tensor, lengths: Tensor) -> dict[str, Operation]:
    """torch-struct; its potentials are (batch, words - 1, to, from), the first word's emission in the first pair."""
    from torch_struct import LinearChainCRF as Struct

    def potentials(grad: bool = False) -> Tensor:
        pairs = transitions.detach().t() + emissions.detach()[:, 1:, :, None]
        pairs[:, 0] += emissions.detach()[:, 0, None, :]
        return pairs.requires_grad_(grad)

    def gradient() -> Tensor:
        given = potentials(True)
        value = Struct(given, lengths=lengths).partition
        torch.autograd.grad(value.sum(), given)
        return value.detach()

    def marginals() -> Tensor:
        pairs = Struct(potentials(), lengths=lengths).marginals
        return torch.cat([pairs[:, :1].sum(-2), pairs.sum(-1)], dim=1)

    return {
        "log-partition + gradient": gradient,
        "marginals": marginals,
        "Viterbi": lambda: Struct(potentials(), lengths=lengths).argmax,
        "5 best": lambda: Struct(potentials(), lengths=lengths).kmax(5).t(),
    }


PEERS = {"skd_lightning": ours, "pytorch-crf": pytorch_crf, "torch-struct": torch_struct}


def milliseconds(operations: dict[str, Operation], repeats: int, budget: float) -> dict[str, float]:
    """Median of each peer's operation, called in turn, until its repeats or its budget of seconds are spent."""
    times: dict[str, list[float]] = {name: [] for name in operations}
    for _ in range(repeats):
        for name, operation in operations.items():
            if sum(times[name]) < budget:
                began = time.perf_counter()
                operation()
                times[name].append(time.perf_counter() - began)
    return {name: 1000 * median(spent) for name, spent in times.items()}


def measure(shape: tuple[int, int, int], repeats: int) -> list[dict[str, object]]:
    """All operations of all peers on one batch of ragged sentences."""
    batch, words, tags = shape
    torch.manual_seed(0)
    emissions, transitions = 2 * torch.randn(batch, words, tags), torch.randn(tags, tags)
    lengths = torch.randint(max(2, words // 2), words + 1, (batch,))
    lengths[0] = words
    peers: dict[str, dict[str, Operation]] = {}
    for name, make in PEERS.items():
        try:
            peers[name] = make(emissions.clone(), transitions.clone(), lengths)
        except ImportError:
            Console().print(f"{name} is not installed: left out (pip install '.[bench]')")
    rows: list[dict[str, object]] = []
    for operation, own in peers["skd_lightning"].items():
        row: dict[str, object] = {"shape": list(shape), "operation": operation}
        expected = own()
        for name, theirs in peers.items():
            slow = name == "torch-struct" and operation == "5 best"  # seconds to minutes: timed in one call
            if operation in theirs and not slow:
                found = theirs[operation]()
                if found.shape == expected.shape:
                    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)
        calls = {name: theirs[operation] for name, theirs in peers.items() if operation in theirs}
        row |= milliseconds(calls, repeats, 2.0)
        rows.append(row)
    return rows


def main() -> None:
    """Measure, print, write ``benchmarks/results/crf.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    warnings.filterwarnings("ignore")
    rows = [row for shape in SHAPES for row in measure(shape, options.repeats)]
    table = Table(
        title=f"milliseconds (÷ ours), float32, {options.threads} threads, load {os.getloadavg()[0]:.1f}"
    )
    for heading in ("(batch, words, tags)", "operation", *PEERS):
        table.add_column(heading, justify="right" if heading in PEERS else "left")
    for row in rows:
        cells = [str(tuple(row["shape"])), str(row["operation"])]  # type: ignore[arg-type]
        for name in PEERS:
            value = row.get(name)
            ratio = (
                "" if name == "skd_lightning" or value is None else f" ({value / row['skd_lightning']:.1f})"
            )  # type: ignore[operator]
            cells.append("–" if value is None else f"{value:.2f}{ratio}")
        table.add_row(*cells)
    Console(width=110).print(table)
    RESULTS.mkdir(exist_ok=True)
    report = {
        "threads": options.threads,
        "load": os.getloadavg()[0],
        "torch": torch.__version__,
        "rows": rows,
    }
    (RESULTS / "crf.json").write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
