"""The teacher cache: what it derives, how it is keyed, what it survives."""

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor

from skd_lightning.crf import LinearChainCRF
from skd_lightning.data.batches import SentenceDataset
from skd_lightning.data.sentence import Sentence
from skd_lightning.distillation.cache import CacheEntry, content_key
from skd_lightning.distillation.callback import DistillationCallback
from skd_lightning.distillation.objectives import Emission, Objective, Posterior, PosTopWK, TopK, TopWK
from skd_lightning.distillation.targets import CachedTargets, TeacherTargets, TeacherWords, map_tags
from skd_lightning.distillation.teachers import TeacherSet
from skd_lightning.errors import UserError
from skd_lightning.tags import TagSet

LENGTHS = np.array([3, 0, 5, 1])
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


@pytest.fixture
def entry(tmp_path: Path) -> CacheEntry:
    made = CacheEntry(tmp_path / "key", LENGTHS, "float32")
    made.emissions(predict)
    return made


def test_what_is_derived_is_exact(entry: CacheEntry) -> None:
    emissions = predict()[0]
    paths = entry.paths(6)
    for i, (begin, crf) in enumerate(zip(entry.starts, chains(emissions), strict=False)):
        best = crf.kbest(6)
        span = slice(begin, begin + LENGTHS[i])
        np.testing.assert_array_equal(paths["paths"][span].T, best.paths[0])
        np.testing.assert_allclose(paths["log_probs"][i], (best.scores - crf.log_partition)[0], rtol=1e-5)


def test_a_second_run_asks_no_teacher(entry: CacheEntry) -> None:
    again = CacheEntry(entry.folder, LENGTHS, "float32")
    arrays, hit = again.emissions(forbidden)
    assert hit
    said = predict()[0]
    np.testing.assert_array_equal(arrays["emissions"], said - said.max(1, keepdims=True))
    assert isinstance(arrays["emissions"], np.memmap)
    again.paths(2)  # another k is derived, not predicted


@pytest.mark.parametrize("damage", ["truncate", "empty", "meta", "missing"])
def test_damage_is_noticed_and_mended(entry: CacheEntry, damage: str) -> None:
    entry.paths(5)
    folder = entry.folder / "paths-k5"
    file = folder / ("meta.json" if damage == "meta" else "paths.npy")
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(b"" if damage == "empty" else file.read_bytes()[:-7])
    again = CacheEntry(entry.folder, LENGTHS, "float32")
    assert again.paths(5)["paths"].shape == (9, 5)
    assert again.rebuilt == [str(folder)]
    assert CacheEntry(entry.folder, LENGTHS, "float32").open("paths-k5") is not None


def test_an_interrupted_write_leaves_nothing(tmp_path: Path) -> None:
    entry = CacheEntry(tmp_path / "key", LENGTHS, "float32")

    class Unwritable(dict):
        def items(self):  # type: ignore[no-untyped-def]
            yield "first", np.zeros(3)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        entry.write("emissions", Unwritable())
    assert entry.open("emissions") is None
    assert list((tmp_path / "key").iterdir()) == []


def read(entry: CacheEntry, columns: np.ndarray, tags: int, temperature: float = 1.0) -> TeacherTargets:
    """Everything about sentences 2, none and 0, padded to six words."""
    emissions = entry.emissions(forbidden)[0]["emissions"]
    words = TeacherWords(LENGTHS, columns, emissions, entry.marginals(temperature), **entry.paths(3))
    return CachedTargets([words], np.zeros(4, np.int64), np.arange(4), tags).read([2, -1, 0], words=6)


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_marginals_are_those_of_the_teacher(entry: CacheEntry, temperature: float) -> None:
    marginals = read(entry, np.arange(TAGS), TAGS, temperature).marginals
    expected = chains(predict()[0])
    for row, i in ((0, 2), (2, 0)):
        torch.testing.assert_close(
            marginals[row, : LENGTHS[i]], expected[i].tempered(temperature).marginals[0], rtol=1e-4, atol=1e-6
        )
        assert (marginals[row, LENGTHS[i] :] == 0).all()


