"""The teacher cache: what it derives, how it is keyed, what it survives."""

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from skd_lightning.crf import LinearChainCRF
from skd_lightning.distillation.cache import CacheEntry, content_key
from skd_lightning.distillation.objectives import TeacherTargets
from skd_lightning.distillation.targets import CachedTargets, TeacherWords, map_tags
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
