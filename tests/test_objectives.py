"""Objectives against sums over all tag sequences, with their gradients, in float64."""

import itertools
import math

import pytest
import torch
from torch import Tensor

from skd_lightning.crf import LinearChainCRF
from skd_lightning.distillation import Annealing, TeacherTargets, make_objective
from skd_lightning.distillation import objectives as kd

TAGS = 3
LENGTHS = torch.tensor([4, 2, 1, 0])


def potentials(seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.double)

    return 2 * draw(4, 4, TAGS), draw(TAGS, TAGS), draw(TAGS), draw(TAGS)


def chain(values: tuple[Tensor, Tensor, Tensor, Tensor]) -> LinearChainCRF:
    emissions, transitions, start, end = values
    return LinearChainCRF(emissions, transitions, LENGTHS, start, end)


def enumerate_log_probs(values: tuple[Tensor, Tensor, Tensor, Tensor], row: int) -> tuple[list, Tensor]:
    """All tag sequences of a sentence and their log-probabilities, one by one."""
    emissions, transitions, start, end = values
    length = int(LENGTHS[row])
    paths = list(itertools.product(range(TAGS), repeat=length))
    scores = []
    for path in paths:
        score = emissions.new_zeros(())
        for i, tag in enumerate(path):
            score = score + emissions[row, i, tag] + (start[tag] if i == 0 else transitions[path[i - 1], tag])
        scores.append(score + end[path[-1]] if path else score)
    stacked = torch.stack(scores)
    return paths, stacked - stacked.logsumexp(0)


def word_marginals(paths: list, log_probs: Tensor, length: int) -> Tensor:
    marginals = log_probs.new_zeros(length, TAGS)
    for path, probability in zip(paths, log_probs.exp(), strict=True):
        for i, tag in enumerate(path):
            one_hot = torch.nn.functional.one_hot(torch.tensor([i * TAGS + tag]), length * TAGS).view(
                length, TAGS
            )
            marginals = marginals + one_hot * probability
    return marginals


def targets(
    values: tuple[Tensor, Tensor, Tensor, Tensor], k: int, temperature: float = 1.0
) -> TeacherTargets:
    teacher = chain(values)
    best = teacher.kbest(k)
    return TeacherTargets(
        emissions=teacher.emissions,
        marginals=teacher.tempered(temperature).marginals,
        paths=best.paths,
        log_probs=best.scores - teacher.log_partition.unsqueeze(1),
    )


def check(loss, expected, student_values: tuple[Tensor, ...]) -> None:
    """Values and gradients with respect to every potential of the student agree."""
    for value in student_values:
        value.requires_grad_()
    got, wanted = loss(), expected()
    torch.testing.assert_close(got, wanted)
    weights = torch.tensor([1.0, -0.5, 2.0, 1.0], dtype=torch.double)
    ours = torch.autograd.grad((got * weights).sum(), student_values, allow_unused=True)
    theirs = torch.autograd.grad((wanted * weights).sum(), student_values, allow_unused=True)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(
            torch.zeros(()) if a is None else a.sum(),
            torch.zeros(()) if b is None else b.sum(),
            check_dtype=False,
        )
        if a is not None and b is not None:
            torch.testing.assert_close(a, b)


def by_sentence(function) -> Tensor:
    return torch.stack(
        [function(row) if LENGTHS[row] else torch.zeros((), dtype=torch.double) for row in range(4)]
    )


@pytest.mark.parametrize("k", [1, 3, 20])
@pytest.mark.parametrize("weighted", [False, True])
def test_top_k(k: int, weighted: bool) -> None:
    teacher, student = potentials(0), potentials(1)
    objective = make_objective("topwk" if weighted else "topk")

    def one(row: int) -> Tensor:
        paths, teacher_log = enumerate_log_probs(teacher, row)
        _, student_log = enumerate_log_probs(student, row)
        best = teacher_log.argsort(descending=True)[:k]
        weights = teacher_log[best].softmax(0) if weighted else torch.full((len(best),), 1 / len(best))
        assert len(best) == min(k, len(paths))
        return -(weights * student_log[best]).sum()

    check(lambda: objective(chain(student), targets(teacher, k)), lambda: by_sentence(one), student)


