"""Sums over the paths of allowed pairs, against enumeration of these paths and against plain torch."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_kernels import chain, forbidden, reference
from torch import Tensor

from skd_lightning.crf import LinearChainCRF, operators
from skd_lightning.crf.compiled_recursions import CompiledRecursions
from skd_lightning.crf.torch_recursions import TorchRecursions


def some(seed: int, share: float, *shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < share


@pytest.mark.parametrize("make", [CompiledRecursions, reference])
@pytest.mark.parametrize("seed", range(6))
def test_equal_enumeration(make: type[CompiledRecursions | TorchRecursions], seed: int) -> None:
    batch, words, tags = 5, 4, 3
    unary, transitions, lengths = chain(seed, batch, words, tags, by_sentence=seed % 2 == 1)
    lengths[1:3] = torch.tensor([0, 1])
    transitions = forbidden(transitions, seed, 0.2)
    pairs = some(seed, 0.5, batch, words, tags, tags)
    leaves = [unary.requires_grad_(), transitions.requires_grad_()]
    found = make(*leaves, lengths).restricted_log_partition(pairs)
    expected = []
    for b, length in enumerate(lengths.tolist()):
        matrix = transitions[b] if transitions.dim() == 3 else transitions
        scores = []
        for path in itertools.product(range(tags), repeat=length):
            steps = range(1, length)
            allowed = all(pairs[b, i, path[i - 1], path[i]] for i in steps)
            if allowed and (not path or pairs[b, 0, :, path[0]].any()):
                score = sum((matrix[path[i - 1], path[i]] for i in steps), unary.new_zeros(()))
                scores.append(score + sum(unary[b, i, tag] for i, tag in enumerate(path)))
        finite = [score for score in scores if score > -math.inf]
        expected.append(torch.stack(finite).logsumexp(0) if finite else unary.new_full((), -math.inf))
    whole = torch.stack(expected)
    torch.testing.assert_close(found, whole)
    possible = ~torch.isneginf(whole)
    assert possible.any()
    weights = torch.arange(1.0, batch + 1, dtype=torch.double)
    ours, theirs = (
        torch.autograd.grad((weights * torch.where(possible, value, 0.0)).sum(), leaves)
        for value in (found, whole)
    )
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10**6),
    words=st.integers(1, 12),
    tags=st.sampled_from([1, 2, 7, 9, 17]),
    scale=st.sampled_from([0.1, 2.0, 1000.0]),
    share=st.sampled_from([0.1, 0.6, 1.0]),
    by_sentence=st.booleans(),
)
def test_equal_plain_torch(
    seed: int, words: int, tags: int, scale: float, share: float, by_sentence: bool
) -> None:
    unary, transitions, lengths = chain(seed, words=words, tags=tags, scale=scale, by_sentence=by_sentence)
    transitions = forbidden(transitions, seed, 0.3)
    pairs = some(seed, share, 4, words, tags, tags)
    results = []
    for make in (CompiledRecursions, reference):
        leaves = [unary.clone().requires_grad_(), transitions.clone().requires_grad_()]
        value = make(*leaves, lengths).restricted_log_partition(pairs)
        total = torch.where(torch.isneginf(value), 0.0, value * torch.tensor([1.0, -2.0, 3.0, 0.5])).sum()
        results.append((value, *torch.autograd.grad(total, leaves)))
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


def test_all_pairs_are_the_whole_chain() -> None:
    unary, transitions, lengths = chain(7, tags=9, dtype=torch.float32)
    padded = torch.cat([unary, torch.full_like(unary, math.nan)], dim=1)
    crf = LinearChainCRF(padded, transitions, lengths, start=unary[0, 0], end=unary[0, 1])
    everything = torch.ones(4, 18, 9, 9, dtype=torch.bool)
    torch.testing.assert_close(crf.restricted_log_partition(everything), crf.log_partition)
    each = LinearChainCRF(
        unary, transitions.expand(4, 8, 9, 9), lengths
    )  # transitions of each word: plain torch
    torch.testing.assert_close(each.restricted_log_partition(everything[:, :9]), each.log_partition)


@pytest.mark.parametrize("by_sentence", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_operator_keeps_the_rules_of_torch(dtype: torch.dtype, by_sentence: bool) -> None:
    unary, transitions, lengths = chain(0, dtype=dtype, by_sentence=by_sentence)
    pairs = some(0, 0.7, 4, 9, 5, 5)
    arguments = (unary.requires_grad_(), transitions.requires_grad_(), lengths, pairs)
    torch.library.opcheck(torch.ops.skd_lightning.restricted_sums, arguments)


@pytest.mark.parametrize("by_sentence", [False, True])
def test_the_gradient_by_finite_differences_once(by_sentence: bool) -> None:
    unary, transitions, lengths = chain(1, batch=3, words=4, tags=3, by_sentence=by_sentence)
    pairs = some(2, 0.8, 3, 4, 3, 3)

    def log_partition(unary: Tensor, transitions: Tensor) -> Tensor:
        return operators.restricted_sums(unary, transitions, lengths, pairs)[0]

    leaves = unary.requires_grad_(), transitions.requires_grad_()
    assert log_partition(*leaves).isfinite().all()
    assert torch.autograd.gradcheck(log_partition, leaves)
    (first,) = torch.autograd.grad(log_partition(*leaves).square().sum(), leaves[0], create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.sum().backward()


def test_not_a_number_is_not_hidden() -> None:
    unary, transitions, lengths = chain(0, words=6)
    everything = torch.ones(4, 6, 5, 5, dtype=torch.bool)
    for where in (0, 3, 5):
        broken = unary.clone()
        broken[0, where, 2] = math.nan
        assert (
            CompiledRecursions(broken, transitions, lengths).restricted_log_partition(everything)[0].isnan()
        )
    transitions[1, 2] = math.nan
    assert CompiledRecursions(unary, transitions, lengths).restricted_log_partition(everything)[0].isnan()
