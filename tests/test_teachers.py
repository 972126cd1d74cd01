"""Who speaks on which language; pools of teachers against sums over all tag sequences."""

import itertools
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor

from skd_lightning.crf import LinearChainCRF
from skd_lightning.data.sentence import Sentence
from skd_lightning.distillation.cache.answers import Answers
from skd_lightning.distillation.cache.entry import Potentials
from skd_lightning.distillation.cache.parts import Parts
from skd_lightning.distillation.objective import Needs
from skd_lightning.distillation.tag_mapping import map_tags
from skd_lightning.distillation.teachers import Pool, TeacherSet
from skd_lightning.distillation.teachers.asking import Asking, Text
from skd_lightning.distillation.teachers.pools import calibrated, learn_weights, product
from skd_lightning.errors import UserError
from skd_lightning.tags import TagSet

# -- who speaks -------------------------------------------------------------------------------------------


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Teachers of en and de, and two students."""
    for run in ("teachers/en", "teachers/de", "multi/seed1", "multi/seed2"):
        checkpoints = tmp_path / run / "checkpoints"
        checkpoints.mkdir(parents=True)
        (checkpoints / "best.ckpt").touch()
    return tmp_path


def file_of(runs: Path, text: str) -> TeacherSet:
    file = runs / "teachers.yaml"
    file.write_text(text.replace("@", f"{runs}/"))
    return TeacherSet.named(str(file))


def test_a_folder_holds_one_teacher_a_language(runs: Path) -> None:
    teachers = TeacherSet.named(str(runs / "teachers"))
    assert teachers.of("de") == (runs / "teachers" / "de",)
    assert teachers.of("fi") == ()
    teachers.require(["de", "en"])
    with pytest.raises(
        UserError, match=r"no teacher for language 'fi' or 'sv' in .*: skd teachers --langs fi sv "
    ):
        teachers.require(["en", "fi", "sv"])


def test_a_teacher_whose_training_was_stopped_teaches_nobody(runs: Path) -> None:
    state = runs / "teachers/de/checkpoints/last.ckpt"
    state.touch()
    teachers = TeacherSet.named(str(runs / "teachers"))
    teachers.require(["en"])
    with pytest.raises(UserError, match=r"teachers/de: the training of this teacher has not finished"):
        teachers.require(["de", "en"])
    (runs / "teachers/de/results.json").write_text(
        "{}"
    )  # one that is trained anew beside it is another folder's
    teachers.require(["de", "en"])


def test_runs_speak_on_every_language(runs: Path) -> None:
    students = [str(runs / "multi" / f"seed{seed}") for seed in (1, 2)]
    teachers = TeacherSet.named([*students, str(runs / "teachers")], kind="product", weights="dev")
    both = tuple(map(Path, students))
    assert teachers.pool("fi") == Pool(both, "product", "dev")
    assert teachers.pool("en") == Pool((*both, runs / "teachers" / "en"), "product", "dev")
    assert TeacherSet.named(students[0]).of("fi") == both[:1]


def test_a_file_of_teachers(runs: Path) -> None:
    teachers = file_of(
        runs,
        """
        en: [@teachers, @multi/seed1]
        de: @teachers/de
        ga: {product: [en, de], weights: [3, 1]}
        "*": {mixture: [@multi/seed1, @multi/seed2], weights: dev}
        sv: "*"
        tags: {PERSON: PER}
        """,
    )
    en, de, first, second = (
        runs / name for name in ("teachers/en", "teachers/de", "multi/seed1", "multi/seed2")
    )
    assert teachers.pool("en") == Pool((en, first))
    assert teachers.pool("de") == Pool((de,))
    assert teachers.pool("ga") == Pool((en, first, de), "product", (0.375, 0.375, 0.25))
    assert teachers.pool("fi") == teachers.pool("sv") == Pool((first, second), "mixture", "dev")
    assert teachers.tags == {"PERSON": "PER"}
    teachers.require(["en", "de", "ga", "fi", "sv"])
    teachers.require(["ga", "sv"])  # the others are its teachers


def test_entries_of_several_teachers_count_as_one_each(runs: Path) -> None:
    apart = file_of(runs, "en: [@teachers, de]\nde: [@multi/seed1, @multi/seed2]")
    assert apart.pool("en").weights == (0.5, 0.25, 0.25)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("en: @nowhere", r"nowhere holds no finished teacher for 'en'"),
        ("en: [@teachers, @multi/seed9]", r"seed9 holds no finished teacher for 'en'"),
        (
            "en: {product: [@teachers, @multi/seed1], weights: [1]}",
            r"weights of 'en' are \[1\].*2 numbers above 0",
        ),
        ("en: {product: [@teachers, @multi/seed1], weights: [1, 0]}", "2 numbers above 0"),
        ("en: {product: [@teachers, @multi/seed1], weights: [1, .inf]}", "2 numbers above 0"),
        ("en: {product: [@teachers, @multi/seed1], weights: [1, true]}", "2 numbers above 0"),
        ("en: {sum: [@teachers]}", r"the teachers of 'en' are \{'sum'"),
        ("en: {product: [{mixture: [@teachers]}, @multi/seed1]}", "a pool inside of another is not offered"),
        ("tags: {PERSON: PER}", "it names no teachers"),
        ("en: []", r"the teachers of 'en' are \[\]; expected"),
        ("en: 3", "the teachers of 'en' are 3; expected"),
        ("en: de\nde: en", "the teachers of en are said to be its own"),
        ("en: @teachers\nxx: @multi/seed1", r"no text of language xx is trained on \(there is en\)"),
        ("[en, de]", "expected {language: teachers}"),
        ("en: 'a", "not YAML"),
        ("no: @teachers", "write the language as 'no'"),
        ("en: @teachers\ntags: [PER]", "'tags' must map names of tags"),
        ("en: @teachers\ntags: {PER: }", "'tags' must map names of tags"),
        ("en: [@teachers, {product: [@multi/seed1, @multi/seed2]}]", "'en' has {'product'.* as a member"),
        (
            "en: [de, @teachers]\nde: {product: [@teachers, @multi/seed1]}",
            "'en' has {'product'.* as a member",
        ),
        ("en: [@teachers, []]", r"the teachers of 'en' are \[\]; expected"),
    ],
)
def test_mistakes_in_a_file_of_teachers_are_named(runs: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        file_of(runs, text).require(["en"])


@pytest.mark.parametrize("wrong", ["multi/seed9", "empty", "teachers.yaml"])
def test_a_teacher_that_does_not_exist_is_named_beside_others_that_do(runs: Path, wrong: str) -> None:
    (runs / "empty").mkdir()
    file_of(runs, "en: @teachers")
    teachers = TeacherSet.named([str(runs / "teachers"), str(runs / wrong)])
    with pytest.raises(UserError, match=rf"{wrong}: no teacher for en, de there; expected a run folder"):
        teachers.require(["en", "de"])


@pytest.mark.parametrize("name", ["said.json", "mine.py", "best.ckpt"])
def test_a_file_of_another_kind_is_said_to_be_no_teacher(runs: Path, name: str) -> None:
    (runs / name).write_text("{}")
    for teachers in (TeacherSet.named(str(runs / name)), file_of(runs, f"'*': @{name}")):
        with pytest.raises(
            UserError, match=rf"{name}: a file, but no teacher; give .* predictions \(\.jsonl\)"
        ):
            teachers.require(["en"])


def test_a_missing_file_of_teachers_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        TeacherSet.named(str(tmp_path / "none.yaml"))


def test_names_of_tags_are_mapped() -> None:
    ours = TagSet(("O", "B-PER", "I-PER"), "iob2")
    theirs = TagSet(("O", "B-MISC", "I-MISC", "B-PERSON", "I-PERSON"), "iob2")
    names = {"PERSON": "PER", "MISC": "O"}
    np.testing.assert_array_equal(map_tags(theirs, ours, "x", names), [0, 0, 0, 1, 2])
    assert map_tags(TagSet(("NOUN",), "none"), TagSet(("N",), "none"), "x", {"NOUN": "N"}) == [0]
    with pytest.raises(UserError, match=r"x: .*tags B-PERSON, I-PERSON; it knows O, B-PER, I-PER; .*'tags'"):
        map_tags(theirs, ours, "x", {"MISC": "O"})


# -- what a pool says -------------------------------------------------------------------------------------

LENGTHS = np.array([3, 0, 1, 4])
STARTS = np.cumsum(LENGTHS) - LENGTHS
TAGS = 3
WEIGHTS = (0.6, 0.4)


def potentials(seed: int, dtype: type = np.float64) -> Potentials:
    generator = np.random.default_rng(seed)
    transitions = generator.normal(size=(TAGS, TAGS))
    transitions[seed % TAGS, 0] = -np.inf
    return Potentials(
        *(2 * generator.normal(size=(8, TAGS)).astype(dtype), transitions.astype(dtype)),
        *(generator.normal(size=TAGS).astype(dtype) for _ in range(2)),
    )


MEMBERS = [potentials(1, np.float32), potentials(2, np.float32)]


def enumerated(member: Potentials, sentence: int) -> dict[tuple[int, ...], float]:
    """Every tag sequence of a sentence with its probability."""
    first, length = STARTS[sentence], LENGTHS[sentence]
    scores = {}
    for path in itertools.product(range(TAGS), repeat=length):
        score = sum(float(member.emissions[first + i, tag]) for i, tag in enumerate(path))
        score += sum(float(member.transitions[a, b]) for a, b in itertools.pairwise(path))
        score += float(member.start[path[0]] + member.end[path[-1]]) if path else 0.0
        scores[path] = score
    total = math.fsum(math.exp(score) for score in scores.values())
    return {path: math.exp(score) / total for path, score in scores.items()}


def mixed(sentence: int) -> dict[tuple[int, ...], float]:
    both = [enumerated(member, sentence) for member in MEMBERS]
    return {path: sum(w * p[path] for w, p in zip(WEIGHTS, both, strict=True)) for path in both[0]}


def geometric(sentence: int) -> dict[tuple[int, ...], float]:
    both = [enumerated(member, sentence) for member in MEMBERS]
    raw = {path: math.prod(p[path] ** w for w, p in zip(WEIGHTS, both, strict=True)) for path in both[0]}
    return {path: value / math.fsum(raw.values()) for path, value in raw.items()}


def check(answers: Answers, expected: dict[tuple[int, ...], float], sentence: int) -> None:
    """Marginals and counts of a sentence, from the probability of every sequence."""
    length = LENGTHS[sentence]
    marginals, counts = np.zeros((length, TAGS)), np.zeros((TAGS, TAGS))
    for path, probability in expected.items():
        marginals[np.arange(length), path] += probability
        for a, b in itertools.pairwise(path):
            counts[a, b] += probability
    stored = np.zeros((length, TAGS))
    row, column, value = answers.expectations()[0].take(STARTS[sentence] + np.arange(length))
    stored[row, column] = value
    np.testing.assert_allclose(stored, marginals, atol=1e-3)
    stored = np.zeros(TAGS * TAGS)
    _, column, value = answers.expectations()[1].take(np.array([sentence]))
    stored[column] = value
    np.testing.assert_allclose(stored.reshape(TAGS, TAGS), counts, atol=1e-3)


@pytest.mark.parametrize("sentence", range(4))
def test_a_mixture_averages_probabilities(tmp_path: Path, sentence: int) -> None:
    answers, expected = Answers(Parts(tmp_path / "key"), LENGTHS, lambda: MEMBERS, WEIGHTS), mixed(sentence)
    check(answers, expected, sentence)
    paths, log_probs = answers.paths(81)  # of every member all, so that nothing is missing
    found = {
        tuple(path.tolist()): math.exp(log_prob)
        for path, log_prob in zip(
            paths[STARTS[sentence] :][: LENGTHS[sentence]].T, log_probs[sentence], strict=True
        )
        if log_prob > -math.inf
    }
    possible = {path: probability for path, probability in expected.items() if probability > 0}
    assert found == pytest.approx(possible, rel=1e-4, abs=1e-7)
    assert (np.diff(log_probs[sentence][np.isfinite(log_probs[sentence])]) <= 0).all()


def test_the_best_of_a_mixture_are_among_the_best_of_its_members(tmp_path: Path) -> None:
    paths, log_probs = Answers(Parts(tmp_path / "key"), LENGTHS, lambda: MEMBERS, WEIGHTS).paths(2)
    for sentence in range(4):
        best = set()
        for member in MEMBERS:
            own = enumerated(member, sentence)
            best |= set(sorted(own, key=own.__getitem__)[-2:])
        probability = mixed(sentence)
        expected = sorted(best, key=probability.__getitem__, reverse=True)[:2]
        for rank, path in enumerate(expected):
            assert tuple(paths[STARTS[sentence] :][: LENGTHS[sentence], rank].tolist()) == path
            assert math.exp(log_probs[sentence, rank]) == pytest.approx(probability[path], rel=1e-4)


@pytest.mark.parametrize("sentence", range(4))
def test_a_product_averages_potentials(tmp_path: Path, sentence: int) -> None:
    answers = Answers(Parts(tmp_path / "key"), LENGTHS, lambda: [product(MEMBERS, WEIGHTS)])
    check(answers, geometric(sentence), sentence)


def test_disagreement_is_the_divergence_from_the_product(tmp_path: Path) -> None:
    found = Answers(Parts(tmp_path / "key"), LENGTHS, lambda: MEMBERS, WEIGHTS).disagreement()
    for sentence in range(4):
        pool = geometric(sentence)
        expected = sum(
            weight * sum(p * math.log(p / own[path]) for path, p in pool.items() if p > 0)
            for weight, own in ((w, enumerated(m, sentence)) for w, m in zip(WEIGHTS, MEMBERS, strict=True))
        )
        assert found[sentence] == pytest.approx(expected, abs=1e-5)
    same = Answers(Parts(tmp_path / "same"), LENGTHS, lambda: MEMBERS[:1] * 2, WEIGHTS).disagreement()
    np.testing.assert_allclose(same, 0, atol=1e-5)


def chains(members: list[Potentials]) -> list[LinearChainCRF]:
    return [member.chain(np.arange(4), LENGTHS, STARTS) for member in members]


@pytest.mark.parametrize("kind", ["mixture", "product"])
def test_weights_make_the_annotated_sentences_most_probable(kind: str) -> None:
    """Against all weights of a fine grid, on sentences that one member drew."""
    lengths = torch.full((60,), 4)
    generator = torch.Generator().manual_seed(0)

    def draw(scale: float) -> LinearChainCRF:
        emissions = scale * torch.randn(60, 4, TAGS, generator=generator)
        return LinearChainCRF(emissions, torch.randn(TAGS, TAGS, generator=generator), lengths)

    crfs = [draw(1.0), draw(1.5)]
    gold = torch.where(
        torch.rand(60, 1, generator=generator) < 0.7, *(crf.sample(1, generator)[:, 0] for crf in crfs)
    )
    found = learn_weights(kind, crfs, gold)
    crfs = [calibrated(crf, gold) for crf in crfs]

    def likelihood(weight: float) -> float:
        shares = (weight, 1 - weight)
        if kind == "mixture":
            logs = torch.stack(
                [math.log(w) + crf.log_prob(gold) for w, crf in zip(shares, crfs, strict=True)]
            )
            return float(logs.logsumexp(0).sum())
        unary, transitions = (
            sum(w * getattr(crf, name) for w, crf in zip(shares, crfs, strict=True))
            for name in ("unary", "transitions")
        )
        return float(LinearChainCRF(unary, transitions, lengths).log_prob(gold).sum())

    best = max(np.linspace(0.005, 0.995, 199), key=likelihood)
    assert sum(found) == pytest.approx(1.0)
    assert found[0] == pytest.approx(best, abs=0.01)


@pytest.mark.parametrize("kind", ["mixture", "product"])
def test_weights_favour_who_is_right_and_not_who_is_unsure(kind: str) -> None:
    """The first member is right more often, and far too sure: by its own probabilities it is the less likely one."""
    generator = torch.Generator().manual_seed(0)
    lengths = torch.full((200,), 4)
    gold = torch.randint(TAGS, (200, 4), generator=generator)

    def member(right: float, scores: float) -> LinearChainCRF:
        wrong = torch.randint(TAGS, (200, 4), generator=generator)
        said = torch.where(torch.rand(200, 4, generator=generator) < right, gold, wrong)
        emissions = scores * torch.nn.functional.one_hot(said, TAGS).float()
        return LinearChainCRF(emissions, torch.zeros(TAGS, TAGS), lengths)

    sure, unsure = member(0.8, 20.0), member(0.5, 1.0)
    assert sure.log_prob(gold).sum() < unsure.log_prob(gold).sum()
    assert learn_weights(kind, [sure, unsure], gold)[0] > 0.7


def test_the_temperature_is_that_of_the_distribution_that_the_tags_were_drawn_from() -> None:
    generator = torch.Generator().manual_seed(0)
    emissions = torch.randn(400, 5, TAGS, generator=generator)
    crf = LinearChainCRF(emissions, torch.randn(TAGS, TAGS, generator=generator), torch.full((400,), 5))
    gold = crf.sample(1, generator)[:, 0]
    for scale in (0.5, 1.0, 4.0):
        found = calibrated(crf.tempered(1 / scale), gold)
        np.testing.assert_allclose(found.marginals, crf.marginals, atol=1e-5)
    ends = calibrated(crf.tempered(1000.0), gold)
    np.testing.assert_allclose(ends.marginals, crf.tempered(500.0).marginals, atol=1e-5)


@pytest.mark.parametrize("kind", ["mixture", "product"])
def test_weights_are_numbers_where_members_forbid_what_somebody_annotated(kind: str) -> None:
    lengths = torch.full((8,), 2)
    generator = torch.Generator().manual_seed(1)
    gold = torch.randint(0, 2, (8, 2), generator=generator)
    gold[0] = 2
    crfs = []
    for forbidden in (2, 2):
        emissions = torch.randn(8, 2, TAGS, generator=generator)
        emissions[..., forbidden] = -torch.inf
        crfs.append(LinearChainCRF(emissions, torch.zeros(TAGS, TAGS), lengths))
    found = learn_weights(kind, crfs, gold)
    assert sum(found) == pytest.approx(1.0)
    assert learn_weights(kind, crfs, torch.full_like(gold, 2)) == (0.5, 0.5)


@pytest.mark.parametrize("kind", ["mixture", "product"])
def test_weights_are_learned_where_members_forbid_tags_and_a_member_is_useless(kind: str) -> None:
    lengths = torch.full((20,), 4)
    generator = torch.Generator().manual_seed(0)
    gold = torch.randint(TAGS - 1, (20, 4), generator=generator)
    transitions = torch.zeros(TAGS, TAGS)
    transitions[TAGS - 1] = -torch.inf  # from the last tag to any

    def member(scores: float) -> LinearChainCRF:
        emissions = scores * torch.nn.functional.one_hot(gold, TAGS).float()
        return LinearChainCRF(emissions, transitions, lengths)

    good, bad = learn_weights(kind, [member(3.0), member(-3.0)], gold)
    assert good > 0.99
    assert 0 < bad < 0.01  # a weight of 0 would lose what the member forbids: 0 · -inf
    gold[0] = TAGS - 1  # impossible for both; the other sentences still count
    assert learn_weights(kind, [member(3.0), member(-3.0)], gold)[0] == pytest.approx(good, rel=1e-3)
    assert learn_weights(kind, [member(3.0), member(-3.0)], torch.full((20, 4), TAGS - 1)) == (0.5, 0.5)


# -- asking a pool ----------------------------------------------------------------------------------------


class Speaker:
    """A teacher of made-up potentials; its tags are in another order than the student's."""

    speaks, complete = Potentials, True

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.languages = [{1: "de", 2: "ru"}[seed]]
        self.tag_set = TagSet(tuple("CAB"), "none") if seed == 2 else TagSet(tuple("ABC"), "none")
        self.member = potentials(seed, np.float32)

    def fingerprint(self) -> str:
        return str(self.seed)

    def scores(self) -> tuple[Tensor, ...]:
        return tuple(map(torch.from_numpy, (self.member.transitions, self.member.start, self.member.end)))

    def predict_emissions(self, sentences: list, advance: object, language: str) -> np.ndarray:
        return self.member.emissions[: sum(map(len, sentences))]

    def speak(self, sentences: list, advance: object, language: str) -> Potentials:
        return Potentials.of(self.predict_emissions(sentences, advance, language), self)


