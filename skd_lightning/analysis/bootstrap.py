r"""The paired bootstrap: it tells a better system from one that these test sentences favour by chance.

A *system* is a variant with one tagger for each of its S seeds; the score of a tagger on a language is a ratio of
sums over test sentences (F1, accuracy), and its score is the macro mean over languages. A resample draws, in every
language l by itself, n_l sentences with replacement from its n_l test sentences. All taggers of all systems are
scored on the same resample r (Koehn 2004: paired), and the difference of two systems there is

    d*_r = mean_{seeds of A} s*_r(A, seed) − mean_{seeds of B} s*_r(B, seed),

so the seeds are averaged inside a resample. Resampling every seed by itself would treat the same sentences as if
they were fresh ones for each seed and make the interval too narrow; pooling the seeds' counts would be the F1 of no
tagger. With d the difference on the test set itself and R resamples,

    95 % interval:  the 2.5 % and 97.5 % quantiles of d*_r (percentile interval; Efron & Tibshirani 1993, ch. 13)
    p (two-sided):  (1 + #{r: |d*_r − d| ≥ |d|}) / (1 + R)     (moved to the null hypothesis; ibid., ch. 16)

Languages are fixed, sentences are the sample. The interval says what another draw of sentences would do to *these*
taggers; what another training would do is seen in the deviation over seeds, and neither stands for the other (Dror
et al. 2018). Comparing several variants with one baseline, :func:`holm` corrects the p values.

Koehn 2004: Statistical Significance Tests for Machine Translation Evaluation. Efron & Tibshirani 1993: An
Introduction to the Bootstrap. Dror, Baumer, Shlomov & Reichart 2018: The Hitchhiker's Guide to Testing Statistical
Significance in Natural Language Processing. Holm 1979: A Simple Sequentially Rejective Multiple Test Procedure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skd_lightning.analysis.scores import ratio

RESAMPLES = 10_000
BLOCK = 2_000_000  # drawn sentences at a time: 16 MB an array

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """A difference of two scores on the same sentences.

    Attributes:
        value: on the test set itself, in [-1, 1].
        low: lower end of the 95 % interval.
        high: upper end of it.
        p: two-sided p value.
    """

    value: float
    low: float
    high: float
    p: float


def scores(
    systems: Sequence[Sequence[NDArray[np.int64]]], resamples: int = RESAMPLES, seed: int = 0
) -> tuple[Floats, Floats]:
    """Score systems on the test set and on resamples of it, the same ones for all systems.

    Args:
        systems: for each system its taggers, each (sentences, 3) counts of one language (``scores.parts``);
            all of the same sentences in the same order.
        resamples: number of them.
        seed: of the draws.

    Returns:
        (systems,) on the test set, the mean over a system's taggers; (resamples, systems) on the resamples.
    """
    taggers = np.stack([tagger for system in systems for tagger in system], axis=1)  # (sentences, taggers, 3)
    sentences = len(taggers)
    flat = taggers.reshape(sentences, -1).astype(np.float64)
    owner = np.repeat(np.arange(len(systems)), [len(system) for system in systems])
    mean = (owner[:, None] == np.arange(len(systems))) / np.bincount(owner)  # (taggers, systems)
    random = np.random.default_rng(seed)
    drawn = np.empty((resamples, len(systems)))
    step = max(1, BLOCK // max(1, sentences))
    for first in range(0, resamples, step):
        rows = min(step, resamples - first)
        draws = random.integers(sentences, size=(rows, sentences)) + sentences * np.arange(rows)[:, None]
        times = np.bincount(draws.ravel(), minlength=rows * sentences).reshape(rows, sentences)
        sums = (times.astype(np.float64) @ flat).reshape(rows, -1, 3)
        drawn[first : first + rows] = ratio(sums) @ mean
    return ratio(flat.sum(0).reshape(-1, 3)) @ mean, drawn


def difference(ours: float, theirs: float, our_draws: Floats, their_draws: Floats) -> Difference:
    """Compare two scores on the test set, given (resamples,) of each on the same resamples."""
    value = ours - theirs
    draws = our_draws - their_draws
    low, high = np.quantile(draws, (0.025, 0.975))
    # What is equal but for the order of summation counts as equal.
    extreme = int((np.abs(draws - value) >= abs(value) - 1e-12).sum())
    return Difference(float(value), float(low), float(high), (1 + extreme) / (1 + len(draws)))


def holm(values: Sequence[float]) -> list[float]:
    """Correct the p values of several tests (Holm 1979), so that they hold for the chance of any false finding.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    corrected = [1.0] * len(values)
    largest = 0.0
    for rank, i in enumerate(sorted(range(len(values)), key=lambda i: values[i])):
        largest = max(largest, min(1.0, (len(values) - rank) * values[i]))
        corrected[i] = largest
    return corrected
