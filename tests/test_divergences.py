"""Rényi's divergence against enumeration of all paths, in float64, values and gradients of both sides."""

import math
from collections.abc import Iterator

import pytest
import torch
from enumerated_chains import SETTINGS, Potentials, agree, potentials, recursions_by, transition_shapes
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from skd_lightning.crf import LinearChainCRF, operators


@pytest.fixture(params=["compiled", "torch"], autouse=True, scope="module")
def recursions(request: pytest.FixtureRequest) -> Iterator[str]:
    with recursions_by(request.param) as kind:
        yield kind


def beside(given_: Potentials, seed: int, shape: int, forbidden: float = 0.0) -> Potentials:
    """Other potentials of the same words, with transitions of one of the three shapes."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*size: int) -> Tensor:
        return torch.randn(size, generator=generator, dtype=torch.double)

    transitions = normal(*transition_shapes(*given_.emissions.shape)[shape])
    mask = torch.rand(transitions.shape, generator=generator) < forbidden
    transitions = transitions.masked_fill(mask, -math.inf)
    return Potentials(
        normal(*given_.emissions.shape), transitions, given_.lengths, normal(given_.emissions.shape[2]), None
    )


def enumerated(p: Potentials, q: Potentials, row: int, alpha: float) -> Tensor:
    """The definition, over the paths that both allow."""
    log_p, log_q = p.log_probs(row), q.log_probs(row)
    both = ~torch.isneginf(log_p) & ~torch.isneginf(log_q)
    return (alpha * log_p[both] + (1 - alpha) * log_q[both]).logsumexp(0) / (alpha - 1)


@SETTINGS
@given(
    potentials(),
    st.integers(0, 10**6),
    st.integers(0, 2),
    st.sampled_from([0.01, 0.3, 0.5, 0.99]),
    st.booleans(),
)
def test_renyi_with_gradients_of_both(
    given_: Potentials, seed: int, shape: int, alpha: float, forbid: bool
) -> None:
    other = beside(given_, seed, shape, forbidden=0.3 if forbid else 0.0)
    leaves = [*given_.leaves(), *other.leaves()]
    expected, rows = [], []
    for row in range(len(given_.lengths)):
        both = ~torch.isneginf(given_.scores(row)) & ~torch.isneginf(other.scores(row))
        if both.any():
            expected.append(enumerated(given_, other, row, alpha))
            rows.append(row)
        else:
            assert given_.crf().renyi(other.crf(), alpha)[row].isposinf()
    if rows:
        agree(given_.crf().renyi(other.crf(), alpha)[rows], torch.stack(expected), leaves)


@SETTINGS
@given(potentials(), st.integers(0, 10**6))
def test_renyi_between_its_limits(given_: Potentials, seed: int) -> None:
    p, q = given_.crf(), beside(given_, seed, 1).crf()
    orders = [0.001, 0.2, 0.5, 0.8, 0.999]
    divergences = torch.stack([p.renyi(q, alpha) for alpha in orders])
    assert (divergences > -1e-9).all()
    assert (divergences.diff(dim=0) > -1e-9).all()
    torch.testing.assert_close(p.renyi(q, 1 - 1e-6), p.kl(q), rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(p.renyi(q, 0.3) / 0.3, q.renyi(p, 0.7) / 0.7)
    torch.testing.assert_close(p.renyi(p, 0.4), torch.zeros_like(p.log_partition))


@pytest.mark.parametrize("alpha", [0.001, 0.5, 0.999])
def test_renyi_keeps_its_digits_in_float32_near_its_limits(alpha: float) -> None:
    """Log-partitions are hundreds of nats here, and float32 rounds each by some 1e-5."""
    torch.manual_seed(1)
    ours, theirs = torch.randn(4, 100, 5) * 10, torch.randn(4, 100, 5)
    transitions, lengths = torch.randn(5, 5), torch.tensor([100, 100, 70, 1])
    pair = [(ours, transitions), (ours + 0.1 * theirs, transitions + 0.1)]
    p, q = (LinearChainCRF(emissions, scores, lengths) for emissions, scores in pair)
    exact = [LinearChainCRF(emissions.double(), scores.double(), lengths) for emissions, scores in pair]
    found, wanted = p.renyi(q, alpha) / alpha, exact[0].renyi(exact[1], alpha) / alpha
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "lengths", "message"),
    [
        ((2, 3, 2), [2, 3], r"same lengths, got \[3, 2\] and \[2, 3\]"),
        ((2, 3, 4), [3, 2], r"got \(2, 3, 2\) and \(2, 3, 4\)"),
        ((1, 3, 2), [3], r"got \(2, 3, 2\) and \(1, 3, 2\)"),
    ],
)
def test_chains_about_other_words_are_refused(
    shape: tuple[int, ...], lengths: list[int], message: str
) -> None:
    p = LinearChainCRF(torch.randn(2, 3, 2), torch.randn(2, 2), torch.tensor([3, 2]))
    q = LinearChainCRF(torch.randn(shape), torch.randn(shape[-1], shape[-1]), torch.tensor(lengths))
    for divergence in (p.kl, p.cross_entropy, lambda other: p.renyi(other, 0.5)):
        with pytest.raises(ValueError, match=message):
            divergence(q)


def test_nothing_in_common_is_infinitely_far_and_has_no_gradient() -> None:
    """The first word's tags differ in the first sentence; the second sentence is an ordinary one."""
    leaves = []
    for tag in (0, 1):
        emissions = torch.zeros(2, 3, 2)
        emissions[0, 0, tag] = -math.inf
        leaves += [emissions.requires_grad_(), torch.tensor([[0.5, -math.inf], [1.0, 0.0]]).requires_grad_()]
    lengths = torch.tensor([3, 2])
    p, q = (LinearChainCRF(*leaves[i : i + 2], lengths) for i in (0, 2))
    divergence = p.renyi(q, 0.5)
    assert divergence[0].isposinf()
    torch.testing.assert_close(divergence[1], torch.zeros(()))
    for gradient in torch.autograd.grad(divergence.sum(), leaves):
        assert gradient.isfinite().all()
    p, q = (LinearChainCRF(*leaves[i : i + 2], lengths) for i in (0, 2))
    nowhere = LinearChainCRF(torch.full((2, 3, 2), -math.inf), torch.zeros(2, 2), lengths)
    assert p.renyi(nowhere, 0.5).isposinf().all()
    assert nowhere.renyi(p, 0.5).isposinf().all()


