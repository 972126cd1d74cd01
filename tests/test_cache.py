"""The teacher cache: what it derives, how it is keyed, what it survives."""

import dataclasses
import gc
import itertools
import math
import pickle
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from pytorch_lightning.strategies import SingleDeviceStrategy
from torch import Tensor

from skd_lightning.crf import LinearChainCRF
from skd_lightning.data.batches import SentenceDataset
from skd_lightning.data.sentence import Sentence
from skd_lightning.distillation.cache.answers import Answers
from skd_lightning.distillation.cache.entry import CacheEntry, Potentials, content_key
from skd_lightning.distillation.cache.parts import Parts
from skd_lightning.distillation.cache.reading import CachedTargets, LanguageAnswers
from skd_lightning.distillation.cache.sparse import SparseRows, sparsified
from skd_lightning.distillation.callback import DistillationCallback
from skd_lightning.distillation.objective import Needs
from skd_lightning.distillation.objectives import (
    Emission,
    Objective,
    PathSet,
    Posterior,
    PosTopWK,
    Structural,
    TopK,
    TopWK,
)
from skd_lightning.distillation.tag_mapping import map_tags
from skd_lightning.distillation.targets import TeacherTargets
from skd_lightning.distillation.teachers.asking import Text
from skd_lightning.errors import UserError
from skd_lightning.tags import TagSet

LENGTHS = np.array([3, 0, 5, 1])
STARTS = np.cumsum(LENGTHS) - LENGTHS
TAGS = 4


class Head:
    def scores(self) -> tuple[Tensor, Tensor, Tensor]:
        generator = torch.Generator().manual_seed(1)
        transitions = torch.randn(TAGS, TAGS, generator=generator)
        transitions[0, 1] = -torch.inf
        return transitions, torch.randn(TAGS, generator=generator), torch.randn(TAGS, generator=generator)


def predict() -> tuple[np.ndarray, Head]:
    return np.random.default_rng(0).normal(size=(9, TAGS)).astype(np.float32), Head()


def forbidden() -> tuple[np.ndarray, Head]:
    raise AssertionError("the teacher must not be asked again")


def chains(emissions: np.ndarray) -> list[LinearChainCRF]:
    """Each sentence's distribution alone, straight from the potentials."""
    starts = np.concatenate([[0], np.cumsum(LENGTHS)])
    transitions, start, end = Head().scores()
    return [
        LinearChainCRF(torch.from_numpy(emissions[a:b])[None], transitions, torch.tensor([b - a]), start, end)
        for a, b in itertools.pairwise(starts)
    ]


def said_by(entry: CacheEntry, predict: Callable[[], tuple[np.ndarray, Any]]) -> tuple[Potentials, bool]:
    """What the entry's teacher says; and True if it was not asked."""
    return entry.spoken(Potentials, lambda: Potentials.of(*predict()))


@pytest.fixture
def entry(tmp_path: Path) -> CacheEntry:
    made = CacheEntry(tmp_path / "key", "float32")
    said_by(made, predict)
    return made


def answers(entry: CacheEntry) -> Answers:
    """The answers of the entry's teacher, who is not asked again."""
    return Answers(entry.parts, LENGTHS, lambda: [said_by(entry, forbidden)[0]])


def test_what_is_derived_is_exact(entry: CacheEntry) -> None:
    paths, log_probs = answers(entry).paths(6)
    for i, (begin, crf) in enumerate(zip(STARTS, chains(predict()[0]), strict=False)):
        best = crf.kbest(6)
        span = slice(begin, begin + LENGTHS[i])
        np.testing.assert_array_equal(paths[span].T, best.paths[0])
        np.testing.assert_allclose(log_probs[i], (best.scores - crf.log_partition)[0], rtol=1e-5)


def test_a_second_run_asks_no_teacher(entry: CacheEntry) -> None:
    again = CacheEntry(entry.parts.folder, "float32")
    potentials, hit = said_by(again, forbidden)
    assert hit
    said = predict()[0]
    np.testing.assert_array_equal(potentials.emissions, said - said.max(1, keepdims=True))
    assert isinstance(potentials.emissions, np.memmap)
    answers(again).paths(2)  # another k is derived, not predicted


