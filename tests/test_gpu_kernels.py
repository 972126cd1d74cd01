"""The Triton kernels against the CPU kernels: on a GPU where there is one, else in Triton's interpreter."""

import math
import os
import sys
from itertools import combinations, product
from types import ModuleType

import pytest
import torch
from torch import Tensor

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
if DEVICE == "cpu":
    if "triton" in sys.modules and os.environ.get("TRITON_INTERPRET") != "1":
        pytest.skip("triton was imported without TRITON_INTERPRET=1", allow_module_level=True)
    os.environ["TRITON_INTERPRET"] = "1"  # is read when triton is imported
pytest.importorskip("triton")

from skd_lightning.crf.kernels.cpu import interface as cpu  # noqa: E402
from skd_lightning.crf.kernels.gpu import interface as gpu  # noqa: E402

Chain = tuple[Tensor, Tensor, Tensor]

# Of log 0 and 0 / 0, whose results are not used.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

TAGS = [1, 5, 17]
DTYPES = [torch.float32, torch.float64]
WORDS = 3


def covering(*axes: list) -> list[tuple]:
    """Combinations in which every two values of different axes meet, chosen greedily."""
    every, chosen = list(product(*axes)), []

    def pairs(values: tuple) -> set[tuple]:
        return set(combinations(enumerate(values), 2))

    missing = set().union(*map(pairs, every))
    while missing:
        chosen.append(max(every, key=lambda values: len(missing & pairs(values))))
        missing -= pairs(chosen[-1])
    return chosen


def grid(*axes: list) -> list:
    """All combinations; the interpreter takes seconds for each: there only those of :func:`covering` always run."""
    quick = list(product(*axes)) if DEVICE == "cuda" else covering(*axes)
    return [
        pytest.param(
            *values, id="-".join(map(str, values)), marks=[] if values in quick else pytest.mark.exhaustive
        )
        for values in product(*axes)
    ]


def chain(
    tags: int,
    dtype: torch.dtype = torch.double,
    words: int = WORDS,
    scale: float = 2.0,
    forbidden: float = 0.0,
    by_sentence: bool = False,
) -> Chain:
    """Sentences of all words, of one word, of none, and of one word less than all."""
    generator = torch.Generator().manual_seed(tags)
    lengths = torch.tensor([words, 1, 0, words - 1])
    unary = scale * torch.randn(4, words, tags, generator=generator, dtype=dtype)
    matrices = (4, tags, tags) if by_sentence else (tags, tags)
    transitions = scale * torch.randn(matrices, generator=generator, dtype=dtype)
    mask = torch.rand(matrices, generator=generator) < forbidden
    mask[..., 0, :], mask[..., 0] = False, False
    return unary, transitions.masked_fill(mask, -math.inf), lengths


def on_gpu(*arguments: object) -> list[object]:
    return [value.to(DEVICE) if isinstance(value, Tensor) else value for value in arguments]


def run(kernels: ModuleType, function: str, *arguments: object) -> tuple[Tensor, ...]:
    """Results that both kinds of kernels have in common; a gradient with kept messages is the same as without."""
    if function == "forward_backward":
        return kernels.forward_backward(*arguments, False)[:4]
    if function != "forward_backward_adjoint":
        results = getattr(kernels, function)(*arguments)
        return (results,) if isinstance(results, Tensor) else results
    potentials, gradients = arguments[:3], arguments[3:]
    messages = kernels.forward_backward(*potentials, False, True)[4]
    kept = kernels.forward_backward_adjoint(*potentials, messages, *gradients)
    anew = kernels.forward_backward_adjoint(*potentials, messages[:, :0], *gradients)
    for one, other in zip(kept, anew, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
    return kept


def assert_equal(function: str, *arguments: object, rtol: float, atol: float) -> tuple[Tensor, ...]:
    """The same as the CPU kernels, which compute in float64 whatever the precision of the potentials."""
    ours, theirs = run(gpu, function, *on_gpu(*arguments)), run(cpu, function, *arguments)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one.cpu(), other, rtol=rtol, atol=atol)
    return tuple(one.cpu() for one in ours)


def tolerance(dtype: torch.dtype) -> dict[str, float]:
    return {"rtol": 1e-9, "atol": 1e-9} if dtype == torch.double else {"rtol": 2e-5, "atol": 2e-5}