STUDENT = SimpleNamespace(
    tag_set=TagSet(tuple("ABC"), "none"), load_teacher=lambda path, _: Speaker(int(path.name))
)
TEXT = Text("en unlabelled", "en", [("w",) * n for n in LENGTHS], labelled=False)


def asking(folder: Path, kind: str, needs: Needs, **settings: object) -> Asking:
    for seed in (1, 2):
        (folder / "teachers" / str(seed) / "checkpoints").mkdir(parents=True, exist_ok=True)
        (folder / "teachers" / str(seed) / "checkpoints" / "best.ckpt").touch()
    paths = [str(folder / "teachers" / str(seed)) for seed in (1, 2)]
    return Asking(STUDENT, TeacherSet.named(paths, kind), needs, folder / "cache", "float32", **settings)


def in_the_students_order() -> list[Potentials]:
    first, second = (Speaker(seed).member for seed in (1, 2))
    order = np.array([1, 2, 0])  # A, B and C among C, A, B
    reordered = Potentials(
        *(second.emissions[:, order], second.transitions[np.ix_(order, order)]),
        *(second.start[order], second.end[order]),
    )
    return [first, reordered]


def test_members_with_tags_in_another_order_are_pooled(tmp_path: Path) -> None:
    words, found = asking(tmp_path, "product", Needs(chain=True)).answers(TEXT, [])
    expected = product(in_the_students_order(), (0.5, 0.5))
    for ours, theirs in zip(
        words.potentials.chain(np.arange(4), LENGTHS, STARTS).marginals,
        expected.chain(np.arange(4), LENGTHS, STARTS).marginals,
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs)
    assert not found.hit
    assert asking(tmp_path, "product", Needs(chain=True)).answers(TEXT, [])[1].hit
    assert len(found.parts) == 3  # both members, and the pool


