"""The CRF against enumeration of all paths, in float64, values and gradients, at random sizes."""

import itertools
import math
from collections.abc import Iterator

import pytest
import torch
from enumerated_chains import (
    SETTINGS,
    Potentials,
    agree,
    finite_expectation,
    potentials,
    recursions_by,
    transition_shapes,
)
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from skd_lightning.crf import LinearChainCRF


@pytest.fixture(params=["compiled", "torch"], autouse=True, scope="module")
def recursions(request: pytest.FixtureRequest) -> Iterator[str]:
    """Everything holds for the compiled kernels and for plain torch."""
    with recursions_by(request.param) as kind:
        yield kind


def enumerated_marginals(given_: Potentials) -> Tensor:
    rows = []
    for row in range(len(given_.lengths)):
        probs, paths = given_.log_probs(row).exp(), given_.paths(row)
        cells = [
            [
                sum(
                    (p for p, path in zip(probs, paths, strict=True) if i < len(path) and path[i] == tag),
                    probs.sum() * 0,
                )
                for tag in range(given_.emissions.shape[2])
            ]
            for i in range(given_.emissions.shape[1])
        ]
        rows.append(torch.stack([torch.stack(cell) for cell in cells]))
    return torch.stack(rows)


@SETTINGS
@given(potentials())
def test_log_partition(given_: Potentials) -> None:
    leaves = given_.leaves()
    expected = torch.stack([given_.scores(row).logsumexp(0) for row in range(len(given_.lengths))])
    agree(given_.crf().log_partition, expected, leaves)


@SETTINGS
@given(potentials())
def test_gradient_of_the_log_partition_is_the_marginals(given_: Potentials) -> None:
    given_.emissions.requires_grad_()
    crf = given_.crf()
    (gradient,) = torch.autograd.grad(crf.log_partition.sum() + 0 * given_.emissions.sum(), given_.emissions)
    torch.testing.assert_close(gradient, crf.marginals)


@SETTINGS
@given(potentials())
def test_scores_of_all_paths(given_: Potentials) -> None:
    leaves = given_.leaves()
    words = given_.emissions.shape[1]
    for row in range(len(given_.lengths)):
        paths = torch.zeros(len(given_.lengths), len(given_.paths(row)), words, dtype=torch.long)
        for i, path in enumerate(given_.paths(row)):
            paths[row, i, : len(path)] = torch.tensor(path, dtype=torch.long)
        possible = ~torch.isneginf(given_.scores(row))
        crf = given_.crf()
        agree(crf.score(paths)[row][possible], given_.scores(row)[possible], leaves)
        torch.testing.assert_close(crf.log_prob(paths)[row].exp().sum(), torch.ones((), dtype=torch.double))
        torch.testing.assert_close(crf.score(paths[:, 0]), crf.score(paths)[:, 0])


@SETTINGS
@given(potentials())
def test_marginals(given_: Potentials) -> None:
    leaves = given_.leaves()
    agree(given_.crf().marginals, enumerated_marginals(given_), leaves)


@SETTINGS
@given(potentials(forbid=False))
def test_log_marginals_and_their_gradient(given_: Potentials) -> None:
    leaves = given_.leaves()
    crf = given_.crf()
    assert crf.log_marginals[~crf.mask].isneginf().all()
    agree(crf.log_marginals[crf.mask], enumerated_marginals(given_)[crf.mask].log(), leaves)


@SETTINGS
@given(potentials())
def test_pair_marginals(given_: Potentials) -> None:
    leaves = given_.leaves()
    tags, rows = given_.emissions.shape[2], []
    for row in range(len(given_.lengths)):
        pairs = [
            [[given_.emissions.new_zeros(())] * tags for _ in range(tags)]
            for _ in range(given_.emissions.shape[1] - 1)
        ]
        for probability, path in zip(given_.log_probs(row).exp(), given_.paths(row), strict=True):
            for i in range(1, len(path)):
                pairs[i - 1][path[i - 1]][path[i]] = pairs[i - 1][path[i - 1]][path[i]] + probability
        flat = [cell for position in pairs for line in position for cell in line]
        rows.append(torch.stack(flat) if flat else given_.emissions.new_zeros(0))
    expected = torch.stack(rows).view(len(rows), -1, tags, tags)
    agree(given_.crf().pair_marginals, expected, leaves)


@SETTINGS
@given(potentials())
def test_entropy(given_: Potentials) -> None:
    leaves = given_.leaves()
    rows = range(len(given_.lengths))
    expected = [-finite_expectation(given_.log_probs(row), given_.log_probs(row)) for row in rows]
    agree(given_.crf().entropy(), torch.stack(expected), leaves)