def test_what_is_stored_is_found_without_the_potentials(entry: CacheEntry) -> None:
    """A run that needs marginals alone reads nothing else."""
    stored = [answers(entry).expectations()[0], answers(entry).expectations(2.0)[1], answers(entry).paths(3)]

    def nobody() -> list:
        raise AssertionError("the potentials must not be opened")

    found = Answers(Parts(entry.parts.folder), LENGTHS, nobody)
    np.testing.assert_array_equal(found.expectations()[0].values, stored[0].values)
    np.testing.assert_array_equal(found.expectations(2.0)[1].values, stored[1].values)
    np.testing.assert_array_equal(found.paths(3)[0], stored[2][0])
    assert all(isinstance(array, np.memmap) for array in (found.expectations()[0].values, found.paths(3)[0]))


def test_damaged_potentials_are_mended_when_something_new_is_derived(entry: CacheEntry) -> None:
    before = answers(entry).paths(2)[1].copy()
    (entry.parts.folder / "emissions" / "emissions.npy").write_bytes(b"")
    again = CacheEntry(entry.parts.folder, "float32")
    found = Answers(again.parts, LENGTHS, lambda: [said_by(again, predict)[0]])
    np.testing.assert_array_equal(found.paths(1)[1], before[:, :1])


@pytest.mark.parametrize("damage", ["truncate", "empty", "meta", "missing", "flipped bit", "swapped"])
@pytest.mark.parametrize("part", ["paths-k5", "expectations-t1", "emissions"])
def test_damage_is_noticed_and_mended(entry: CacheEntry, part: str, damage: str) -> None:
    def read(of: CacheEntry, predict: Callable) -> list[np.ndarray]:
        found = Answers(of.parts, LENGTHS, lambda: [said_by(of, predict)[0]])
        mapped = [*found.paths(5), found.expectations()[0].values, found.expectations()[1].values]
        return [array.copy() for array in mapped]

    before = read(entry, forbidden)
    folder = entry.parts.folder / part
    name = {"paths-k5": "log_probs", "emissions": "emissions"}.get(part, "count_values")
    file = folder / ("meta.json" if damage == "meta" else f"{name}.npy")
    content = bytearray(file.read_bytes())
    if damage == "missing":
        file.unlink()
    elif damage in ("flipped bit", "swapped"):  # of the right size
        content[-2] ^= 4
        if damage == "swapped":
            content[-16:] = content[-16:][::-1]
        file.write_bytes(content)
    else:
        file.write_bytes(b"" if damage == "empty" else content[:-7])
    again = CacheEntry(entry.parts.folder, "float32")
    said_by(again, predict)
    for one, other in zip(read(again, forbidden), before, strict=True):
        np.testing.assert_array_equal(one, other)
    assert again.parts.rebuilt == [str(folder)]
    assert CacheEntry(entry.parts.folder, "float32").parts.open(part) is not None


def test_an_interrupted_write_leaves_nothing(tmp_path: Path) -> None:
    entry = CacheEntry(tmp_path / "key", "float32")

    class Unwritable(dict):
        def items(self):  # type: ignore[no-untyped-def]
            yield "first", np.zeros(3)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        entry.parts.write("emissions", Unwritable())
    assert entry.parts.open("emissions") is None
    assert list((tmp_path / "key").iterdir()) == []


def read(entry: CacheEntry, columns: np.ndarray, tags: int, temperature: float = 1.0) -> TeacherTargets:
    """Everything about sentences 2, none and 0, padded to six words."""
    needs = Needs(True, 3, temperature, 1.0, temperature, True, 0.95)
    found = answers(entry)
    words = LanguageAnswers(
        LENGTHS,
        columns,
        said_by(entry, forbidden)[0],
        *found.expectations(temperature),
        *found.paths(3),
        found.path_sets(0.95),
    )
    return CachedTargets([words], np.zeros(4, np.int64), np.arange(4), tags, needs).read([2, -1, 0], words=6)


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_marginals_and_counts_are_those_of_the_teacher(entry: CacheEntry, temperature: float) -> None:
    found = read(entry, np.arange(TAGS), TAGS, temperature)
    marginals, counts = found.marginals, found.transition_counts
    expected = chains(predict()[0])
    for row, i in ((0, 2), (2, 0)):
        torch.testing.assert_close(
            marginals[row, : LENGTHS[i]], expected[i].tempered(temperature).marginals[0], rtol=0, atol=3e-4
        )
        assert (marginals[row, LENGTHS[i] :] == 0).all()
        torch.testing.assert_close(
            counts[row], expected[i].tempered(temperature).transition_counts[0], rtol=1e-3, atol=1e-4
        )


