"""The chain in NumPy says what the one in PyTorch says, and what enumeration says."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from skd_lightning.crf import LinearChainCRF
from skd_lightning.serving.chain import SPREAD, Chain

SCALES = [1.0, 10.0, 2 * SPREAD]


def potentials(
    seed: int, scale: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return emissions, transitions with forbidden ones, lengths from the longest to 0, start and end scores."""
    draw = torch.Generator().manual_seed(seed)
    tags = 1 + seed % 4
    lengths = torch.tensor([5, 4, 2, 1, 0][: 1 + seed % 5])
    emissions = scale * torch.randn(len(lengths), 5, tags, generator=draw, dtype=torch.double)
    transitions = scale * torch.randn(tags, tags, generator=draw, dtype=torch.double)
    start, end = torch.randn(2, tags, generator=draw, dtype=torch.double)
    if tags > 2:
        transitions[0, 1] = transitions[2, 2] = start[2] = end[1] = -torch.inf
    return emissions, transitions, lengths, start, end


def both(seed: int, scale: float) -> tuple[Chain, LinearChainCRF]:
    emissions, transitions, lengths, start, end = potentials(seed, scale)
    numpy = (values.numpy() for values in (emissions, transitions, lengths, start, end))
    return Chain(*numpy), LinearChainCRF(emissions, transitions, lengths, start, end)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("seed", range(12))
def test_everything_is_as_in_torch(seed: int, scale: float) -> None:
    chain, crf = both(seed, scale)
    close = {"rtol": 1e-9, "atol": 1e-9 * scale}
    inside = np.arange(5) < chain.lengths[:, None]
    np.testing.assert_allclose(chain.log_partition, crf.log_partition, **close)
    np.testing.assert_allclose(np.exp(chain.log_marginals)[inside], crf.marginals.numpy()[inside], atol=1e-9)
    best = crf.viterbi()
    np.testing.assert_array_equal(chain.viterbi(), best)
    np.testing.assert_array_equal(chain.decode_marginals(), crf.decode_marginals())
    np.testing.assert_allclose(chain.log_prob(best.numpy()), crf.log_prob(best), **close)
    for k in (1, 3, 40):  # more than there are paths of one word
        expected = crf.kbest(k)
        paths, scores = chain.kbest(k)
        np.testing.assert_array_equal(paths, expected.paths)
        np.testing.assert_allclose(
            scores, (expected.scores - crf.log_partition.unsqueeze(1)).numpy(), **close
        )


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("seed", [3, 8])
def test_probabilities_of_spans_are_sums_over_all_paths(seed: int, scale: float) -> None:
    chain, crf = both(seed, scale)
    length, tags = int(chain.lengths[0]), len(chain.transitions)
    paths = np.array(list(itertools.product(range(tags), repeat=length)))
    padded = (
        torch.from_numpy(np.pad(paths, ((0, 0), (0, 5 - length))))
        .unsqueeze(0)
        .repeat(len(chain.lengths), 1, 1)
    )
    weights = crf.log_prob(padded)[0].exp().numpy()
    for first, size in itertools.product(range(length), (1, 2, 3)):
        if first + size > length:
            continue
        for span in itertools.product(range(tags), repeat=size):
            own = np.array([[*span, *[-1] * (3 - size)]])
            found = np.exp(chain.span_log_prob(np.array([0]), np.array([first]), own))
            agree = (paths[:, first : first + size] == span).all(axis=1)
            np.testing.assert_allclose(found, weights[agree].sum(), atol=1e-9)


def test_products_and_log_sums_are_two_ways_to_the_same_messages() -> None:
    chain, _ = both(8, 10.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = [chain._products(), chain._log_sums()]
    inside = (np.arange(5) < chain.lengths[:, None]).T
    for products, sums in zip(*(messages[:2] for messages in found), strict=True):
        shift = products.max(axis=2, keepdims=True) - sums.max(axis=2, keepdims=True)
        np.testing.assert_allclose(products[inside], (sums + shift)[inside], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found[0][2], found[1][2])


def test_ties_go_to_the_lower_tag() -> None:
    nothing = np.zeros(3)
    chain = Chain(np.zeros((1, 4, 3)), np.zeros((3, 3)), np.array([4]), nothing, nothing)
    assert chain.viterbi().tolist() == [[0, 0, 0, 0]]
    assert chain.kbest(2)[1].tolist()[0] == pytest.approx([-4 * np.log(3)] * 2)