def grads(unary: Tensor, rows: int, given: bool = True) -> tuple[Tensor, ...]:
    """Random gradients of log-partitions, log-marginals, marginals and ``rows`` pair marginals."""
    batch, words, tags = unary.shape
    generator = torch.Generator().manual_seed(rows)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=unary.dtype)

    by_tag = (batch, words if given else 0, tags)
    return normal(batch), normal(*by_tag), normal(*by_tag), normal(batch, rows, tags, tags)


@pytest.mark.parametrize(
    ("tags", "dtype", "forbidden", "each_pair", "by_sentence"),
    grid(TAGS, DTYPES, [0.0, 0.4], [True, False], [True, False]),
)
def test_forward_backward(
    tags: int, dtype: torch.dtype, forbidden: float, each_pair: bool, by_sentence: bool
) -> None:
    unary, transitions, lengths = chain(tags, dtype, forbidden=forbidden, by_sentence=by_sentence)
    results = assert_equal("forward_backward", unary, transitions, lengths, each_pair, **tolerance(dtype))
    pairs, by_tag = WORDS - 1 if each_pair else 1, (4, WORDS, tags)
    assert [x.shape for x in results] == [(4,), by_tag, by_tag, (4, pairs, tags, tags)]
    assert all(x.dtype == dtype for x in results)


@pytest.mark.parametrize(
    ("tags", "dtype", "forbidden", "rows", "by_sentence"),
    grid(TAGS, DTYPES, [0.0, 0.4], [0, 1, WORDS - 1], [True, False]),
)
def test_forward_backward_adjoint(
    tags: int, dtype: torch.dtype, forbidden: float, rows: int, by_sentence: bool
) -> None:
    unary, transitions, lengths = chain(tags, dtype, forbidden=forbidden, by_sentence=by_sentence)
    given = (unary, transitions, lengths, *grads(unary, rows, given=rows < WORDS - 1))
    assert_equal("forward_backward_adjoint", *given, **tolerance(dtype))


@pytest.mark.parametrize(
    ("tags", "dtype", "forbidden", "by_sentence"), grid(TAGS, DTYPES, [0.0, 0.4], [True, False])
)
def test_backward_messages(tags: int, dtype: torch.dtype, forbidden: float, by_sentence: bool) -> None:
    """Up to a constant of the word."""
    given = chain(tags, dtype, forbidden=forbidden, by_sentence=by_sentence)
    ours, theirs = gpu.backward_messages(*on_gpu(*given)).cpu(), cpu.backward_messages(*given)
    assert ours.dtype == dtype
    padding = torch.arange(WORDS) >= given[2][:, None]
    assert (ours[padding] == 0).all()
    ours, theirs = (messages - messages.amax(-1, keepdim=True) for messages in (ours, theirs))
    torch.testing.assert_close(ours, theirs, **tolerance(dtype))