def test_half_precision_halves_the_bytes_and_moves_marginals_by_less_than_a_thousandth(
    tmp_path: Path,
) -> None:
    generator = np.random.default_rng(1)
    said = (generator.normal(size=(9, TAGS)) * 8 + 50).astype(np.float32)  # far from 0, as networks may
    entries = {
        precision: CacheEntry(tmp_path / precision, LENGTHS, precision)
        for precision in ("float32", "float16")
    }
    for entry in entries.values():
        entry.emissions(lambda: (said, Head()))
    stored = {name: entry.emissions(forbidden)[0]["emissions"] for name, entry in entries.items()}
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
    best, emissions = entry.paths(3), entry.emissions(forbidden)[0]["emissions"]
    assert targets.emissions.shape == targets.marginals.shape == (3, 6, 5)
    assert targets.paths.shape == (3, 3, 6)
    expected = chains(predict()[0])[2].marginals[0]
    torch.testing.assert_close(targets.marginals[0, :5][:, columns], expected, rtol=1e-4, atol=1e-6)
    assert (targets.marginals[0, :, 3] == 0).all()
    np.testing.assert_array_equal(targets.emissions[2, :3][:, columns], emissions[:3])
    assert targets.emissions[0, :5, 3].isneginf().all()
    np.testing.assert_array_equal(targets.paths[0, :, :5], columns[best["paths"][3:8].T])
    np.testing.assert_array_equal(targets.log_probs[2], best["log_probs"][0])
    assert targets.marginals[1].sum() == 0
    assert targets.emissions.softmax(-1).isfinite().all()


@pytest.mark.parametrize(
    "objective",
    [Emission(2.0), TopK(3), TopWK(3, 2.0, "potentials"), Posterior(2.0, "potentials"), PosTopWK(3, 2.0)],
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
    torch.testing.assert_close(objective(student, cached), objective(student, direct), rtol=1e-4, atol=1e-5)


class Speaker:
    """A teacher of made-up emissions."""

    tag_set = TagSet(("A", "B", "C", "D"), "none")

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


def ask(folder: Path, objective: Objective, **settings: bool) -> tuple[DistillationCallback, Learner]:
    """Let the teachers of two languages speak on annotated and unlabelled text."""
    sentences = [
        Sentence(("a",) * words, ("A",) * words if words % 2 else None, language)
        for words in range(2, 6)
        for language in ("de", "en")
    ]
    for language in ("de", "en"):
        (folder / "teachers" / language).mkdir(parents=True, exist_ok=True)
    dataset = SentenceDataset(sentences, Featurizer(), ["de", "en"], Speaker.tag_set)
    data = SimpleNamespace(train_dataset=dataset, train_languages=["de", "en"])
    strategy = SimpleNamespace(barrier=lambda: None)
    trainer = SimpleNamespace(
        datamodule=data, strategy=strategy, global_rank=0, world_size=1, is_global_zero=True
    )
    callback = DistillationCallback(str(folder / "teachers"), str(folder / "cache"), **settings)
    learner = Learner(objective)
    callback.on_fit_start(trainer, learner)
    return callback, learner


def test_the_report_names_the_text_also_where_the_cache_was_damaged(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    ask(tmp_path, TopK(3))
    for file in tmp_path.glob("cache/*/paths-k3/paths.npy"):
        file.write_bytes(b"")
    capsys.readouterr()
    with pytest.warns(UserWarning, match="damaged"):
        callback, _ = ask(tmp_path, TopK(3))
    assert sorted(row.part for row in callback.found) == ["de", "de unlabelled", "en", "en unlabelled"]
    assert all(row.entry.rebuilt for row in callback.found)
    told = capsys.readouterr().out
    assert "│ de unlabelled │" in told
    assert str(tmp_path / "cache") in told


@pytest.mark.parametrize("objective", [TopK(100), Posterior()])
def test_the_report_fits_80_columns(
    tmp_path: Path, objective: Objective, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    callback, _ = ask(tmp_path, objective)
    monkeypatch.setattr(CacheEntry, "words", 123_456_789)
    monkeypatch.setattr(CacheEntry, "bytes", lambda _: 12_345 * 2**20)
    capsys.readouterr()
    callback._report(objective.needs.k)
    title, *table = capsys.readouterr().out.splitlines()
    assert title.startswith(f"teacher cache {tmp_path / 'cache'}")
    assert max(map(len, table)) <= 80
    told = "\n".join(table)
    for whole in ("en unlabelled", "sentences", "123,456,789", "12345.0", "miss"):
        assert whole in told
    assert ("mass of 100 best" in told) == bool(objective.needs.k)


@pytest.mark.parametrize("outside", [False, True])
def test_teachers_are_loaded_with_leave_to_read_outside_or_without(tmp_path: Path, outside: bool) -> None:
    _, learner = ask(tmp_path, Posterior(), outside=outside)
    assert learner.asked == [(tmp_path / "teachers" / language, outside) for language in ("de", "en")]


def test_a_teacher_set_knows_who_speaks_on_a_language(tmp_path: Path) -> None:
    (tmp_path / "de").mkdir()
    teachers = TeacherSet(tmp_path)
    assert teachers.of("de") == (tmp_path / "de",)
    assert teachers.of("en") == ()
    assert teachers.missing(["en", "de", "fi"]) == ["en", "fi"]
    teachers.require(["de"])
    with pytest.raises(
        UserError, match=r"no teacher for language 'en' or 'fi' in .*: skd teachers --langs en fi "
    ):
        teachers.require(["en", "de", "fi"])