@SETTINGS
@given(potentials(), st.integers(0, 10**6), st.integers(0, 2), st.sampled_from([1.0, 2.5]))
def test_cross_entropy_and_kl_with_gradients_of_both(
    given_: Potentials, seed: int, shape: int, temperature: float
) -> None:
    generator = torch.Generator().manual_seed(seed)
    other = Potentials(
        torch.randn(given_.emissions.shape, generator=generator, dtype=torch.double),
        torch.randn(
            transition_shapes(*given_.emissions.shape)[shape], generator=generator, dtype=torch.double
        ),
        given_.lengths,
        torch.randn(given_.emissions.shape[2], generator=generator, dtype=torch.double),
        None,
    )
    leaves = [*given_.leaves(), *other.leaves()]
    rows = range(len(given_.lengths))

    def log_q(row: int) -> Tensor:
        return (other.scores(row) / temperature).log_softmax(0)

    crossed = [-finite_expectation(given_.log_probs(row), log_q(row)) for row in rows]
    agree(given_.crf().cross_entropy(other.crf().tempered(temperature)), torch.stack(crossed), leaves)
    divergence = [
        finite_expectation(given_.log_probs(row), given_.log_probs(row) - log_q(row)) for row in rows
    ]
    agree(given_.crf().kl(other.crf().tempered(temperature)), torch.stack(divergence), leaves)


@SETTINGS
@given(potentials(), st.integers(1, 12))
def test_k_best(given_: Potentials, k: int) -> None:
    crf = given_.crf()
    best = crf.kbest(k)
    for row, length in enumerate(given_.lengths.tolist()):
        scores = given_.scores(row).sort(descending=True).values
        scores = scores[~torch.isneginf(scores)][:k]
        torch.testing.assert_close(best.scores[row, : len(scores)], scores)
        assert best.scores[row, len(scores) :].isneginf().all()
        found = [tuple(path[:length].tolist()) for path in best.paths[row, : len(scores)]]
        assert len(set(found)) == len(found)
        assert (best.paths[row, :, length:] == 0).all()
    rescored = crf.score(best.paths)
    exists = ~best.scores.isneginf()
    torch.testing.assert_close(rescored[exists], best.scores[exists])
    torch.testing.assert_close(crf.viterbi(), crf.kbest(1).paths[:, 0])


@pytest.mark.parametrize("recursions", ["compiled", "torch"])
@pytest.mark.parametrize("tag", [0, 1])
def test_a_potential_that_is_no_number_counts_as_forbidden(recursions: str, tag: int) -> None:
    emissions, transitions = torch.zeros(1, 3, 8), torch.zeros(8, 8)
    emissions[:, :, 2] = 5.0
    emissions[0, 1, tag] = math.nan
    transitions[3, 2] = math.nan
    forbidden = [torch.where(scores.isnan(), -math.inf, scores) for scores in (emissions, transitions)]
    with recursions_by(recursions):
        found, wanted = (
            LinearChainCRF(*scores, torch.tensor([3])).kbest(400)
            for scores in ((emissions, transitions), forbidden)
        )
    assert found.paths[0, 0].tolist() == [2, 2, 2]
    torch.testing.assert_close(found.scores, wanted.scores)
    exists = wanted.scores[0].isfinite()
    assert {*map(tuple, found.paths[0, exists].tolist())} == {*map(tuple, wanted.paths[0, exists].tolist())}


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        (torch.ones(2, dtype=torch.bool), r"torch.bool; of a mask, give mask.sum"),
        (torch.ones(2), "float32"),
        ([1, 2], "list"),
    ],
)
def test_lengths_of_another_kind_are_refused(lengths: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=f"lengths: expected a tensor of whole numbers, got .*{message}"):
        LinearChainCRF(torch.zeros(2, 3, 2), torch.zeros(2, 2), lengths)


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan])
def test_temperatures_that_are_none_are_refused(temperature: float) -> None:
    crf = LinearChainCRF(torch.zeros(1, 3, 2), torch.zeros(2, 2), torch.tensor([3]))
    with pytest.raises(ValueError, match="temperature: expected a number above 0"):
        crf.tempered(temperature)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32])
def test_lengths_of_any_integer_type(dtype: torch.dtype) -> None:
    emissions, transitions, end = torch.randn(2, 200, 2), torch.randn(2, 2), torch.tensor([5.0, 0.0])
    lengths = torch.tensor([0, 200])
    wanted, found = (LinearChainCRF(emissions, transitions, n, end=end) for n in (lengths, lengths.to(dtype)))
    torch.testing.assert_close(found.log_partition, wanted.log_partition)
    torch.testing.assert_close(found.marginals, wanted.marginals)
    assert found.viterbi().equal(wanted.viterbi())


def test_ties_give_distinct_paths() -> None:
    crf = LinearChainCRF(torch.zeros(1, 3, 2), torch.zeros(2, 2), torch.tensor([3]))
    best = crf.kbest(10)
    assert len({tuple(path.tolist()) for path in best.paths[0, :8]}) == 8
    assert best.scores[0].tolist() == [0.0] * 8 + [-math.inf] * 2


