"""The compiled kernels: as operators, against the plain torch reference, at extremes, and from many threads."""

import math
import multiprocessing
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from skd_lightning.crf import LinearChainCRF, operators
from skd_lightning.crf.compiled_recursions import CompiledRecursions
from skd_lightning.crf.torch_recursions import TorchRecursions

Chain = tuple[Tensor, Tensor, Tensor]


def chain(
    seed: int,
    batch: int = 4,
    words: int = 9,
    tags: int = 5,
    scale: float = 2.0,
    dtype: torch.dtype = torch.double,
    by_sentence: bool = False,
) -> Chain:
    generator = torch.Generator().manual_seed(seed)
    unary = scale * torch.randn(batch, words, tags, generator=generator, dtype=dtype)
    matrices = (batch, tags, tags) if by_sentence else (tags, tags)
    transitions = scale * torch.randn(matrices, generator=generator, dtype=dtype)
    lengths = torch.randint(0, words + 1, (batch,), generator=generator)
    lengths[0] = words
    return unary, transitions, lengths


def reference(unary: Tensor, transitions: Tensor, lengths: Tensor) -> TorchRecursions:
    mask = torch.arange(unary.shape[1]) < lengths[:, None]
    return TorchRecursions(unary.masked_fill(~mask.unsqueeze(-1), 0.0), transitions, lengths, mask)