def test_half_precision_halves_the_bytes_and_moves_marginals_by_less_than_a_thousandth(
    tmp_path: Path,
) -> None:
    generator = np.random.default_rng(1)
    said = (generator.normal(size=(9, TAGS)) * 8 + 50).astype(np.float32)  # far from 0, as networks may
    entries = {precision: CacheEntry(tmp_path / precision, precision) for precision in ("float32", "float16")}
    for entry in entries.values():
        said_by(entry, lambda: (said, Head()))
    stored = {name: said_by(entry, forbidden)[0].emissions for name, entry in entries.items()}
    assert stored["float16"].nbytes * 2 == stored["float32"].nbytes
    full, half = (read(entry, np.arange(TAGS), TAGS).marginals for entry in entries.values())
    torch.testing.assert_close(half, full, rtol=0, atol=1e-3)


def test_keys_tell_contents_apart() -> None:
    base = content_key("teacher", [["a", "b"], ["c"]], "float32")
    assert base == content_key("teacher", [("a", "b"), ("c",)], "float32")
    others = [
        content_key("another", [["a", "b"], ["c"]], "float32"),
        content_key("teacher", [["a"], ["b", "c"]], "float32"),
        content_key("teacher", [["c"], ["a", "b"]], "float32"),
        content_key("teacher", [["a", "b"], ["c"]], "float16"),
    ]
    assert len({base, *others}) == 5


def small_set(make: Callable[..., TagSet] = TagSet) -> TagSet:
    return make(("NOUN", "VERB"), "none")


def test_tags_are_mapped_by_name() -> None:
    student = TagSet(("ADJ", "NOUN", "VERB"), "none")
    columns = map_tags(TagSet(("VERB", "NOUN"), "none"), student, "runs/x")
    np.testing.assert_array_equal(columns, [2, 1])
    with pytest.raises(UserError, match=r"runs/x.*ADJ"):
        map_tags(student, small_set(), "runs/x")
    with pytest.raises(UserError, match="iob2"):
        map_tags(TagSet(("O",), "iob2"), TagSet(("O",), "bioes"), "runs/x")


def test_batches_read_what_was_cached_in_the_students_tags(entry: CacheEntry) -> None:
    columns = np.array([4, 0, 2, 1])  # the student has a fifth tag, 3, which the teacher lacks
    targets = read(entry, columns, tags=5)
    (paths, log_probs), emissions = answers(entry).paths(3), said_by(entry, forbidden)[0].emissions
    assert targets.emissions.shape == targets.marginals.shape == (3, 6, 5)
    assert targets.paths.shape == (3, 3, 6)
    expected = chains(predict()[0])[2].marginals[0]
    torch.testing.assert_close(targets.marginals[0, :5][:, columns], expected, rtol=0, atol=3e-4)
    assert (targets.marginals[0, :, 3] == 0).all()
    np.testing.assert_array_equal(targets.emissions[2, :3][:, columns], emissions[:3])
    assert targets.emissions[0, :5, 3].isneginf().all()
    np.testing.assert_array_equal(targets.paths[0, :, :5], columns[paths[3:8].T])
    np.testing.assert_array_equal(targets.log_probs[2], log_probs[0])
    assert targets.marginals[1].sum() == 0
    assert targets.emissions.softmax(-1).isfinite().all()
    teacher = targets.chain(torch.tensor([5, 0, 3]))
    torch.testing.assert_close(teacher.marginals[0, :5][:, columns], expected)
    torch.testing.assert_close(targets.transition_counts, teacher.transition_counts, rtol=1e-3, atol=1e-4)
    assert targets.pairs.any(dim=(2, 3)).sum() == 8
    assert not targets.pairs[..., 3].any()


@pytest.mark.parametrize("temperature", [2.25, 4.0])
def test_softened_marginals_keep_their_tail(tmp_path: Path, temperature: float) -> None:
    """Probabilities of 0.00005, which are not stored as they are, matter once they are softened."""
    emissions = np.zeros((9, TAGS), dtype=np.float32)
    emissions[:, 1:] = math.log(5e-5)

    class Independent:
        def scores(self) -> tuple[Tensor, Tensor, Tensor]:
            return torch.zeros(TAGS, TAGS), torch.zeros(TAGS), torch.zeros(TAGS)

    entry = CacheEntry(tmp_path / "key", "float32")
    said_by(entry, lambda: (emissions, Independent()))
    _, _, values = answers(entry).expectations(1.0, temperature)[0].take(np.arange(9))
    powers = np.array([1.0, *[5e-5 ** (1 / temperature)] * 3])
    np.testing.assert_allclose(values.reshape(9, TAGS), np.tile(powers / powers.sum(), (9, 1)), atol=1e-3)
    assert answers(entry).expectations()[0].values.shape == (9,)