def test_paper_table_1() -> None:
    """Wang et al. 2020, Table 1: potentials, paths, forward, backward and marginals to the printed digits."""
    second = torch.tensor([[2.0, 1 / 2], [1 / 2, 2.0]], dtype=torch.double).log()
    third = torch.tensor([[1 / 3, 3.0], [4.0, 1 / 4]], dtype=torch.double).log()
    crf = LinearChainCRF(
        torch.zeros(1, 3, 2, dtype=torch.double), torch.stack([second, third])[None], torch.tensor([3])
    )
    paths = torch.tensor(list(itertools.product(range(2), repeat=3)))[None]
    printed = [0.035, 0.316, 0.105, 0.007, 0.009, 0.079, 0.422, 0.026]
    assert [round(p, 3) for p in crf.log_prob(paths)[0].exp().tolist()] == printed
    best = crf.kbest(2)
    assert best.paths[0].tolist() == [[1, 1, 0], [0, 0, 1]]
    assert [round(w, 2) for w in best.scores[0].softmax(0).tolist()] == [0.57, 0.43]
    plain = crf._torch
    backward, forward = plain.backward.exp()[0], plain.forward.exp()[0]
    forward *= plain._shifts.cumsum(1)[0].exp()[:, None]  # messages are kept up to a constant of the word
    assert [round(v, 2) for v in forward[:, 0].tolist()] == [1.0, 2.5, 10.83]
    assert [round(v, 2) for v in forward[:, 1].tolist()] == [1.0, 2.5, 8.13]
    for printed_beta, ours in zip(([8.79, 10.17], [3.33, 4.25], [1.0, 1.0]), backward, strict=True):
        torch.testing.assert_close(
            ours / ours.sum(), torch.tensor(printed_beta).double() / sum(printed_beta), atol=1e-3, rtol=0
        )
    assert [round(q, 2) for q in crf.marginals[0, :, 0].tolist()] == [0.46, 0.44, 0.57]


def test_transitions_read_from_to() -> None:
    transitions = torch.tensor([[0.0, 5.0], [-5.0, 0.0]])  # 0 -> 1 is good, 1 -> 0 is bad
    crf = LinearChainCRF(torch.zeros(1, 2, 2), transitions, torch.tensor([2]))
    assert crf.viterbi().tolist() == [[0, 1]]
    assert crf.pair_marginals[0, 0, 0, 1] > 0.9
    assert crf.score(torch.tensor([[1, 0]])).item() == -5.0


def test_padding_has_no_influence() -> None:
    generator = torch.Generator().manual_seed(0)
    emissions, transitions = torch.randn(3, 6, 4, generator=generator), torch.randn(4, 4, generator=generator)
    lengths = torch.tensor([4, 2, 0])
    spoiled = emissions.clone()
    for row, length in enumerate(lengths.tolist()):
        spoiled[row, length:] = math.nan
    spoiled.requires_grad_()
    crf, clean = (
        LinearChainCRF(spoiled, transitions, lengths),
        LinearChainCRF(emissions[:, :4], transitions, lengths),
    )
    torch.testing.assert_close(crf.log_partition, clean.log_partition)
    torch.testing.assert_close(crf.marginals[:, :4], clean.marginals)
    torch.testing.assert_close(crf.kbest(3).scores, clean.kbest(3).scores)
    (crf.log_partition.sum() + crf.entropy().sum()).backward()
    assert spoiled.grad is not None
    assert spoiled.grad.isfinite().all()
    assert (spoiled.grad[~crf.mask] == 0).all()


@pytest.mark.parametrize("words", [5, 50])
def test_autograd_never_sees_the_words(words: int) -> None:
    emissions = torch.randn(2, words, 3, requires_grad=True)
    value = LinearChainCRF(emissions, torch.randn(3, 3), torch.tensor([words, 2])).log_marginals.exp().sum()
    nodes, todo = set(), [value.grad_fn]
    while todo:
        node = todo.pop()
        if node is not None and node not in nodes:
            nodes.add(node)
            todo += [after for after, _ in node.next_functions]
    assert len(nodes) < 50


def test_inference_mode_and_autocast() -> None:
    emissions, transitions, lengths = torch.randn(2, 5, 3), torch.randn(3, 3), torch.tensor([5, 3])
    expected = LinearChainCRF(emissions, transitions, lengths)
    with torch.inference_mode():
        torch.testing.assert_close(
            LinearChainCRF(emissions, transitions, lengths).marginals, expected.marginals
        )
    half = emissions.bfloat16().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        crf = LinearChainCRF(half, transitions, lengths)
        assert crf.log_partition.dtype == crf.marginals.dtype == torch.float32
        crf.marginals.square().sum().backward()
    full = half.detach().float().requires_grad_()
    reference = LinearChainCRF(full, transitions, lengths)
    torch.testing.assert_close(crf.marginals, reference.marginals)
    reference.marginals.square().sum().backward()
    torch.testing.assert_close(half.grad, full.grad.bfloat16())


