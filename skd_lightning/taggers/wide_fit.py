"""The fit of a wide path: all sentences at once, to the optimum of the regularised likelihood.

A first-order method on small batches stays points of F1 below: the features of a word outnumber the words, many weights
explain the training data, and only the optimum of the regularised likelihood has the smallest of them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from skd_lightning.data.batches import Batch, SentenceDataset
from skd_lightning.data.sampling import EvaluationBatches
from skd_lightning.taggers.head import ChainHead
from skd_lightning.taggers.wide import WidePath

TOKENS = 20_000
"""Words a batch; the batches' gradients are summed."""
MEMORY = 6
"""Steps that L-BFGS remembers, each as large as the weights twice."""


def fit_wide(
    wide: WidePath,
    head: ChainHead,
    dataset: SentenceDataset,
    inputs: Callable[[Batch], dict[str, Tensor]],
    advance: Callable[[float], object] = lambda loss: None,
) -> None:
    """Maximise the likelihood of the gold tags under the features alone, by L-BFGS (Liu and Nocedal 1989).

    Args:
        wide: gets the weights.
        head: gets the bias, the transitions and the start and end scores that go with them.
        dataset: training sentences; those without gold tags are left out.
        inputs: picks those of the wide path from a batch.
        advance: is told the loss after each evaluation, for a progress bar.

    """
    labelled = np.flatnonzero(dataset.labelled)
    batches = [
        dataset.__getitems__(labelled[indices].tolist())
        for indices in EvaluationBatches(dataset.lengths[labelled], TOKENS)
    ]
    chain = [weight for weight in (head.transitions, head.start, head.end) if weight.requires_grad]
    weights = [wide.weight, head.emissions.bias, *chain]
    wide.weight.requires_grad_(True)
    optimizer = torch.optim.LBFGS(
        weights,
        max_iter=wide.settings.iterations,
        history_size=MEMORY,
        tolerance_grad=1e-4,
        tolerance_change=1e-6,
        line_search_fn="strong_wolfe",
    )

    def closure() -> float:
        optimizer.zero_grad()
        total = 0.0
        for batch in batches:
            crf = head.chain(wide(inputs(batch)) + head.emissions.bias, batch.lengths)
            loss = -crf.log_prob(batch.tags).sum()
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.item()
        for weight in weights:
            assert weight.grad is not None
            total += wide.settings.l2 * float(weight.detach().square().sum())
            weight.grad.add_(weight.detach(), alpha=2 * wide.settings.l2)
        advance(total)
        return total

    with torch.enable_grad():
        optimizer.step(closure)  # type: ignore[no-untyped-call]
    optimizer.zero_grad()
    wide.weight.requires_grad_(False)