@pytest.mark.parametrize("dtype", [torch.float64, pytest.param(torch.float32, marks=pytest.mark.slow)])
def test_more_words_than_a_program_takes(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    if DEVICE == "cpu":  # an interpreted word takes a second
        monkeypatch.setattr(gpu, "CHUNK", 2)
    words = 2 * gpu.CHUNK + 1
    unary, transitions, lengths = chain(3, dtype, words=words)
    for each_pair in (True, False):
        assert_equal("forward_backward", unary, transitions, lengths, each_pair, **tolerance(dtype))
    for rows in (1, words - 1):
        given = (unary, transitions, lengths, *grads(unary, rows))
        assert_equal("forward_backward_adjoint", *given, **tolerance(dtype))
    assert_equal("kbest", unary, transitions, lengths, 9, **tolerance(dtype))


@pytest.mark.parametrize(("words", "batch"), [(1, 2), (0, 2), (3, 0), (2, 2)])
def test_short_and_empty_batches(words: int, batch: int) -> None:
    transitions = torch.randn(3, 3, dtype=torch.double)
    unary = torch.randn(batch, words, 3, dtype=torch.double)
    given = (unary, transitions, torch.full((batch,), words))
    for each_pair in (True, False):
        assert_equal("forward_backward", *given, each_pair, rtol=1e-9, atol=1e-9)
    for rows in {0, 1, max(words - 1, 0)}:
        assert_equal("forward_backward_adjoint", *given, *grads(unary, rows), rtol=1e-9, atol=1e-9)
    if words > 0:
        assert_equal("kbest", *given, 2, rtol=1e-9, atol=1e-9)
    paths = torch.zeros(batch, 2, words, dtype=torch.long)
    assert_equal("path_scores", *given, paths, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("dtype", DTYPES)
def test_large_potentials(dtype: torch.dtype) -> None:
    """Hardly any sum has more than one term that counts. Single precision rounds potentials of 200 to 1e-5."""
    unary, transitions, lengths = chain(5, dtype, scale=50.0, forbidden=0.4)
    close = {"rtol": 1e-9, "atol": 1e-9} if dtype == torch.double else {"rtol": 1e-5, "atol": 2e-4}
    assert_equal("forward_backward", unary, transitions, lengths, True, **close)
    assert_equal("forward_backward_adjoint", unary, transitions, lengths, *grads(unary, WORDS - 1), **close)
    assert_equal("kbest", unary, transitions, lengths, 7, rtol=1e-6, atol=1e-9)


@pytest.mark.slow
def test_long_sentences_in_single_precision() -> None:
    """Errors do not grow with the length."""
    generator = torch.Generator().manual_seed(0)
    words = 2000 if DEVICE == "cuda" else 60
    unary = 3 * torch.randn(1, words, 3, generator=generator)
    transitions = 3 * torch.randn(3, 3, generator=generator)
    given = (unary, transitions, torch.tensor([words]))
    close = {"rtol": 1e-5, "atol": 1e-5}
    assert_equal("forward_backward", *given, False, **close)
    ours = run(gpu, "forward_backward", *on_gpu(*given), False)[0].cpu()
    double = run(cpu, "forward_backward", unary.double(), transitions.double(), given[2], False)[0]
    torch.testing.assert_close(ours.double(), double, rtol=5e-7, atol=0)
    assert_equal("forward_backward_adjoint", *given, *grads(unary, 1), rtol=1e-4, atol=1e-4)


def test_no_path_at_all() -> None:
    unary, transitions, lengths = chain(3)
    unary[0, 1] = -math.inf
    for each_pair in (True, False):
        assert_equal("forward_backward", unary, transitions, lengths, each_pair, rtol=1e-9, atol=1e-9)
    given = (unary, transitions, lengths, *grads(unary, WORDS - 1))
    assert_equal("forward_backward_adjoint", *given, rtol=1e-9, atol=1e-9)
    assert_equal("kbest", unary, transitions, lengths, 3, rtol=1e-9, atol=1e-9)


def test_no_path_of_one_word() -> None:
    unary, transitions, lengths = chain(3)
    unary[1, 0] = -math.inf
    assert_equal("forward_backward", unary, transitions, lengths, False, rtol=1e-9, atol=1e-9)
    unary, transitions, lengths = on_gpu(unary, transitions, lengths)
    log_partition, log_marginals, marginals, pairs = run(
        gpu, "forward_backward", unary, transitions, lengths, False
    )
    assert log_partition.isneginf().tolist() == [False, True, False, False]
    assert log_marginals[1].isneginf().all()
    for zeros in (marginals[1], pairs[1]):
        assert (zeros == 0).all()
    of_unary, of_transitions = run(
        gpu, "forward_backward_adjoint", unary, transitions, lengths, *on_gpu(*grads(unary.cpu(), WORDS - 1))
    )
    assert (of_unary[1] == 0).all()
    assert of_transitions.isfinite().all()
    assert gpu.kbest(unary, transitions, lengths, 2)[1][1].isneginf().all()


def test_padding_may_hold_anything() -> None:
    unary, transitions, lengths = chain(5)
    padding = torch.arange(WORDS) >= lengths[:, None]
    _, log_marginals, marginals, pairs = grads(unary, WORDS - 1)
    paths = torch.randint(0, 5, (4, 2, WORDS), generator=torch.Generator().manual_seed(0))
    results = []
    for value, tag in ((0.0, 0), (math.nan, 10**6)):
        filled = unary.masked_fill(padding[..., None], value)
        of_tags = [x.masked_fill(padding[..., None], value) for x in (log_marginals, marginals)]
        of_pairs = pairs.masked_fill(padding[:, 1:, None, None], value)
        given = on_gpu(filled, transitions, lengths)
        filled_paths = paths.masked_fill(padding[:, None], tag).to(DEVICE)
        results.append(
            [
                *run(gpu, "forward_backward", *given, True),
                *run(gpu, "forward_backward_adjoint", *given, *on_gpu(unary[:, 0, 0], *of_tags, of_pairs)),
                *gpu.kbest(*given, 3),
                gpu.path_scores(*given, filled_paths),
                *gpu.path_scores_adjoint(
                    *on_gpu(unary[:, :2, 0].nan_to_num(), lengths), filled_paths, 5, False
                ),
            ]
        )
    for ours, theirs in zip(*results, strict=True):
        assert torch.equal(ours, theirs)


def test_not_a_number_is_not_hidden() -> None:
    """A diverged model must be seen in its loss; the k best paths do without the tag."""
    unary, transitions, lengths = chain(3)
    unary[0, 1, 1] = math.nan
    log_partition, _, _, _ = run(gpu, "forward_backward", *on_gpu(unary, transitions, lengths), False)
    assert log_partition.isnan().tolist() == [True, False, False, False]
    paths, scores = gpu.kbest(*on_gpu(unary, transitions, lengths), 3)
    assert scores[0].isfinite().all()
    assert (paths[0, :, 1] != 1).all()
    unary[0, 1] = math.nan
    assert run(gpu, "forward_backward", *on_gpu(unary, transitions, lengths), False)[0][0].isnan()
    assert gpu.kbest(*on_gpu(unary, transitions, lengths), 3)[1][0].isneginf().all()


def test_memory_layout_does_not_matter() -> None:
    unary, transitions, lengths = chain(3)
    strided = unary.transpose(0, 2).contiguous().transpose(0, 2)
    of_partition, of_log_marginals, of_marginals, of_pairs = grads(unary, 1)
    given = (of_partition[:1].expand(4), of_log_marginals[:1].expand_as(unary), of_marginals, of_pairs)
    potentials = (strided, transitions.t().contiguous().t(), torch.stack([lengths, lengths], 1)[:, 0])
    assert_equal("forward_backward", *potentials, True, rtol=1e-9, atol=1e-9)
    assert_equal("forward_backward_adjoint", *potentials, *given, rtol=1e-9, atol=1e-9)
    assert_equal("kbest", *potentials, 3, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("tags", "dtype", "k", "by_sentence"), grid(TAGS, DTYPES, [1, 4, 11], [True, False]))
def test_k_best(tags: int, dtype: torch.dtype, k: int, by_sentence: bool) -> None:
    """Paths too; where there are fewer, as for one word or tag, the score is -inf and the path 0."""
    unary, transitions, lengths = chain(tags, dtype, forbidden=0.3, by_sentence=by_sentence)
    paths, scores = assert_equal("kbest", unary, transitions, lengths, k, rtol=0, atol=0)
    assert paths.dtype == torch.long
    assert scores.dtype == dtype
    if k > tags:
        assert scores[1, tags:].isneginf().all()
        assert (paths[1, tags:] == 0).all()


@pytest.mark.parametrize("k", [5, 16])
def test_k_best_with_ties_are_distinct(k: int) -> None:
    """Potentials of small integers: nearly all scores tie."""
    generator = torch.Generator().manual_seed(0)
    unary = torch.randint(0, 2, (3, 4, 2), generator=generator).float()
    transitions = torch.randint(0, 2, (2, 2), generator=generator).float()
    lengths = torch.full((3,), 4)
    paths, scores = gpu.kbest(*on_gpu(unary, transitions, lengths), k)
    assert torch.equal(scores.cpu(), cpu.kbest(unary, transitions, lengths, k)[1])
    assert torch.equal(gpu.path_scores(*on_gpu(unary, transitions, lengths), paths), scores)
    for sentence in paths.tolist():
        assert len(set(map(tuple, sentence))) == k
    if k == 16:
        assert {tuple(path) for path in paths[0].tolist()} == set(product(range(2), repeat=4))


@pytest.mark.parametrize("by_sentence", [True, False])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("tags", TAGS)
def test_scores_of_paths(tags: int, dtype: torch.dtype, by_sentence: bool) -> None:
    unary, transitions, lengths = chain(tags, dtype, forbidden=0.4, by_sentence=by_sentence)
    paths = torch.randint(0, tags, (4, 3, WORDS), generator=torch.Generator().manual_seed(tags))
    assert_equal("path_scores", unary, transitions, lengths, paths, **tolerance(dtype))
    given = (unary[:, :3, 0], lengths, paths, tags, by_sentence)
    assert_equal("path_scores_adjoint", *given, **tolerance(dtype))