def test_paths_of_more_tags_than_a_byte_counts(tmp_path: Path) -> None:
    tags, wanted = 300, [0, 255, 256, 299]
    emissions = np.zeros((9, tags), dtype=np.float32)
    emissions[range(9), [*wanted, *wanted, 256]] = 20

    class Indifferent:
        def scores(self) -> tuple[Tensor, Tensor, Tensor]:
            return torch.zeros(tags, tags), torch.zeros(tags), torch.zeros(tags)

    entry = CacheEntry(tmp_path / "key", "float32")
    said_by(entry, lambda: (emissions, Indifferent()))
    for _ in range(2):  # made, and read again
        paths, log_probs = answers(entry).paths(1)
        assert paths[:, 0].tolist() == [*wanted, *wanted, 256]
    words = LanguageAnswers(LENGTHS, np.arange(tags), paths=paths, log_probs=log_probs)
    cached = CachedTargets([words], np.zeros(4, np.int64), np.arange(4), tags, Needs(k=1))
    assert cached.read([2], words=5).paths[0, 0].tolist() == [299, *wanted]


def test_tags_of_the_teacher_that_are_one_of_the_students_add_up(entry: CacheEntry) -> None:
    """Tags 1 and 3 of the teacher are the student's 0, as its 0 is; its 2 is the student's 1."""
    targets, apart = read(entry, np.array([0, 0, 1, 0]), tags=2), read(entry, np.arange(TAGS), TAGS)
    merged = torch.tensor([[1.0, 1, 0, 1], [0, 0, 1, 0]])
    torch.testing.assert_close(targets.marginals, apart.marginals @ merged.T)
    torch.testing.assert_close(targets.transition_counts, merged @ apart.transition_counts @ merged.T)


def test_sequences_that_are_one_in_the_students_tags_are_one(entry: CacheEntry) -> None:
    """Tags 1 and 3 of the teacher are the student's 0, as its 0 is; its 2 is the student's 1."""
    targets = read(entry, np.array([0, 0, 1, 0]), tags=2)
    for sentence in range(len(targets.paths)):
        there = ~torch.isneginf(targets.log_probs[sentence])
        paths = [tuple(path) for path in targets.paths[sentence][there].tolist()]
        assert len(set(paths)) == len(paths)
    apart = read(entry, np.arange(TAGS), TAGS)
    torch.testing.assert_close(targets.log_probs.logsumexp(1), apart.log_probs.logsumexp(1))
    student = LinearChainCRF(torch.randn(3, 6, 2), torch.randn(2, 2), torch.tensor([5, 0, 3]))
    torch.testing.assert_close(
        TopWK(3)(student, targets),
        TopWK(3)(student, dataclasses.replace(apart, paths=torch.tensor([0, 0, 1, 0])[apart.paths])),
    )


@pytest.mark.parametrize("precision", ["float16", "float32"])
def test_what_a_teacher_forbids_stays_forbidden(tmp_path: Path, precision: str) -> None:
    emissions = np.array([[-np.inf, 1.0, -1e6], [-np.inf] * 3], dtype=np.float32)
    nothing = np.zeros(3, np.float32)
    stored = Potentials(emissions, np.zeros((3, 3), np.float32), nothing, nothing).stored(precision)[
        "emissions"
    ]
    assert stored.dtype == precision
    assert np.isneginf(stored).tolist() == [[True, False, False], [True] * 3]


@pytest.mark.parametrize(("words", "tags"), [(2, 73), (2, 120), (9, 17)])
def test_counts_of_many_tags_keep_their_mass(words: int, tags: int) -> None:
    """Nearly uniform counts of short sentences: each is below what is not worth storing."""
    counts = np.random.default_rng(0).random((4, tags * tags)).astype(np.float32)
    counts *= (words - 1) / counts.sum(1, keepdims=True)
    rows = SparseRows.of(sparsified(counts, np.float32))
    owner, column, value = rows.take(np.arange(4))
    stored = np.zeros_like(counts)
    stored[owner, column] = value
    assert np.abs(stored - counts).sum(1).max() <= 0.02 * (words - 1)
    np.testing.assert_allclose(stored.sum(1), words - 1, rtol=1e-5)