def test_the_gradient_is_a_first_order_one(recursions: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if recursions == "torch":
        pytest.skip("the kernels alone can keep messages")
    kept = []
    original = operators.forward_backward
    monkeypatch.setattr(
        operators, "forward_backward", lambda *given: kept.append(given[-1]) or original(*given)
    )
    monkeypatch.setattr(operators, "forward_backward_adjoint", lambda *_: pytest.fail("through marginals"))
    leaves = [torch.randn(2, 3, 4).requires_grad_(), torch.randn(2, 4, 4).requires_grad_()]
    p = LinearChainCRF(*leaves, torch.tensor([3, 2]))
    q = LinearChainCRF(torch.randn(2, 3, 4), torch.randn(4, 4), torch.tensor([3, 2]))
    torch.autograd.grad(p.renyi(q, 0.5).sum(), leaves)
    assert kept == [False] * 3


def test_a_distribution_without_any_path_is_infinitely_far() -> None:
    lengths = torch.tensor([2, 2])
    emissions = torch.zeros(2, 2, 2)
    p = LinearChainCRF(emissions, torch.zeros(2, 2), lengths)
    emissions = emissions.clone()
    emissions[0, 1] = -torch.inf
    nothing = LinearChainCRF(emissions, torch.zeros(2, 2), lengths)
    for distance in (p.cross_entropy(nothing), p.kl(nothing), p.renyi(nothing, 0.5)):
        assert torch.isposinf(distance).tolist() == [True, False]


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.5, 2.0, math.nan])
def test_other_orders_are_refused(alpha: float) -> None:
    crf = LinearChainCRF(torch.zeros(1, 2, 2), torch.zeros(2, 2), torch.tensor([2]))
    with pytest.raises(ValueError, match=r"alpha: expected a number between 0 and 1.*got"):
        crf.renyi(crf, alpha)