@pytest.mark.parametrize(
    "needs",
    [Needs(k=2), Needs(marginals=1.0, transition_counts=1.0), Needs(path_set=0.9), Needs(emissions=True)],
    ids=["k", "expectations", "path set", "emissions"],
)
def test_a_product_answers_every_question(tmp_path: Path, needs: Needs) -> None:
    """Its potentials and what is derived from them are parts of one folder, which is locked for each."""
    words, found = asking(tmp_path, "product", needs, most_disagreement=1.0).answers(TEXT, [])
    assert found.pooled.has("emissions")
    assert words.taught.shape == LENGTHS.shape
    again = asking(tmp_path, "product", needs, most_disagreement=1.0).answers(TEXT, [])[0]
    np.testing.assert_array_equal(again.taught, words.taught)


def test_a_mixture_without_potentials_is_refused_where_they_are_needed(tmp_path: Path) -> None:
    asking(tmp_path, "mixture", Needs(marginals=1.0)).check("en")
    asking(tmp_path, "product", Needs(chain=True)).check("en")
    with pytest.raises(
        UserError, match=r"2 teachers speak on 'en' as a mixture.*--distillation.pool product"
    ):
        asking(tmp_path, "mixture", Needs(chain=True)).check("en")


def test_a_product_of_teachers_without_a_common_tag_is_refused(tmp_path: Path) -> None:
    tags = {"1": ("A",), "2": ("B", "C")}

    def load(path: Path, _: object) -> Speaker:
        speaker = Speaker(int(path.name))
        speaker.tag_set = TagSet(tags[path.name], "none")
        return speaker

    student = SimpleNamespace(tag_set=STUDENT.tag_set, load_teacher=load)
    pool = asking(tmp_path, "product", Needs(marginals=1.0))
    with pytest.raises(
        UserError, match=r"teachers of 'en' have no tag in common.*--distillation.pool mixture"
    ):
        Asking(student, pool.teachers, pool.needs, pool.cache, "float32").check("en")