@pytest.mark.parametrize(
    "objective",
    [
        *(
            Emission(2.0),
            TopK(3),
            TopWK(3, 2.0, "potentials"),
            Posterior(2.0, "potentials"),
            PosTopWK(3, 2.0, "potentials"),
        ),
        *(Structural(), Structural(1.0, 2.0), Structural(0.5), Structural(0.0), PathSet()),
    ],
    ids=lambda objective: objective.loss_name(),
)
def test_the_cache_and_a_distribution_give_an_objective_the_same_targets(
    entry: CacheEntry, objective: Objective
) -> None:
    said, (transitions, start, end) = predict()[0], Head().scores()
    emissions = torch.zeros(3, 6, TAGS)
    emissions[0, :5], emissions[2, :3] = torch.from_numpy(said[3:8]), torch.from_numpy(said[:3])
    lengths = torch.tensor([5, 0, 3])
    teacher = LinearChainCRF(emissions, transitions, lengths, start, end)
    student = LinearChainCRF(torch.randn(3, 6, TAGS), torch.zeros(TAGS, TAGS), lengths)
    cached = read(entry, np.arange(TAGS), TAGS, objective.needs.marginals or 1.0)
    direct = TeacherTargets.of(teacher, objective)
    torch.testing.assert_close(objective(student, cached), objective(student, direct), rtol=1e-3, atol=1e-3)


class Speaker:
    """A teacher of made-up emissions."""

    tag_set = TagSet(("A", "B", "C", "D"), "none")
    languages = ["en"]
    speaks, complete = Potentials, True

    def scores(self) -> tuple[Tensor, Tensor, Tensor]:
        return Head().scores()

    def __init__(self, path: Path) -> None:
        self.path = path

    def fingerprint(self) -> str:
        return self.path.name

    def predict_emissions(
        self, sentences: Sequence[Sequence[str]], advance: Callable, language: str
    ) -> np.ndarray:
        words = sum(map(len, sentences))
        return np.random.default_rng(words).normal(size=(words, TAGS)).astype(np.float32)

    def speak(self, sentences: Sequence[Sequence[str]], advance: Callable, language: str) -> Potentials:
        return Potentials.of(self.predict_emissions(sentences, advance, language), self)


class Learner:
    """A student that remembers which teachers it was asked to load."""

    tag_set = Speaker.tag_set

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        self.asked: list[tuple[Path, bool]] = []

    def load_teacher(self, path: Path, outside: bool) -> Speaker:
        self.asked.append((path, outside))
        return Speaker(path)


class Featurizer:
    def index(
        self,
        sentences: Sequence[Sequence[str]],
        keep: bool = False,
        languages: Sequence[str] | None = None,
    ) -> list[np.ndarray]:
        return [np.zeros(len(words), np.int32) for words in sentences]


def ask(
    folder: Path, objective: Objective, before: float = 0.0, **settings: bool
) -> tuple[DistillationCallback, Learner]:
    """Let the teachers of two languages speak on annotated and unlabelled text."""
    callback = DistillationCallback(str(folder / "teachers"), str(folder / "cache"), **settings)
    callback.seconds = before
    learner = Learner(objective)
    callback.on_fit_start(trainer_of(folder), learner)
    return callback, learner


def trainer_of(folder: Path) -> SimpleNamespace:
    sentences = [
        Sentence(("a",) * words, ("A",) * words if words % 2 else None, language)
        for words in range(2, 6)
        for language in ("de", "en")
    ]
    for language in ("de", "en"):
        (folder / "teachers" / language).mkdir(parents=True, exist_ok=True)
    dataset = SentenceDataset(sentences, Featurizer(), ["de", "en"], Speaker.tag_set)
    data = SimpleNamespace(train_dataset=dataset, sentences={"dev": {}})
    strategy = SingleDeviceStrategy(torch.device("cpu"))
    return SimpleNamespace(
        datamodule=data, strategy=strategy, global_rank=0, world_size=1, is_global_zero=True
    )