def test_long_sentences_in_single_precision() -> None:
    generator = torch.Generator().manual_seed(0)
    emissions = 10 * torch.randn(2, 2000, 9, generator=generator, dtype=torch.double)
    transitions, lengths = (
        torch.randn(9, 9, generator=generator, dtype=torch.double),
        torch.tensor([2000, 1500]),
    )
    exact = LinearChainCRF(emissions, transitions, lengths)
    single = LinearChainCRF(emissions.float(), transitions.float(), lengths)
    torch.testing.assert_close(single.log_partition.double(), exact.log_partition, rtol=1e-6, atol=0)
    assert (single.marginals.double() - exact.marginals).abs().max() < 1e-4
    assert (single.viterbi() == exact.viterbi()).all()


@pytest.mark.parametrize("by_sentence", [False, True])
def test_samples_follow_the_distribution(by_sentence: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    emissions = torch.randn(3, 3, 2, generator=generator)
    transitions = torch.tensor([[1.0, -1.0], [0.5, 0.0]])
    if by_sentence:
        transitions = torch.stack([transitions, -transitions, 0 * transitions])
    crf = LinearChainCRF(emissions, transitions, torch.tensor([3, 1, 0]), torch.ones(2))
    paths = crf.sample(20_000, generator=generator)
    assert paths.shape == (3, 20_000, 3)
    for row, length in ((0, 3), (1, 1)):
        every = torch.zeros(3, 2**length, 3, dtype=torch.long)
        every[row, :, :length] = torch.tensor(list(itertools.product(range(2), repeat=length)))
        for path, expected in zip(every[row], crf.log_prob(every)[row].exp().tolist(), strict=True):
            frequency = (paths[row] == path).all(-1).float().mean().item()
            assert abs(frequency - expected) < 4 * math.sqrt(expected * (1 - expected) / 20_000) + 1e-9
    assert (paths[2] == 0).all()


def test_sampling_first_leaves_gradients_whole() -> None:
    """Potentials and messages that sampling computes are kept; later gradients go through them."""
    generator = torch.Generator().manual_seed(0)
    leaves = [torch.randn(*shape, generator=generator) for shape in ((2, 4, 3), (3, 3), (3,))]
    gradients = []
    for sampled in (False, True):
        emissions, transitions, start = (leaf.clone().requires_grad_() for leaf in leaves)
        crf = LinearChainCRF(emissions, transitions, torch.tensor([4, 2]), start)
        if sampled:
            crf.sample(3)
        loss = crf.log_partition.sum() + crf.entropy().sum()
        gradients.append(torch.autograd.grad(loss, (emissions, transitions, start)))
    for plain, after in zip(*gradients, strict=True):
        torch.testing.assert_close(after, plain)


def test_nothing_allowed() -> None:
    crf = LinearChainCRF(torch.zeros(1, 2, 2), torch.full((2, 2), -math.inf), torch.tensor([2]))
    assert crf.log_partition.item() == -math.inf
    assert (crf.marginals == 0).all()
    assert crf.kbest(2).scores.isneginf().all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"emissions": torch.zeros(2, 3)}, "emissions"),
        ({"transitions": torch.zeros(3, 2)}, "transitions"),
        (
            {"transitions": torch.zeros(3, 2, 2)},
            r"transitions: expected \(2, 2\), \(2, 2, 2\) or \(2, 2, 2, 2\)",
        ),
        ({"transitions": torch.zeros(2, 3, 2, 2)}, "transitions"),
        ({"lengths": torch.tensor([1])}, "lengths"),
        ({"lengths": torch.tensor([1, 4])}, "0 to 3"),
        ({"start": torch.zeros(3)}, "start"),
    ],
)
def test_wrong_shapes_are_named(change: dict[str, Tensor], message: str) -> None:
    arguments = {
        "emissions": torch.zeros(2, 3, 2),
        "transitions": torch.zeros(2, 2),
        "lengths": torch.tensor([3, 1]),
    }
    with pytest.raises(ValueError, match=message):
        LinearChainCRF(**{**arguments, **change})
    crf = LinearChainCRF(**arguments)
    with pytest.raises(ValueError, match="paths"):
        crf.score(torch.zeros(2, 4, dtype=torch.long))
    with pytest.raises(ValueError, match="pairs"):
        crf.restricted_log_partition(torch.ones(2, 2, 2, 2, dtype=torch.bool))
    with pytest.raises(ValueError, match="k:"):
        crf.kbest(0)
