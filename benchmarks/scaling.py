"""Cost against size, with fitted exponents: ``python benchmarks/scaling.py``.

The CRF against words in a sentence, sentences, and k; a student's epoch against the number of languages. A slope of 1
in a log-log plot is linear cost; fixed costs of a call make it smaller at small sizes, so the fit of the CRF's is over
the upper half of the sizes.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from common import RESULTS, milliseconds, report
from epoch import Epochs

from skd_lightning.cli.main import quiet
from skd_lightning.crf import LinearChainCRF
from skd_lightning.data import demo
from skd_lightning.runs import execution as experiment
from skd_lightning.runs.plan import Plan

TAGS = 17


def chain(batch: int, words: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Emissions, transitions and lengths, all sentences of one length."""
    generator = torch.Generator().manual_seed(0)
    emissions = 2 * torch.randn(batch, words, TAGS, generator=generator)
    return emissions, torch.randn(TAGS, TAGS, generator=generator), torch.full((batch,), words)


def gradient(batch: int, words: int) -> Callable[[], object]:
    """Marginals and the gradient through them."""
    emissions, transitions, lengths = chain(batch, words)
    emissions.requires_grad_()

    def run() -> object:
        crf = LinearChainCRF(emissions, transitions, lengths)
        return torch.autograd.grad(crf.marginals.square().sum(), emissions)

    return run


def k_best(k: int) -> Callable[[], object]:
    """The k best paths of 32 sentences of 50 words."""
    crf = LinearChainCRF(*chain(32, 50))
    return lambda: crf.kbest(k)


def epochs(plan: Plan, languages: tuple[str, ...], rounds: int) -> tuple[float, int]:
    """Milliseconds of an epoch of a posterior student's network on some languages, and how many tags it has."""
    options = (*plan.options, "--data.languages", f"[{','.join(languages)}]")
    student = Epochs("posterior", Plan(plan.runs, plan.task, options=options))
    return 1000 * median(student.seconds() for _ in range(rounds)), len(student.student.tag_set)


def exponent(sizes: list[int], times: list[float]) -> float:
    """Slope of log time against log size, over the upper half of the sizes where there are many."""
    half = len(sizes) // 2 if len(sizes) > 4 else 0
    return float(np.polyfit(np.log(sizes[half:]), np.log(times[half:]), 1)[0])


def plot(series: dict[str, dict[str, Any]]) -> None:
    """One panel a series: ``results/scaling.png``."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(series), figsize=(3.4 * len(series), 3.2))
    for axis, (name, found) in zip(axes, series.items(), strict=True):
        axis.loglog(found["sizes"], found["milliseconds"], "o-")
        last, size = found["milliseconds"][-1], found["sizes"][-1]
        axis.loglog(found["sizes"], [last * s / size for s in found["sizes"]], ":", color="grey")
        axis.set_title(f"{name}: exponent {found['exponent']:.2f}", fontsize=10)
        axis.set_xlabel(found["axis"])
        axis.grid(alpha=0.3, which="both")
    axes[0].set_ylabel("milliseconds (dotted: linear)")
    figure.tight_layout()
    figure.savefig(RESULTS / "scaling.png", dpi=120)


def main() -> None:
    """Measure, print, write ``benchmarks/results/scaling.{md,json,png}``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    quiet()
    sweeps: dict[str, tuple[str, list[int], Callable[[int], Callable[[], object]]]] = {
        "longer sentences": (
            "words in a sentence",
            [25, 50, 100, 200, 400, 800, 1600],
            lambda n: gradient(8, n),
        ),
        "more sentences": (
            "sentences of 25 words",
            [8, 16, 32, 64, 128, 256, 512],
            lambda n: gradient(n, 25),
        ),
        "k best": ("k", [1, 2, 5, 10, 20, 50, 100], k_best),
    }
    series: dict[str, dict[str, Any]] = {}
    for name, (axis, sizes, make) in sweeps.items():
        found = milliseconds({str(size): make(size) for size in sizes}, options.rounds, 5.0)
        times = [found[str(size)] for size in sizes]
        series[name] = {
            "axis": axis,
            "sizes": sizes,
            "milliseconds": times,
            "exponent": exponent(sizes, times),
        }
    with tempfile.TemporaryDirectory() as folder:
        plan = Plan(Path(folder), "demo", options=("--trainer.max_epochs", "1"))
        experiment.train_teachers(plan)
        languages = tuple(demo.LANGUAGES)
        sizes = list(range(1, len(languages) + 1))
        measured = [epochs(plan, languages[:n], options.rounds) for n in sizes]
    times, tags = [spent for spent, _ in measured], measured[-1][1]
    series["student's epoch"] = {
        "axis": "languages",
        "sizes": sizes,
        "milliseconds": times,
        "exponent": exponent(sizes, times),
    }
    rows = [
        [f"{name}, {found['axis']}", f"{size}", f"{spent:.3g}", f"{found['exponent']:.2f}"]
        for name, found in series.items()
        for size, spent in zip(found["sizes"], found["milliseconds"], strict=True)
    ]
    headings = ["cost against", "size", "milliseconds", "exponent"]
    title = f"Cost against size, one thread: the CRF with {TAGS} tags, the demo's student with {tags}"
    report("scaling", title, headings, rows, series)
    plot(series)


if __name__ == "__main__":
    main()
