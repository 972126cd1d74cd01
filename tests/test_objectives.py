"""Objectives against sums over all tag sequences, with their gradients, in float64; how they are found and refused."""

import itertools
import math
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from enumerated_chains import agree
from torch import Tensor

from skd_lightning.cli import main
from skd_lightning.crf import LinearChainCRF
from skd_lightning.distillation import objectives as package
from skd_lightning.distillation.annealing import Annealing
from skd_lightning.distillation.names import losses, objective_names
from skd_lightning.distillation.objectives import (
    Emission,
    Objective,
    PathSet,
    Posterior,
    PosTopWK,
    Structural,
    Token,
    TopK,
    TopWK,
    by_name,
)
from skd_lightning.distillation.path_sets import path_set
from skd_lightning.distillation.targets import TeacherTargets, softened
from skd_lightning.encoders import NgramEmbedder
from skd_lightning.errors import UserError
from skd_lightning.taggers import Student

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
        unary=teacher.unary,
        transitions=teacher.transitions.expand(4, -1, -1),
        marginals=teacher.tempered(temperature).marginals,
        transition_counts=teacher.tempered(temperature).transition_counts,
        paths=best.paths,
        log_probs=best.scores - teacher.log_partition.unsqueeze(1),
    )


def check(loss, expected, student_values: tuple[Tensor, ...]) -> None:
    """Values and gradients with respect to every potential of the student agree."""
    for value in student_values:
        value.requires_grad_()
    agree(loss(), expected(), list(student_values))


def by_sentence(function) -> Tensor:
    return torch.stack(
        [function(row) if LENGTHS[row] else torch.zeros((), dtype=torch.double) for row in range(4)]
    )


@pytest.mark.parametrize("k", [1, 3, 20])
@pytest.mark.parametrize("weighted", [False, True])
def test_top_k(k: int, weighted: bool) -> None:
    teacher, student = potentials(0), potentials(1)
    objective = TopWK(k) if weighted else TopK(k)

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
    objective = Posterior(temperature, tempering)
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
        lambda: objective(chain(student), TeacherTargets.of(chain(teacher), objective)),
        lambda: by_sentence(one),
        student,
    )


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_emission(temperature: float) -> None:
    teacher, student = potentials(4), potentials(5)
    objective = Emission(temperature)

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
    objective = Token(temperature)
    said = TeacherTargets.of(chain(teacher), objective)

    def one(row: int) -> Tensor:
        length = int(LENGTHS[row])
        soft = (teacher[0][row, :length] / temperature).softmax(-1)
        return -(temperature**2) * (soft * (student[0][row, :length] / temperature).log_softmax(-1)).sum()

    torch.testing.assert_close(objective(chain(student), said), by_sentence(one))


def tempered(log_probs: Tensor, temperature: float) -> Tensor:
    """The same distribution with all potentials divided by the temperature."""
    return (log_probs / temperature).log_softmax(0)