def test_a_pool_whose_tags_fall_together_is_refused(tmp_path: Path) -> None:
    several = asking(tmp_path, "mixture", Needs(marginals=1.0))
    merged = TeacherSet(several.teachers.sources, tags={"C": "A"})
    with pytest.raises(UserError, match="several of its tags are one tag of the student's"):
        Asking(STUDENT, merged, several.needs, several.cache, "float32").check("en")


def test_tags_that_fall_together_are_refused_where_each_would_be_softened_alone(tmp_path: Path) -> None:
    one = asking(tmp_path, "mixture", Needs(marginals=1.0))
    merged = TeacherSet(one.teachers.sources[:1], tags={"C": "A"})
    plain, softened = (
        Asking(STUDENT, merged, needs, one.cache, "float32")
        for needs in (Needs(marginals=1.0), Needs(marginals=1.0, softening=2.0))
    )
    plain.check("en")
    with pytest.raises(UserError, match="the temperature would soften each alone"):
        softened.check("en")


def test_a_pool_under_another_mapping_of_tags_is_another_entry(tmp_path: Path) -> None:
    one = asking(tmp_path, "mixture", Needs(marginals=1.0))
    swapped = TeacherSet(one.teachers.sources, tags={"A": "B", "B": "A"})
    found = one.answers(TEXT, [])[1]
    other = Asking(STUDENT, swapped, one.needs, one.cache, "float32").answers(TEXT, [])[1]
    assert [member.hit for member in other.members] == [True, True]
    assert other.pooled.folder != found.pooled.folder


