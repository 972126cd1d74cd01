"""Probabilities of spans and best single tags against enumeration of all paths; spans of tiny probability."""

import itertools
import math
from collections.abc import Iterator

import pytest
import torch
from enumerated_chains import SETTINGS, Potentials, agree, potentials, recursions_by
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from skd_lightning.crf import LinearChainCRF

Spans = tuple[Tensor, Tensor, Tensor]


@pytest.fixture(params=["compiled", "torch"], autouse=True, scope="module")
def recursions(request: pytest.FixtureRequest) -> Iterator[str]:
    with recursions_by(request.param) as kind:
        yield kind


def every_span(given_: Potentials) -> list[tuple[int, int, tuple[int, ...]]]:
    """Sentence, first word and tags of all spans of all sentences."""
    tags = range(given_.emissions.shape[2])
    return [
        (row, first, own)
        for row, length in enumerate(given_.lengths.tolist())
        for first in range(length)
        for size in range(1, length - first + 1)
        for own in itertools.product(tags, repeat=size)
    ]


def tensors(spans: list[tuple[int, int, tuple[int, ...]]]) -> Spans:
    longest = max((len(tags) for _, _, tags in spans), default=0)
    padded = [[*tags, *(longest - len(tags)) * [-1]] for _, _, tags in spans]
    return (
        torch.tensor([row for row, _, _ in spans], dtype=torch.long),
        torch.tensor([first for _, first, _ in spans], dtype=torch.long),
        torch.tensor(padded, dtype=torch.long).view(len(spans), longest),
    )


@SETTINGS
@given(potentials())
def test_every_span_of_every_sentence(given_: Potentials) -> None:
    spans = every_span(given_)
    without_gradient = given_.crf().span_log_prob(*tensors(spans))
    leaves = given_.leaves()
    found = given_.crf().span_log_prob(*tensors(spans))
    assert found.shape == (len(spans),)
    torch.testing.assert_close(without_gradient, found.detach())
    log_probs = [given_.log_probs(row) for row in range(len(given_.lengths))]
    expected, possible = [], []
    for i, (row, first, tags) in enumerate(spans):
        inside = [path[first : first + len(tags)] == tags for path in given_.paths(row)]
        own = log_probs[row][torch.tensor(inside)]
        if own.isneginf().all():
            assert found[i].isneginf()
        else:
            possible.append(i)
            expected.append(own[~own.isneginf()].logsumexp(0))
    if expected:
        agree(found[possible], torch.stack(expected), leaves)


@SETTINGS
@given(potentials())
def test_forbidden_spans_leave_no_gradient(given_: Potentials) -> None:
    leaves = given_.leaves()
    log_probs = given_.crf().span_log_prob(*tensors(every_span(given_)))
    forbidden = log_probs[log_probs.isneginf()]
    loss = torch.where(log_probs.isneginf(), 0.0, log_probs).sum() + 0.0 * leaves[0].sum()
    for gradient in torch.autograd.grad(loss, leaves, allow_unused=True, retain_graph=True):
        assert gradient is None or gradient.isfinite().all()
    if len(forbidden):
        for gradient in torch.autograd.grad(forbidden.sum(), leaves, allow_unused=True):
            assert gradient is None or (gradient == 0).all()