@pytest.mark.parametrize(
    ("temperature", "tempering"), [(1.0, "marginals"), (2.25, "marginals"), (3.0, "potentials")]
)
def test_posterior(temperature: float, tempering: str) -> None:
    teacher, student = potentials(2), potentials(3)
    objective = make_objective("posterior", temperature=temperature, tempering=tempering)
    on_potentials = temperature if tempering == "potentials" else 1.0

    def tempered(values: tuple[Tensor, ...], row: int) -> Tensor:
        scaled = tuple(value / on_potentials for value in values)
        marginals = word_marginals(*enumerate_log_probs(scaled, row), int(LENGTHS[row]))
        if tempering == "marginals":
            marginals = marginals ** (1 / temperature)
            marginals = marginals / marginals.sum(-1, keepdim=True)
        return marginals

    def one(row: int) -> Tensor:
        return -(temperature**2) * (tempered(teacher, row) * tempered(student, row).log()).sum()

    check(
        lambda: objective(chain(student), targets(teacher, 1, on_potentials)),
        lambda: by_sentence(one),
        student,
    )


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_emission(temperature: float) -> None:
    teacher, student = potentials(4), potentials(5)
    objective = make_objective("emission", temperature=temperature)

    def one(row: int) -> Tensor:
        length = int(LENGTHS[row])
        soft = (teacher[0][row, :length] / temperature).softmax(-1)
        return -(temperature**2) * (soft * (student[0][row, :length] / temperature).log_softmax(-1)).sum()

    check(lambda: objective(chain(student), targets(teacher, 1)), lambda: by_sentence(one), student)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_token_is_the_cross_entropy_of_softmax_decoders(temperature: float) -> None:
    teacher, student = potentials(6), potentials(7)
    nothing = torch.zeros(TAGS, TAGS, dtype=torch.double), *[torch.zeros(TAGS, dtype=torch.double)] * 2
    teacher, student = (teacher[0], *nothing), (student[0], *nothing)
    said = targets(teacher, 1)
    objective = make_objective("token", temperature=temperature)

    def one(row: int) -> Tensor:
        length = int(LENGTHS[row])
        soft = (teacher[0][row, :length] / temperature).softmax(-1)
        return -(temperature**2) * (soft * (student[0][row, :length] / temperature).log_softmax(-1)).sum()

    torch.testing.assert_close(objective(chain(student), said), by_sentence(one))


@pytest.mark.parametrize("weights", [(0.5, 0.5), (1.0, 1.0)])
def test_pos_topwk_is_the_weighted_sum(weights: tuple[float, float]) -> None:
    student, said = potentials(8), targets(potentials(9), 5)
    both = make_objective("pos_topwk", posterior_weight=weights[0], topwk_weight=weights[1])
    expected = weights[0] * kd.posterior(chain(student), said) + weights[1] * kd.weighted_top_k(
        chain(student), said
    )
    torch.testing.assert_close(both(chain(student), said), expected)


def test_the_teacher_itself_is_the_minimum() -> None:
    values = potentials(10)
    said = targets(values, 81)
    for loss in ("emission", "posterior", "topwk"):
        own = make_objective(loss)(chain(values), said).sum()
        assert make_objective(loss)(chain(potentials(11)), said).sum() > own


def test_what_the_scheme_forbids_leaves_loss_and_gradient_finite() -> None:
    emissions, transitions, start, end = potentials(12)
    said = targets((emissions, transitions, start, end), 5)
    emissions.requires_grad_()
    forbidding = start.masked_fill(torch.tensor([True, False, False]), -math.inf)
    for loss in ("emission", "topk", "topwk", "posterior", "pos_topwk"):
        for temperature in (1.0, 2.0):
            objective = make_objective(loss, temperature=temperature)
            value = objective(LinearChainCRF(emissions, transitions, LENGTHS, forbidding, end), said).sum()
            (gradient,) = torch.autograd.grad(value, emissions)
            assert value.isfinite()
            assert gradient.isfinite().all(), (loss, temperature)


def test_missing_targets_are_named() -> None:
    with pytest.raises(ValueError, match="marginals"):
        kd.posterior(chain(potentials(0)), TeacherTargets())
    assert make_objective("none") is None


def test_annealing() -> None:
    by_epoch = Annealing("epoch", epochs=4)
    assert [by_epoch.weight(epoch, epoch + 0.9, 10) for epoch in range(6)] == [1.0, 0.75, 0.5, 0.25, 0.0, 0.0]
    assert Annealing("step").weight(2, 2.5, 10) == 0.75
    assert Annealing("constant", 0.3).weight(9, 9.5, 10) == 0.3
    with pytest.raises(ValueError, match="start"):
        Annealing(start=1.5)