@pytest.mark.parametrize("temperature", [1.0, 2.5])
@pytest.mark.parametrize("alpha", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_structural_is_the_divergence_of_all_sequences(alpha: float, temperature: float) -> None:
    teacher, student = potentials(20), potentials(21)
    objective = Structural(alpha, temperature)

    def one(row: int) -> Tensor:
        p, q = (tempered(enumerate_log_probs(side, row)[1], temperature) for side in (teacher, student))
        if alpha == 1:
            distance = -(p.exp() * q).sum()
        elif alpha == 0:
            distance = (q.exp() * (q - p)).sum()
        else:
            distance = (alpha * p + (1 - alpha) * q).logsumexp(0) / (alpha - 1) / alpha
        return temperature**2 * distance

    said = targets(teacher, 1, temperature)
    check(lambda: objective(chain(student), said), lambda: by_sentence(one), student)


def test_structural_goes_from_the_reverse_to_the_forward_divergence() -> None:
    teacher, student = potentials(22), potentials(23)
    said = targets(teacher, 1)
    forward, reverse = (Structural(alpha)(chain(student), said) for alpha in (1.0, 0.0))
    close = {"rtol": 5e-3, "atol": 5e-3}
    torch.testing.assert_close(
        Structural(0.999)(chain(student), said), forward - chain(teacher).entropy(), **close
    )
    torch.testing.assert_close(Structural(0.001)(chain(student), said), reverse, **close)


def test_structural_is_top_wk_with_every_path() -> None:
    teacher, student = potentials(24), potentials(25)
    every = targets(teacher, TAGS**4)
    whole = Structural()(chain(student), every)
    torch.testing.assert_close(TopWK(TAGS**4)(chain(student), every), whole)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_structural_is_finite_where_one_forbids_what_the_other_allows(alpha: float) -> None:
    """The first tag is forbidden to the teacher as a start, the second to the student; they share the third."""
    emissions, transitions, start, end = potentials(26)
    forbid = [start.masked_fill(torch.arange(TAGS) == tag, -math.inf) for tag in (0, 1)]
    said = targets((emissions, transitions, forbid[0], end), 1)
    emissions = (emissions + 1).requires_grad_()
    for temperature in (1.0, 2.0):
        loss = Structural(alpha, temperature)(
            LinearChainCRF(emissions, transitions, LENGTHS, forbid[1], end), said
        )
        assert loss.isfinite().all()
        assert torch.autograd.grad(loss.sum(), emissions)[0].isfinite().all()


def test_the_reverse_divergence_does_without_what_the_teacher_forbids() -> None:
    """Whatever number is added to all scores of a word, as the cache does."""
    teacher, student = potentials(26), potentials(27)
    emissions = teacher[0].index_fill(2, torch.tensor([1]), -math.inf)
    teacher = (emissions, *teacher[1:])

    def one(row: int) -> Tensor:
        p, q = (enumerate_log_probs(side, row)[1] for side in (teacher, student))
        there = ~torch.isneginf(p)
        left = q[there].exp().sum()
        own = q[there] - left.log()
        return -left.log() + (own.exp() * (own - p[there])).sum()

    for shift in (0.0, 7.0):
        said = TeacherTargets.of(chain((emissions + shift, *teacher[1:])), Structural(0.0))
        check(lambda said=said: Structural(0.0)(chain(student), said), lambda: by_sentence(one), student)


def test_transitions_that_differ_from_word_to_word_are_refused() -> None:
    by_word = LinearChainCRF(torch.zeros(1, 4, TAGS), torch.zeros(1, 3, TAGS, TAGS), torch.tensor([4]))
    shared = LinearChainCRF(torch.zeros(1, 4, TAGS), torch.zeros(TAGS, TAGS), torch.tensor([4]))
    for alpha in (0.0, 1.0):
        with pytest.raises(ValueError, match="from word to word"):
            Structural(alpha)(by_word, TeacherTargets.of(shared, Structural(alpha)))
    with pytest.raises(ValueError, match="from word to word"):
        TeacherTargets.of(by_word, Structural(0.5))
    counts = Structural()(shared, TeacherTargets.of(by_word, Structural()))  # expectations are enough
    torch.testing.assert_close(counts, by_word.cross_entropy(shared))


@pytest.mark.parametrize("alpha", [0.0, 0.001, 0.999, 1.0])
def test_structural_is_exact_in_single_precision(alpha: float) -> None:
    lengths, generator = torch.tensor([40]), torch.Generator().manual_seed(0)
    emissions = [4 * torch.randn(1, 40, 9, generator=generator) for _ in range(2)]
    slopes = []
    for dtype in (torch.float32, torch.float64):
        student, teacher = (one.to(dtype).requires_grad_() for one in emissions)
        crfs = [LinearChainCRF(one, torch.eye(9, dtype=dtype), lengths) for one in (student, teacher)]
        objective = Structural(alpha)
        loss = objective(crfs[0], TeacherTargets.of(crfs[1], objective)).sum()
        slopes.append(torch.autograd.grad(loss, student)[0].double())
    torch.testing.assert_close(slopes[0], slopes[1], rtol=0, atol=1e-3)


def test_a_mass_of_1_leaves_out_no_path_of_a_sure_teacher() -> None:
    sure = LinearChainCRF(torch.tensor([[[40.0, 0.0], [0.0, 40.0]]]), torch.zeros(2, 2), torch.tensor([2]))
    assert path_set([sure], [1.0], 1.0).all()


@pytest.mark.parametrize("mass", [0.3, 0.95, 1.0])
def test_path_set(mass: float) -> None:
    """S by its definition: a path belongs to it if each of its pairs does."""
    teachers, student = [potentials(27), potentials(28)], potentials(29)
    weights = [0.7, 0.3]
    said = TeacherTargets(pairs=path_set([chain(teacher) for teacher in teachers], weights, mass))

    def one(row: int) -> Tensor:
        paths, log_probs = enumerate_log_probs(student, row)
        of_teachers = [enumerate_log_probs(teacher, row)[1].exp() for teacher in teachers]
        mixed = sum(weight * p for weight, p in zip(weights, of_teachers, strict=True))
        allowed = []
        for i in range(max(1, int(LENGTHS[row]) - 1)):
            mass_of: dict[tuple, float] = {}
            for path, probability in zip(paths, mixed.tolist(), strict=True):
                mass_of[path[i : i + 2]] = mass_of.get(path[i : i + 2], 0.0) + probability
            ordered = sorted(mass_of, key=mass_of.__getitem__, reverse=True)
            before = itertools.accumulate([0.0, *(mass_of[pair] for pair in ordered)])
            kept = {pair for pair, sum_before in zip(ordered, before, strict=False) if sum_before < mass}
            allowed.append(kept | {paths[int(p.argmax())][i : i + 2] for p in of_teachers})
        inside = [all(path[i : i + 2] in pairs for i, pairs in enumerate(allowed)) for path in paths]
        return -log_probs[torch.tensor(inside)].logsumexp(0)

    check(lambda: PathSet(mass)(chain(student), said), lambda: by_sentence(one), student)


def test_a_student_that_forbids_the_whole_path_set_has_loss_0() -> None:
    emissions, transitions, _, end = potentials(30)
    emissions.requires_grad_()
    said = TeacherTargets(pairs=torch.zeros(4, 4, TAGS, TAGS, dtype=torch.bool))
    loss = PathSet()(LinearChainCRF(emissions, transitions, LENGTHS, None, end), said)
    assert (loss == 0).all()
    assert torch.autograd.grad(loss.sum(), emissions)[0].isfinite().all()


def test_softened_marginals_sum_to_1_and_padding_stays_0() -> None:
    marginals = torch.tensor([[0.9, 0.1, 0.0], [0.0, 0.0, 0.0]])
    expected = torch.tensor([[0.75, 0.25, 0.0], [0.0, 0.0, 0.0]])
    torch.testing.assert_close(softened(marginals, 2.0), expected)
    assert softened(marginals, 1.0) is marginals


@pytest.mark.parametrize("weights", [(0.5, 0.5), (1.0, 1.0)])
def test_pos_topwk_is_the_weighted_sum(weights: tuple[float, float]) -> None:
    student, said = potentials(8), targets(potentials(9), 5)
    both = PosTopWK(posterior_weight=weights[0], topwk_weight=weights[1])
    expected = weights[0] * Posterior()(chain(student), said) + weights[1] * TopWK()(chain(student), said)
    torch.testing.assert_close(both(chain(student), said), expected)


def test_the_teacher_itself_is_the_minimum() -> None:
    values = potentials(10)
    said = targets(values, 81)
    for objective in (Emission(), Posterior(), TopWK(), Structural(), Structural(0.5), Structural(0.0)):
        own = objective(chain(values), said).sum()
        assert objective(chain(potentials(11)), said).sum() > own


def test_what_the_scheme_forbids_leaves_loss_and_gradient_finite() -> None:
    emissions, transitions, start, end = potentials(12)
    said = targets((emissions, transitions, start, end), 5)
    emissions.requires_grad_()
    forbidding = start.masked_fill(torch.tensor([True, False, False]), -math.inf)
    for temperature in (1.0, 2.0):
        softened = [kind(temperature=temperature) for kind in (Emission, TopWK, Posterior, PosTopWK)]
        for objective in (TopK(), *softened):
            value = objective(LinearChainCRF(emissions, transitions, LENGTHS, forbidding, end), said).sum()
            (gradient,) = torch.autograd.grad(value, emissions)
            assert value.isfinite()
            assert gradient.isfinite().all(), objective


def test_missing_targets_are_named() -> None:
    with pytest.raises(ValueError, match="marginals"):
        Posterior()(chain(potentials(0)), TeacherTargets())
    with pytest.raises(ValueError, match="paths"):
        TopK()(chain(potentials(0)), TeacherTargets(log_probs=torch.zeros(4, 1)))


def test_targets_come_from_any_distribution() -> None:
    """An objective serves without trainer, cache or tagger; what it does not need is not computed."""
    teacher, student = potentials(13), potentials(14)
    for objective in (
        *(Emission(2.0), TopK(3), TopWK(3), Posterior(2.0, "potentials"), PosTopWK(4, 2.0, "potentials")),
        *(Structural(), Structural(0.5, 2.0), Structural(1.0, 2.0), Token(2.0), PathSet(0.5)),
    ):
        temperature = objective.needs.marginals or 1.0
        everything = targets(teacher, objective.needs.k or 1, temperature)
        everything.marginals = softened(everything.marginals, objective.needs.softening)
        everything.pairs = path_set([chain(teacher)], [1.0], objective.needs.path_set or 1.0)
        needed = TeacherTargets.of(chain(teacher), objective)
        assert torch.equal(objective(chain(student), needed), objective(chain(student), everything))
        assert (needed.paths is None) == (not objective.needs.k)
        assert (needed.marginals is None) == (objective.needs.marginals is None)
        assert (needed.emissions is None) == (not objective.needs.emissions)
        assert (needed.unary is None) == (not objective.needs.chain)
        assert (needed.transition_counts is None) == (objective.needs.transition_counts is None)
        assert (needed.pairs is None) == (objective.needs.path_set is None)


def test_no_gradient_flows_to_the_teacher() -> None:
    teacher, student = potentials(15), potentials(16)
    teacher[0].requires_grad_()
    student[0].requires_grad_()
    for objective in (Emission(), PosTopWK(), Structural(), Structural(0.5), PathSet()):
        of_teacher = chain(teacher)
        objective(chain(student), TeacherTargets.of(of_teacher, objective)).sum().backward()
        assert teacher[0].grad is None
        assert of_teacher.marginals.requires_grad  # the distribution itself may still be trained


def test_each_module_defines_the_objective_of_its_name() -> None:
    folder = Path(package.__file__).parent
    assert sorted(objective_names()) == sorted(
        file.stem for file in folder.glob("*.py") if file.stem != "__init__"
    )
    for name in objective_names():
        module = sys.modules[f"{package.__name__}.{name}"]
        defined = [
            value
            for value in vars(module).values()
            if isinstance(value, type)
            and issubclass(value, Objective)
            and value.__module__ == module.__name__
        ]
        assert defined == [by_name(name)]
        assert defined[0].__name__.lower() == name.replace("_", "")
        assert defined[0].loss_name() == name
        assert getattr(package, defined[0].__name__) is defined[0]
        settings = defined[0]().settings()
        assert all(type(value) in (int, float, str) for value in settings.values())


def test_losses_come_in_the_order_of_the_paper_and_without_torch() -> None:
    assert losses() == (
        "none",
        "token",
        "emission",
        "topk",
        "topwk",
        "posterior",
        "pos_topwk",
        "path_set",
        "structural",
    )
    code = "import sys; from skd_lightning.distillation.names import losses; losses(); print('torch' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "False\n"


def test_a_misspelt_objective_is_told_the_nearest() -> None:
    with pytest.raises(UserError, match="there is no 'posteriors': did you mean 'posterior'"):
        by_name("posteriors")


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (TopK, {"k": 0}, "--model.objective.k is 0, it must be at least 1"),
        (PosTopWK, {"k": -1}, "--model.objective.k is -1"),
        (Token, {"temperature": 0.0}, "--model.objective.temperature is 0.0, it must be above 0"),
        (Emission, {"temperature": math.nan}, "--model.objective.temperature is nan"),
        (Posterior, {"temperature": math.inf}, "--model.objective.temperature is inf"),
        (
            TopWK,
            {"tempering": "both"},
            "--model.objective.tempering is both, it must be marginals or potentials",
        ),
        (PosTopWK, {"topwk_weight": -0.5}, "--model.objective.topwk_weight is -0.5, it must be at least 0"),
        (
            Structural,
            {"alpha": 1.5},
            "--model.objective.alpha is 1.5, it must be 0, 1, or from 0.001 to 0.999",
        ),
        (Structural, {"alpha": 1e-6}, "--model.objective.alpha is 1e-06, it must be 0, 1, or from 0.001"),
        (Structural, {"temperature": -1.0}, "--model.objective.temperature is -1.0, it must be above 0"),
        (PathSet, {"mass": 0.0}, "--model.objective.mass is 0.0, it must be above 0, at most 1"),
        (PosTopWK, {"posterior_weight": math.nan}, "--model.objective.posterior_weight is nan"),
    ],
)
def test_settings_out_of_range_are_refused(kind: type[Objective], settings: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        kind(**settings)


def test_an_objective_names_the_decoders_that_it_goes_with() -> None:
    data = {"tags": ["O"], "scheme": "none", "languages": ["en"]}
    assert Student(**data, embedder=NgramEmbedder(buckets=64), objective=PosTopWK()).objective == PosTopWK()
    with pytest.raises(
        UserError, match=r"--model.objective Token is for softmax decoders: add --model.decoder softmax"
    ):
        Student(**data, embedder=NgramEmbedder(buckets=64), objective=Token())
    student = Student(**data, embedder=NgramEmbedder(buckets=64), decoder="softmax", objective=Token())
    assert student.objective == Token()


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (["--model.objective", "TopKK"], "TopKK"),
        (
            ["--model.objective", "TopK", "--model.objective.temperture", "2"],
            "unknown option --model.objective.temperture: did you mean --model.objective.temperature?",
        ),
        (["--model.objective", "TopK", "--model.objective.k", "many"], "many"),
        (
            ["--model.objective", "TopK", "--model.objective.k", "0"],
            "--model.objective.k is 0, it must be at least 1",
        ),
    ],
)
def test_mistakes_in_an_objective_are_named(
    options: list[str], wanted: str, capsys: pytest.CaptureFixture
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["fit", "--config", "experiments/student.yaml", *options])
    assert stop.value.code == 2
    told = capsys.readouterr().err
    assert wanted in told
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    ("max_epochs", "max_steps", "steps"),
    [(4, -1, 40), (-1, 25, 25), (None, 25, 25), (100, 25, 25), (2, 25, 20), (-1, 4, 4), (-1, -1, math.inf)],
)
def test_the_weight_of_the_teacher_falls_until_the_first_bound_ends_the_training(
    max_epochs: int | None, max_steps: int, steps: float
) -> None:
    student = Student(
        ["O"], "none", ["en"], NgramEmbedder(4, 16), objective=Posterior(), annealing=Annealing("step")
    )
    for done in (0, 3, steps - 1):
        student._trainer = SimpleNamespace(
            num_training_batches=20,
            accumulate_grad_batches=2,
            max_epochs=max_epochs,
            max_steps=max_steps,
            current_epoch=0,
            global_step=0 if done == math.inf else done,
        )
        expected = 1.0 if steps == math.inf else 1.0 - done / steps
        assert student.teacher_weight() == pytest.approx(expected)


def test_annealing() -> None:
    by_epoch = Annealing("epoch", epochs=4)
    assert [by_epoch.weight(epoch, epoch + 0.9, 10) for epoch in range(6)] == [1.0, 0.75, 0.5, 0.25, 0.0, 0.0]
    assert Annealing("step").weight(2, 2.5, 10) == 0.75
    assert Annealing("constant", 0.3).weight(9, 9.5, 10) == 0.3
    with pytest.raises(ValueError, match="start"):
        Annealing(start=1.5)