def test_nobody_listens_where_the_members_disagree(tmp_path: Path) -> None:
    needs = Needs(marginals=1.0)
    nats = asking(tmp_path, "mixture", needs).answers(TEXT, [])[0]
    assert nats.taught is None
    everyone = asking(tmp_path, "mixture", needs, most_disagreement=1e9).answers(TEXT, [])
    assert everyone[0].taught.all()
    some, found = asking(tmp_path, "mixture", needs, most_disagreement=0.3).answers(TEXT, [])
    parts = Parts(found.pooled.folder)
    disagreement = parts.open("disagreement")["nats"] / np.maximum(LENGTHS, 1)
    np.testing.assert_array_equal(some.taught, disagreement <= 0.3)
    assert 0 < found.taught < 1
    annotated = Text("en", "en", TEXT.sentences)
    assert asking(tmp_path, "mixture", needs, most_disagreement=0.0).answers(annotated, [])[0].taught is None


@pytest.mark.parametrize("kind", ["mixture", "product"])
def test_nobody_listens_where_the_teachers_are_unsure(tmp_path: Path, kind: str) -> None:
    """By sums over all sequences; of a mixture the mean of its members' entropies counts."""
    members = [Speaker(1).member, Speaker(2).member.in_tags(np.array([2, 0, 1]), TAGS)]  # C, A, B
    chains = [product(members, (0.5, 0.5))] if kind == "product" else members
    nats = np.zeros(len(LENGTHS))
    for one, sentence in itertools.product(chains, range(len(LENGTHS))):
        probabilities = [p for p in enumerated(one, sentence).values() if p]
        nats[sentence] -= math.fsum(p * math.log(p) for p in probabilities) / len(chains)
    each = nats / np.maximum(LENGTHS, 1)
    limit = float(np.sort(each)[1:3].mean())
    words, found = asking(tmp_path, kind, Needs(marginals=1.0), most_entropy=limit).answers(TEXT, [])
    np.testing.assert_allclose(Parts(found.pooled.folder).open("entropy")["nats"], nats, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(words.taught, each <= limit)
    assert 0 < found.taught < 1
    both = asking(tmp_path, kind, Needs(marginals=1.0), most_entropy=limit, most_disagreement=0.3)
    alone = asking(tmp_path, kind, Needs(marginals=1.0), most_disagreement=0.3).answers(TEXT, [])[0].taught
    np.testing.assert_array_equal(both.answers(TEXT, [])[0].taught, words.taught & alone)
    annotated = Text("en", "en", TEXT.sentences)
    sure = asking(tmp_path, kind, Needs(marginals=1.0), most_entropy=0.0)
    assert sure.answers(annotated, [])[0].taught is None


def test_weights_are_learned_on_dev_sentences(tmp_path: Path) -> None:
    dev = [Sentence(("w",) * 4, ("A", "B", "C", "A"), "en"), Sentence((), (), "en")]
    one = asking(tmp_path, "mixture", Needs(marginals=1.0))
    learning = Asking(
        STUDENT, TeacherSet(one.teachers.sources, weights="dev"), one.needs, one.cache, "float32"
    )
    uniform, learned = one.answers(TEXT, dev)[1], learning.answers(TEXT, dev)[1]
    assert uniform.pooled.folder != learned.pooled.folder
    assert learning.answers(TEXT, [])[1].pooled.folder == uniform.pooled.folder  # nothing to learn from
    first, four = np.array([0]), np.array([4])
    crfs = [member.chain(first, four, first) for member in in_the_students_order()]
    weights = learning._weights(learning.teachers.pool("en"), TEXT, dev)
    assert weights == pytest.approx(learn_weights("mixture", crfs, torch.tensor([[0, 1, 2, 0]])))
    assert max(weights) > 0.6


def test_weights_follow_the_similarity_of_the_text(tmp_path: Path) -> None:
    text = Text("nl unlabelled", "nl", [("de", "hond"), ("een", "hond", "en", "kat")], labelled=False)
    texts = {"de": [("der", "hund", "und", "ein", "kater")], "ru": [("собака", "и", "кошка")]}
    one = asking(tmp_path, "mixture", Needs(marginals=1.0), texts=texts)
    similar = Asking(
        *(STUDENT, TeacherSet(one.teachers.sources, weights="similarity"), one.needs, one.cache, "float32"),
        texts=texts,
    )
    pool = similar.teachers.pool("nl")
    weights = similar._weights(pool, text, [])
    assert sum(weights) == pytest.approx(1.0)
    assert weights[0] > 0.99  # the second learned from another script
    assert similar._weights(pool, Text("ru", "ru", texts["ru"]), [])[1] > 0.99
    del texts["ru"]
    with pytest.raises(UserError, match=r"teachers/2: similarity reads annotated sentences.*--langs"):
        similar._weights(pool, text, [])
