"""Fits of sparse features on disk: the same weights as those of a fit, for whoever has the same sentences."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from small_corpus import write_corpus

import skd_lightning
from skd_lightning.cli import main
from skd_lightning.data.sentence import Sentence
from skd_lightning.distillation.cache.reading import CachedTargets, LanguageAnswers
from skd_lightning.distillation.cache.sparse import SparseRows, sparsified
from skd_lightning.distillation.objective import Needs
from skd_lightning.taggers.head import Decoder
from skd_lightning.taggers.wide import Wide, WidePath
from skd_lightning.taggers.wide_cache import find_or_fit
from skd_lightning.taggers.wide_fit import fit_wide
from skd_lightning.tags import TagSet

TAGS = TagSet(("A", "B"), "none")
SENTENCES = [
    Sentence(("red", "house"), ("A", "B"), "en"),
    Sentence(("rotes", "Haus"), ("A", "B"), "de"),
    Sentence(("house",), ("B",), "en"),
]


def path(
    sentences: list[Sentence] = SENTENCES,
    settings: Wide = Wide(of_languages=True),  # noqa: B008
    decoder: Decoder = "crf",
) -> WidePath:
    made = WidePath(settings, TAGS, decoder)
    made.learn_features([each.words for each in sentences], [each.language for each in sentences])
    return made


def cached(
    cache: Path, wide: WidePath, sentences: list[Sentence] = SENTENCES, tag_set: TagSet = TAGS
) -> bool:
    return find_or_fit(cache, wide, sentences, tag_set, lambda: fit_wide(wide, sentences, tag_set))


def test_a_second_path_reads_what_the_first_has_fitted(tmp_path: Path) -> None:
    fitted, read, plain = path(), path(), path()
    assert not cached(tmp_path, fitted)
    assert cached(tmp_path, read)
    fit_wide(plain, SENTENCES, TAGS)
    for other in (read, plain):
        assert all(map(torch.equal, fitted.state_dict().values(), other.state_dict().values()))
    assert read.weight.abs().max() > 0.1
    read.weight.zero_()  # the weights are the path's own
    again = path()
    assert cached(tmp_path, again)
    assert torch.equal(again.weight, fitted.weight)


@pytest.mark.parametrize(
    ("sentences", "settings"),
    [
        (SENTENCES[:2], Wide(of_languages=True)),
        ([*SENTENCES[:2], Sentence(("house",), ("A",), "en")], Wide(of_languages=True)),
        ([*SENTENCES[:2], Sentence(("house",), ("B",), "de")], Wide(of_languages=True)),
        (SENTENCES, Wide(of_languages=False)),
        (SENTENCES, Wide(of_languages=True, l2=0.5)),
    ],
    ids=["fewer", "another tag", "another language", "shared weights alone", "another strength"],
)
def test_another_fit_is_another_entry(sentences: list[Sentence], settings: Wide, tmp_path: Path) -> None:
    cached(tmp_path, path())
    assert not cached(tmp_path, path(sentences, settings), sentences)


def test_a_softmax_and_a_chain_are_two_entries(tmp_path: Path) -> None:
    """They begin with the same state, since nothing is forbidden here."""
    softmax = path(decoder="softmax")
    cached(tmp_path, path())
    assert not cached(tmp_path, softmax)
    assert cached(tmp_path, path(decoder="softmax"))


def test_the_same_sentences_under_other_numbers_of_the_tags_are_another_entry(tmp_path: Path) -> None:
    """The tags come from all splits: another test set may number them otherwise."""
    cached(tmp_path, path())
    assert not cached(tmp_path, path(), tag_set=TagSet(("B", "A"), "none"))


def test_other_answers_of_the_teachers_are_another_entry(tmp_path: Path) -> None:
    text = [SENTENCES[0], Sentence(("house",), None, "en")]

    def cached_with(sureness: float, heard: bool = True) -> bool:
        words = LanguageAnswers(np.array([1]), np.arange(2), taught=np.array([heard]))
        words.marginals = SparseRows.of(
            sparsified(np.array([[sureness, 1 - sureness]], np.float32), np.float32)
        )
        words.transition_counts = SparseRows.of(sparsified(np.zeros((1, 4), np.float32), np.float32))
        needs = Needs(marginals=1.0, transition_counts=1.0)
        teachers = CachedTargets([words], np.array([-1, 0]), np.array([0, 0]), 2, needs)
        wide = path(text)
        fit = partial(fit_wide, wide, text, TAGS, teachers=teachers)
        return find_or_fit(tmp_path, wide, text, TAGS, fit, teachers)

    assert not cached_with(0.9)
    assert cached_with(0.9)
    assert not cached_with(0.8)
    assert not cached_with(0.9, heard=False)
    assert not cached(tmp_path, path(text[:1]), text[:1])


def test_a_damaged_entry_is_made_again(tmp_path: Path) -> None:
    fitted, again = path(), path()
    cached(tmp_path, fitted)
    (file,) = tmp_path.rglob("weight0.npy")
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert not cached(tmp_path, again)
    assert torch.equal(again.weight, fitted.weight)


def test_students_of_all_seeds_share_a_fit(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    write_corpus(tmp_path / "mine", ("de", "en"), {"train": 30, "dev": 10, "test": 10})
    for seed, told in (("1", "features fitted"), ("2", "features read from the cache")):
        place = f"--task mine --data {tmp_path} --runs {tmp_path / 'runs'}"
        main(f"distill {place} --loss none --recipe linear --seed {seed}".split())
        assert told in capsys.readouterr().out
    first, second = (
        skd_lightning.load(tmp_path / f"runs/mine/linear-none/seed{seed}").wide for seed in (1, 2)
    )
    assert first is not None
    assert second is not None
    assert torch.equal(first.weight, second.weight)
