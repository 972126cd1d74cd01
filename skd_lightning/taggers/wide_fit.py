"""The fit of a wide path: all sentences at once, to the optimum of the regularised likelihood.

A first-order method on small batches stays points of F1 below: the features of a word outnumber the words, many weights
explain the training data, and only the optimum of the regularised likelihood has the smallest of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from rich.progress import Progress
from torch import Tensor

from skd_lightning.data.batch_sampling import EvaluationBatches
from skd_lightning.data.batches import Batch, SentenceDataset
from skd_lightning.data.sentence import Sentence
from skd_lightning.distillation.cache.reading import CachedTargets
from skd_lightning.distillation.cross_entropy import expected_chain
from skd_lightning.distillation.targets import given
from skd_lightning.taggers.wide import WidePath
from skd_lightning.tags import TagSet

TOKENS = 200_000
"""Words a batch; the batches' gradients are summed."""
MEMORY = 6
"""Steps that L-BFGS remembers, each as large as the weights twice."""


def fit_wide(
    wide: WidePath,
    sentences: Sequence[Sentence],
    tag_set: TagSet,
    show: bool = False,
    teachers: CachedTargets | None = None,
) -> list[float]:
    """Maximise the likelihood of the gold tags by L-BFGS (Liu and Nocedal 1989), on the CPU wherever the path is.

    Where nobody annotated a sentence, the loss is the cross-entropy to its teachers' whole distribution: the likelihood
    of all tag sequences, each as often as the teachers expect it.

    Args:
        wide: knows the features; gets the weights.
        sentences: whose languages may be mixed; those without tags need teachers.
        tag_set: numbers the tags.
        show: draw a progress bar.
        teachers: what they expect of each of the sentences.

    Returns:
        The regularised loss in nats at each evaluation.
    """
    device = wide.weight.device
    wide.cpu()
    languages = sorted({sentence.language for sentence in sentences})
    dataset = SentenceDataset(sentences, wide.featurizer, languages, tag_set)
    batches = [dataset.__getitems__(indices) for indices in EvaluationBatches(dataset.lengths, TOKENS)]
    expected = [_expected(batch, teachers) for batch in batches]
    weights = [wide.weight, *wide.learned]
    strengths: list[torch.Tensor | float] = [wide.l2, *(len(wide.learned) * [wide.settings.l2])]
    optimizer = torch.optim.LBFGS(
        weights,
        max_iter=wide.settings.iterations,
        history_size=MEMORY,
        tolerance_grad=1e-4,
        tolerance_change=1e-6,
        line_search_fn="strong_wolfe",
    )

    losses: list[float] = []

    def closure() -> float:
        optimizer.zero_grad()
        total = 0.0
        for batch, said in zip(batches, expected, strict=True):
            crf = wide(batch.inputs, batch.lengths)
            loss = torch.where(batch.labelled, -crf.log_prob(batch.tags), 0.0).sum()
            if said is not None:
                loss = (
                    loss
                    + torch.where(said.heard, expected_chain(crf, said.marginals, said.counts), 0.0).sum()
                )
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.item()
        for weight, strength in zip(weights, strengths, strict=True):
            assert weight.grad is not None
            shrinking = weight.detach() * strength
            total += torch.vdot(shrinking.flatten(), weight.detach().flatten()).item()
            weight.grad.add_(shrinking, alpha=2)
        losses.append(total)
        bar.advance(task)
        return total

    for weight in weights:
        weight.requires_grad_(True)
    with torch.enable_grad(), Progress(transient=True, disable=not show) as bar:
        # The bar counts evaluations, of which L-BFGS allows itself a quarter more than iterations.
        task = bar.add_task(f"{len(wide.keys)} features", total=wide.settings.iterations * 5 // 4)
        optimizer.step(closure)  # type: ignore[no-untyped-call]
    optimizer.zero_grad()
    for weight in weights:
        weight.requires_grad_(False)
    wide.to(device)
    return losses


class _Said(NamedTuple):
    """Expectations of the teachers about the sentences of a batch; they say nothing of annotated ones."""

    marginals: Tensor
    counts: Tensor
    heard: Tensor


def _expected(batch: Batch, teachers: CachedTargets | None) -> _Said | None:
    if teachers is None or bool(batch.labelled.all()):
        return None
    found = teachers.read(batch.indices.tolist(), batch.tags.shape[1])
    heard = ~batch.labelled if found.taught is None else ~batch.labelled & found.taught
    return _Said(given(found.marginals, "marginals"), given(found.transition_counts, "counts"), heard)
