"""How exact float32 results are, against float64 in log space: ``python benchmarks/numerics.py``.

The reference is the plain torch implementation on the same numbers in float64. Potentials are uniform within the
range, emissions and transitions alike, so large ranges make nearly deterministic chains with far-off alternatives.
"""

from __future__ import annotations

import itertools
import warnings

import torch
from common import report
from torch import Tensor

from skd_lightning.crf.compiled_recursions import CompiledRecursions
from skd_lightning.crf.torch_recursions import TorchRecursions

WORDS, TAGS, RANGES = (10, 100, 2000), (9, 17, 33, 60), (1.0, 10.0, 50.0)
BATCH = 4


def results(emissions: Tensor, transitions: Tensor, direction: Tensor, compiled: bool) -> dict[str, Tensor]:
    """Log-partitions, marginals, log-marginals, and the gradient of a weighted sum of marginals."""
    leaf = emissions.clone().requires_grad_()
    lengths = torch.full((BATCH,), emissions.shape[1])
    mask = torch.ones(emissions.shape[:2], dtype=torch.bool)
    if compiled:
        sums: CompiledRecursions | TorchRecursions = CompiledRecursions(leaf, transitions, lengths)
    else:
        sums = TorchRecursions(leaf, transitions, lengths, mask)
    (gradient,) = torch.autograd.grad((sums.marginals * direction).sum(), leaf)
    return {
        "log Z": sums.log_partition.detach().double(),
        "marginals": sums.marginals.detach().double(),
        "log-marginals": sums.log_marginals.detach().double(),
        "gradient": gradient.double(),
    }


def errors(found: dict[str, Tensor], exact: dict[str, Tensor]) -> dict[str, float]:
    """Largest absolute error of each; relative for log Z and log-marginals, whose size grows."""
    off = {name: (found[name] - exact[name]).abs() for name in exact}
    for name in ("log Z", "log-marginals"):
        off[name] = off[name] / exact[name].abs().clamp(min=1.0)
    return {name: float(value.max()) for name, value in off.items()}


def main() -> None:
    """Measure, print, write ``benchmarks/results/numerics.{md,json}``."""
    warnings.filterwarnings("ignore")
    rows, data = [], []
    for words, tags, reach in itertools.product(WORDS, TAGS, RANGES):
        generator = torch.Generator().manual_seed(words + tags)
        emissions = reach * (2 * torch.rand(BATCH, words, tags, generator=generator) - 1)
        transitions = reach * (2 * torch.rand(tags, tags, generator=generator) - 1)
        direction = torch.randn(BATCH, words, tags, generator=generator)
        exact = results(emissions.double(), transitions.double(), direction.double(), compiled=False)
        made = {
            "kernels, float32": errors(results(emissions, transitions, direction, True), exact),
            "kernels, float64": errors(
                results(emissions.double(), transitions.double(), direction.double(), True), exact
            ),
            "plain torch, float32": errors(results(emissions, transitions, direction, False), exact),
        }
        finite = all(torch.tensor(list(error.values())).isfinite().all() for error in made.values())
        for name, error in made.items():
            row = [f"{words} words, {tags} tags, ±{reach:g}: {name}"]
            rows.append([*row, *(f"{value:.0e}" for value in error.values())])
        data.append({"words": words, "tags": tags, "range": reach, "finite": finite, "errors": made})
    headings = ["largest error", "log Z (relative)", "marginals", "log-marginals (relative)", "gradient"]
    report("numerics", "Errors against log space in float64", headings, rows, data)


if __name__ == "__main__":
    main()