@pytest.mark.parametrize("by_sentence", [False, True])
def test_probabilities_below_the_smallest_float(by_sentence: bool) -> None:
    """In float32, beside the constrained chain's log-partition in float64; the least is about e^-5000."""
    generator = torch.Generator().manual_seed(0)
    words, tags = 300, 7
    emissions = 30 * torch.randn(2, words, tags, generator=generator)
    matrices = (2, tags, tags) if by_sentence else (tags, tags)
    transitions = 30 * torch.randn(matrices, generator=generator)
    lengths = torch.tensor([words, words - 50])
    sentence, first = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 120, 40, 249])
    spans = torch.randint(0, tags, (4, 90), generator=generator)
    for i, size in enumerate((90, 60, 1, 1)):
        spans[i, size:] = -1
    found = LinearChainCRF(emissions, transitions, lengths).span_log_prob(sentence, first, spans)
    assert found.dtype == torch.float32
    assert found.min() < -2000
    constrained = emissions.double()[sentence]
    for i, size in enumerate((spans >= 0).sum(1).tolist()):
        allowed = torch.nn.functional.one_hot(spans[i, :size], tags).bool()
        part = constrained[i, first[i] : first[i] + size]
        part.masked_fill_(~allowed, -math.inf)
    exact_transitions = transitions.double()[sentence] if by_sentence else transitions.double()
    inside = LinearChainCRF(constrained, exact_transitions, lengths[sentence]).log_partition
    whole = LinearChainCRF(emissions.double(), transitions.double(), lengths).log_partition[sentence]
    torch.testing.assert_close(found.double(), inside - whole, rtol=1e-6, atol=1e-6)


def test_no_span_no_sentence_with_a_path() -> None:
    crf = LinearChainCRF(torch.zeros(2, 3, 2), torch.full((2, 2), -math.inf), torch.tensor([3, 1]))
    nothing = torch.zeros(0, dtype=torch.long)
    assert crf.span_log_prob(nothing, nothing, torch.zeros(0, 4, dtype=torch.long)).shape == (0,)
    found = crf.span_log_prob(
        torch.tensor([0, 0, 1]), torch.tensor([0, 1, 0]), torch.tensor([[0, 1], [1, -1], [1, -1]])
    )
    assert found[:2].isneginf().all()
    torch.testing.assert_close(found[2].exp(), torch.tensor(0.5))


@pytest.mark.parametrize(
    ("sentence", "first", "tags", "message"),
    [
        ([0, 1], [0], [[0]], r"expected \(n,\), \(n,\) and \(n, longest\), got \(2,\), \(1,\) and \(1, 1\)"),
        ([2], [0], [[0]], "sentence: expected 0 to 1, got"),
        ([-1], [0], [[0]], "sentence: expected 0 to 1, got"),
        ([0], [0], [[3]], r"tags: expected 0 to 1.*got \[3\]"),
        ([0], [0], [[-2]], "tags: expected 0 to 1"),
        ([0], [0], [[-1, 1]], "at least one tag in each span"),
        ([0], [0], [[-1]], "at least one tag in each span"),
        ([0], [0], [[]], "at least one tag in each span"),
        ([0], [2], [[0, 1]], "span of 2 words within the 3 words of sentence 0, got one from word 2"),
        ([0, 1], [0, 1], [[0], [1]], "span of 1 words within the 1 words of sentence 1"),
        ([0], [-1], [[0]], "got one from word -1"),
    ],
)
def test_spans_that_do_not_fit_are_refused(sentence: list, first: list, tags: list, message: str) -> None:
    crf = LinearChainCRF(torch.zeros(2, 3, 2), torch.zeros(2, 2), torch.tensor([3, 1]))
    with pytest.raises(ValueError, match=message):
        crf.span_log_prob(torch.tensor(sentence), torch.tensor(first), torch.tensor(tags))


@SETTINGS
@given(potentials(), st.booleans())
def test_the_most_probable_tag_of_each_word(given_: Potentials, gradients: bool) -> None:
    if gradients:
        given_.leaves()
    crf = given_.crf()
    best = crf.decode_marginals()
    assert best.dtype == torch.long
    assert not best.requires_grad
    assert (best[~crf.mask] == 0).all()
    for row, length in enumerate(given_.lengths.tolist()):
        probs, paths = given_.log_probs(row).exp().tolist(), given_.paths(row)
        correct = [
            sum(
                p * sum(a == b for a, b in zip(path, guess, strict=True))
                for p, path in zip(probs, paths, strict=True)
            )
            for guess in [*paths, tuple(best[row, :length].tolist())]
        ]
        assert correct[-1] >= max(correct) - 1e-9