def test_the_report_names_the_text_also_where_the_cache_was_damaged(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    ask(tmp_path, TopK(3))
    for file in tmp_path.glob("cache/*/paths-k3/paths.npy"):
        file.write_bytes(b"")
    capsys.readouterr()
    with pytest.warns(UserWarning, match="damaged"):
        callback, _ = ask(tmp_path, TopK(3))
    assert sorted(row.text.name for row in callback.found) == ["de", "de unlabelled", "en", "en unlabelled"]
    assert all(row.pooled.rebuilt for row in callback.found)
    told = capsys.readouterr().out
    assert "│ de unlabelled │" in told
    assert str(tmp_path / "cache") in told


@pytest.mark.parametrize("objective", [TopK(100), Posterior()])
def test_the_report_fits_80_columns(
    tmp_path: Path, objective: Objective, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    callback, _ = ask(tmp_path, objective)
    monkeypatch.setattr(Parts, "bytes", lambda _: 12_345 * 2**20)
    monkeypatch.setattr(Text, "lengths", np.array([123_456_789]))
    capsys.readouterr()
    callback._report(objective.needs.k, 1.5)
    title, *table = capsys.readouterr().out.splitlines()
    assert title.startswith(f"teacher cache {tmp_path / 'cache'}")
    assert max(map(len, table)) <= 80
    told = "\n".join(table)
    for whole in ("en unlabelled", "sentences", "123,456,789", "12345.0", "miss"):
        assert whole in told
    assert ("mass of 100 best" in told) == bool(objective.needs.k)


def test_the_mass_is_a_mean_over_what_is_taught(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Folds of one text are a row; a fold that a limit silences has no mass and does not count."""
    callback, _ = ask(tmp_path, TopK(2))
    row = next(row for row in callback.found if row.text.name == "en")
    silent, half, whole = (dataclasses.replace(row) for _ in range(3))
    silent.mass, silent.taught = None, 0.0
    half.mass, half.taught = 0.3, 0.5
    whole.mass, whole.taught = 0.9, 1.0
    capsys.readouterr()
    callback.found = [silent, half, whole]
    callback._report(2, 0.0)
    assert "70.0%" in capsys.readouterr().out
    callback.found = [silent]
    callback._report(2, 0.0)
    assert "–" in capsys.readouterr().out


def test_the_time_of_the_teachers_is_that_of_all_parts_of_a_training(tmp_path: Path) -> None:
    first, _ = ask(tmp_path, TopK(2))
    first.seconds = 100.0
    second = DistillationCallback(str(tmp_path / "teachers"))
    second.load_state_dict(first.state_dict())
    assert second.seconds == 100.0
    asked, _ = ask(tmp_path, TopK(2), before=100.0)
    assert 100.0 < asked.seconds < 200.0


def test_a_callback_reports_a_second_training_alone(tmp_path: Path) -> None:
    callback, learner = ask(tmp_path, TopK(2))
    callback.on_fit_start(trainer_of(tmp_path), learner)
    assert [row.hit for row in callback.found] == [True] * 4


def test_teachers_leave_after_they_have_spoken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And loader workers get the answers, whichever way they are started."""
    loaded: list[weakref.ref[Speaker]] = []

    def load(learner: Learner, path: Path, outside: bool) -> Speaker:
        teacher = Speaker(path)
        loaded.append(weakref.ref(teacher))
        return teacher

    monkeypatch.setattr(Learner, "load_teacher", load)
    for _ in ("asked", "read from the cache"):
        trainer = trainer_of(tmp_path)
        DistillationCallback(str(tmp_path / "teachers"), str(tmp_path / "cache")).on_fit_start(
            trainer, Learner(Posterior())
        )
        gc.collect()
        assert loaded
        assert not any(teacher() for teacher in loaded)
    targets = trainer.datamodule.train_dataset.targets
    sent = pickle.loads(pickle.dumps(targets))
    torch.testing.assert_close(sent.read([0, 3], 5).marginals, targets.read([0, 3], 5).marginals)


def test_the_size_of_an_entry_is_told_while_another_process_writes_to_it(tmp_path: Path) -> None:
    parts = Parts(tmp_path / "entry")
    parts.write("one", {"array": np.zeros(1000)})
    size = parts.bytes()
    assert size > 8000
    unfinished = tmp_path / "entry/.two-0.skd-unfinished-0123abcd"
    unfinished.mkdir()
    (unfinished / "array.npy").write_bytes(bytes(5000))
    assert parts.bytes() == size


@pytest.mark.parametrize("outside", [False, True])
def test_teachers_are_loaded_with_leave_to_read_outside_or_without(tmp_path: Path, outside: bool) -> None:
    _, learner = ask(tmp_path, Posterior(), outside=outside)
    assert learner.asked == [(tmp_path / "teachers" / language, outside) for language in ("de", "en")]