def forbidden(transitions: Tensor, seed: int, share: float) -> Tensor:
    """Some transitions at -inf; tag 0 may follow and be followed by any."""
    mask = torch.rand(transitions.shape, generator=torch.Generator().manual_seed(seed)) < share
    mask[..., 0, :], mask[..., 0] = False, False
    return transitions.masked_fill(mask, -math.inf)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10**6),
    words=st.integers(1, 12),
    tags=st.sampled_from([1, 2, 4, 7, 8, 9, 17]),
    scale=st.sampled_from([0.1, 2.0, 50.0, 1000.0]),
    share=st.sampled_from([0.0, 0.4]),
    by_sentence=st.booleans(),
)
def test_values_and_gradients_equal_the_reference(
    seed: int, words: int, tags: int, scale: float, share: float, by_sentence: bool
) -> None:
    """At a scale of 1000 nearly every sum underflows: then each is computed in log space."""
    unary, transitions, lengths = chain(seed, words=words, tags=tags, scale=scale, by_sentence=by_sentence)
    transitions = forbidden(transitions, seed, share)
    results = []
    for make in (CompiledRecursions, reference):
        leaves = [unary.clone().requires_grad_(), transitions.clone().requires_grad_()]
        sums = make(*leaves, lengths)
        if seed % 2:  # messages are kept for the gradient only if marginals are asked for first
            sums.log_marginals  # noqa: B018
        values = [sums.log_partition, sums.log_marginals, sums.marginals]
        values += [sums.pair_marginals, sums.transition_counts]
        generator = torch.Generator().manual_seed(seed)
        loss = 0.0
        for value in values:
            weights = torch.randn(value.shape, generator=generator, dtype=value.dtype)
            possible = ~torch.isneginf(value)
            loss = loss + (weights * torch.where(possible, value, 0.0)).sum()
        results.append((values, torch.autograd.grad(loss, leaves)))
    for ours, theirs in zip(results[0][0], results[1][0], strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)
    for ours, theirs in zip(results[0][1], results[1][1], strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-7, atol=1e-7)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10**6),
    k=st.sampled_from([1, 2, 7, 40]),
    share=st.sampled_from([0.0, 0.5]),
    by_sentence=st.booleans(),
)
def test_k_best_equal_the_reference(seed: int, k: int, share: float, by_sentence: bool) -> None:
    unary, transitions, lengths = chain(seed, words=7, tags=6, by_sentence=by_sentence)
    transitions = forbidden(transitions, seed, share)
    ours = CompiledRecursions(unary, transitions, lengths).kbest(k)
    theirs = reference(unary, transitions, lengths).kbest(k)
    torch.testing.assert_close(ours.scores, theirs.scores)
    assert (ours.paths == theirs.paths).all()


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10**6),
    tags=st.sampled_from([1, 2, 7, 9, 17]),
    scale=st.sampled_from([0.1, 2.0, 50.0, 1000.0]),
    share=st.sampled_from([0.0, 0.5]),
    by_sentence=st.booleans(),
)
def test_backward_messages_equal_the_reference_up_to_a_constant(
    seed: int, tags: int, scale: float, share: float, by_sentence: bool
) -> None:
    unary, transitions, lengths = chain(seed, tags=tags, scale=scale, by_sentence=by_sentence)
    transitions = forbidden(transitions, seed, share)
    ours = operators.backward_messages(unary, transitions, lengths)
    theirs = reference(unary, transitions, lengths).backward
    inside = torch.arange(unary.shape[1]) < lengths[:, None]
    assert (ours[~inside] == 0).all()
    shifted = [messages[inside] - messages[inside].amax(-1, keepdim=True) for messages in (ours, theirs)]
    torch.testing.assert_close(*shifted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("k", [1, 5, 30])
def test_k_best_with_ties_are_distinct(k: int) -> None:
    """Potentials of small integers: nearly all scores tie."""
    generator = torch.Generator().manual_seed(0)
    unary = torch.randint(0, 2, (8, 6, 3), generator=generator).float()
    transitions = torch.randint(0, 2, (3, 3), generator=generator).float()
    lengths = torch.full((8,), 6)
    ours, theirs = (make(unary, transitions, lengths).kbest(k) for make in (CompiledRecursions, reference))
    assert (ours.scores == theirs.scores).all()
    for paths in ours.paths.tolist():
        assert len(set(map(tuple, paths))) == k
    rescored = CompiledRecursions(unary, transitions, lengths).score(ours.paths)
    assert (rescored == ours.scores).all()


@pytest.mark.parametrize("words", [10, 100, 2000])
@pytest.mark.parametrize("tags", [9, 60])
def test_single_precision_potentials_up_to_fifty(words: int, tags: int) -> None:
    """Against float64 on the same numbers; the kernels compute in float64, so only the results are rounded."""
    generator = torch.Generator().manual_seed(words + tags)
    unary = 100 * torch.rand(2, words, tags, generator=generator) - 50
    transitions = 100 * torch.rand(tags, tags, generator=generator) - 50
    lengths = torch.tensor([words, words // 2])
    single = CompiledRecursions(unary, transitions, lengths)
    double = CompiledRecursions(unary.double(), transitions.double(), lengths)
    torch.testing.assert_close(single.log_partition.double(), double.log_partition, rtol=1e-7, atol=0)
    torch.testing.assert_close(single.log_marginals.double(), double.log_marginals, rtol=1e-7, atol=1e-7)
    plain = reference(unary.double(), transitions.double(), lengths)
    torch.testing.assert_close(double.log_marginals, plain.log_marginals, rtol=1e-10, atol=1e-8)
    assert (single.kbest(3).paths == plain.kbest(3).paths).all()


def test_not_a_number_is_not_hidden() -> None:
    """A diverged model must be seen in its loss."""
    unary, transitions, lengths = chain(0, words=6)
    unary[0, 3, 2] = math.nan
    assert CompiledRecursions(unary, transitions, lengths).log_partition[0].isnan()
    unary, transitions, lengths = chain(0, words=6)
    transitions[1, 2] = math.nan
    assert CompiledRecursions(unary, transitions, lengths).log_partition[0].isnan()


@pytest.mark.parametrize("words", [1, 2, 4])
def test_a_word_without_any_allowed_tag(words: int) -> None:
    for where in range(words):
        unary, transitions, _ = chain(0, batch=2, words=words)
        unary[0, where] = -math.inf
        sums = CompiledRecursions(unary.requires_grad_(), transitions, torch.tensor([words, words]))
        assert sums.log_partition.isneginf().tolist() == [True, False]
        assert sums.log_marginals[0].isneginf().all()
        assert (sums.marginals[0] == 0).all()
        assert (sums.pair_marginals[0] == 0).all()
        (gradient,) = torch.autograd.grad(sums.marginals.square().sum(), unary)
        assert (gradient[0] == 0).all()
        assert gradient.isfinite().all()


def test_exp_and_log_to_two_units_in_the_last_place() -> None:
    from numba import njit

    from skd_lightning.crf.kernels.cpu.exp_log import exp, log

    @njit
    def both(x: np.ndarray, e: np.ndarray, y: np.ndarray, l: np.ndarray) -> None:  # noqa: E741
        for i in range(x.size):
            e[i] = exp(x[i])
            l[i] = log(y[i])

    generator = np.random.default_rng(0)
    x = np.concatenate([generator.uniform(-700, 700, 10_000), [0.0, -0.0, 1.0, -1.0]])
    y = np.concatenate([np.exp(x), generator.uniform(0.5, 2.0, 10_000), [1.0, 0.5, 2.0, 1e-200]])
    x = np.resize(x, y.size)
    e, l = np.empty(y.size), np.empty(y.size)  # noqa: E741
    both(x, e, y, l)
    np.testing.assert_array_max_ulp(e, np.exp(x), 2)
    np.testing.assert_array_max_ulp(l, np.log(y), 2)


CASES = {
    # Kept messages are not filled at padding: sentences without any.
    "forward_backward": lambda u, t, n: (u, t, torch.full_like(n, u.shape[1]), False, True),
    "forward_backward, each pair": lambda u, t, n: (u, t, n, True, False),
    "forward_backward_adjoint": lambda u, t, n: (
        u.detach(),
        t.detach(),
        n,
        u.new_empty(4, 0, u.shape[1], 8, dtype=torch.double),
        u.detach()[:, 0, 0],
        u.detach(),
        u.detach() + 1,
        u.new_zeros(len(n), 0, *t.shape[-2:]),
    ),
    "backward_messages": lambda u, t, n: (u.detach(), t.detach(), n),
    "kbest": lambda u, t, n: (u.detach(), t.detach(), n, 3),
    "path_scores": lambda u, t, n: (u, t, n, torch.zeros(len(n), 2, u.shape[1], dtype=torch.long)),
    "path_scores_adjoint": lambda u, t, n: (
        u[:, :2, 0],
        n,
        torch.zeros(len(n), 2, u.shape[1], dtype=torch.long),
        u.shape[2],
        t.dim() == 3,
    ),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("by_sentence", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_operators_keep_the_rules_of_torch(case: str, dtype: torch.dtype, by_sentence: bool) -> None:
    unary, transitions, lengths = chain(0, dtype=dtype, by_sentence=by_sentence)
    arguments = CASES[case](unary.requires_grad_(), transitions.requires_grad_(), lengths)
    operator = getattr(torch.ops.skd_lightning, case.split(",")[0])
    torch.library.opcheck(operator, arguments)


@pytest.mark.parametrize(
    ("keep", "by_sentence"), [(True, False), (False, False), (True, True), (False, True)]
)
def test_first_and_second_derivatives_by_finite_differences(keep: bool, by_sentence: bool) -> None:
    unary, transitions, lengths = chain(1, batch=3, words=4, tags=3, by_sentence=by_sentence)
    unary.requires_grad_(), transitions.requires_grad_()

    def log_partition(unary: Tensor, transitions: Tensor) -> Tensor:
        return operators.forward_backward(unary, transitions, lengths, False, False)[0]

    def sums(unary: Tensor, transitions: Tensor) -> tuple[Tensor, ...]:
        results = operators.forward_backward(unary, transitions, lengths, True, keep)
        partition, log_marginals, marginals, pairs, _ = results
        return partition, torch.where(marginals > 0, log_marginals, 0.0), marginals, pairs

    assert torch.autograd.gradcheck(sums, (unary, transitions))
    assert torch.autograd.gradgradcheck(log_partition, (unary, transitions))
    paths = torch.randint(0, 3, (3, 2, 4))

    def scores(unary: Tensor, transitions: Tensor) -> Tensor:
        return operators.path_scores(unary, transitions, lengths, paths)

    assert torch.autograd.gradcheck(scores, (unary, transitions))
    assert torch.autograd.gradgradcheck(scores, (unary, transitions))


@pytest.mark.parametrize("batch", [0, 1, 5])
def test_sentences_with_transitions_of_their_own_equal_sentences_alone(batch: int) -> None:
    unary, transitions, lengths = chain(2, batch=max(batch, 1), by_sentence=True)
    unary, transitions, lengths = unary[:batch], transitions[:batch], lengths[:batch]
    paths = torch.randint(0, 5, (batch, 2, 9), generator=torch.Generator().manual_seed(0))
    whole = CompiledRecursions(unary, transitions, lengths)
    assert whole.transition_counts.shape == transitions.shape
    for b in range(batch):
        alone = CompiledRecursions(unary[b : b + 1], transitions[b], lengths[b : b + 1])
        assert torch.equal(whole.log_marginals[b], alone.log_marginals[0])
        assert torch.equal(whole.pair_marginals[b], alone.pair_marginals[0])
        assert torch.equal(whole.score(paths)[b], alone.score(paths[b : b + 1])[0])
        assert torch.equal(whole.kbest(7).paths[b], alone.kbest(7).paths[0])


def test_memory_layout_and_padding_do_not_matter() -> None:
    unary, transitions, lengths = chain(2)
    strided = unary.transpose(0, 1).contiguous().transpose(0, 1)
    padded = torch.cat([unary, torch.full_like(unary, math.nan)], dim=1)
    plain = LinearChainCRF(unary, transitions, lengths)
    for other in (strided, padded):
        crf = LinearChainCRF(other, transitions.t().contiguous().t(), lengths.int())
        torch.testing.assert_close(crf.marginals[:, :9], plain.marginals)
        assert (crf.kbest(4).paths[..., :9] == plain.kbest(4).paths).all()


def test_unknown_tags_are_an_error() -> None:
    unary, transitions, lengths = chain(0)
    with pytest.raises(IndexError, match="0 to 4"):
        CompiledRecursions(unary, transitions, lengths).score(torch.full((4, 1, 9), 5))
    with pytest.raises(RuntimeError, match="out of bounds"):
        reference(unary, transitions, lengths).score(torch.full((4, 1, 9), 5))


def test_machine_code_that_cannot_be_kept_is_compiled_anew() -> None:
    """As in a container whose file system can only be read."""
    program = (
        "from numba.core import caching; caching.CacheImpl._locator_classes = []\n"
        "from skd_lightning.crf.kernels.cpu.compiler import compiled\n"
        "from skd_lightning.encoders.loops import loop\n"
        "def double(number): return 2 * number\n"
        "assert compiled(double)(2) == loop(double)(2) == 4"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _marginals(seed: int) -> float:
    # Shared among two threads here, yet under the size at which torch starts its own, which do not survive a fork.
    unary, transitions, lengths = chain(seed, batch=64, words=40, tags=12)
    return CompiledRecursions(unary, transitions, lengths).log_partition.sum().item()


@pytest.fixture
def two_threads() -> object:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_from_several_threads_and_after_a_fork() -> None:
    expected = [_marginals(seed) for seed in range(8)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(_marginals, range(8))) == expected
    with multiprocessing.get_context("fork").Pool(2) as workers:
        assert workers.map_async(_marginals, range(8)).get(timeout=60) == expected


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("by_sentence", [False, True])
def test_threads_do_not_change_a_digit(by_sentence: bool) -> None:
    unary, transitions, lengths = chain(3, batch=64, words=60, tags=9, by_sentence=by_sentence)
    two = operators.forward_backward(unary, transitions, lengths, False, False)
    torch.set_num_threads(1)
    one = operators.forward_backward(unary, transitions, lengths, False, False)
    assert all((a == b).all() for a, b in zip(one, two, strict=True))


def test_the_compiler_is_imported_with_the_first_call_only() -> None:
    program = "import sys, skd_lightning.crf; sys.exit(not {'numba', 'triton'}.isdisjoint(sys.modules))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("by_sentence", [False, True])
def test_torch_compile_sees_ordinary_operators(by_sentence: bool) -> None:
    unary, transitions, lengths = chain(4, dtype=torch.float32, by_sentence=by_sentence)
    paths = torch.randint(0, 5, (4, 2, 9), generator=torch.Generator().manual_seed(0))

    def loss(unary: Tensor, transitions: Tensor) -> Tensor:
        partition, marginals, *_ = operators.forward_backward(unary, transitions, lengths, False, True)
        scores = operators.path_scores(unary, transitions, lengths, paths)
        return (partition + torch.where(marginals > -20, marginals, 0.0).sum((1, 2)) + scores.sum(1)).sum()

    leaves = [unary.requires_grad_(), transitions.requires_grad_()]
    expected = torch.autograd.grad(loss(*leaves), leaves)
    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    for ours, theirs in zip(torch.autograd.grad(compiled(*leaves), leaves), expected, strict=True):
        torch.testing.assert_close(ours, theirs)
