"""Generated text: what it is made of, that it is the same in every run, and that teachers alone label it."""

import math
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from small_corpus import write_corpus

from skd_lightning.data.corpora import load_corpora
from skd_lightning.data.generated import RATES, Generation
from skd_lightning.data.module import TaggingData
from skd_lightning.data.sentence import Sentence
from skd_lightning.errors import UserError

SOURCES = [
    Sentence(("Anna", "Bergman", "reads", "novels"), ("B-PER", "I-PER", "O", "O"), "en"),
    Sentence(("Yesterday", "Carl", "wrote"), ("O", "B-PER", "O"), "en"),
    Sentence(("Lincoln", "sleeps"), ("B-LOC", "O"), "en"),
    Sentence((), (), "en"),
    Sentence(("never", "seen"), None, "en"),
]
ANNOTATED = [sentence for sentence in SOURCES if sentence.tags]


def made(number: int = 400, **rates: float) -> list[Sentence]:
    return Generation(number, rates, tagged=True).from_sentences("en", SOURCES)


def test_without_changes_the_sentences_are_annotated_ones() -> None:
    known = {(sentence.words, sentence.tags) for sentence in ANNOTATED}
    assert {(sentence.words, sentence.tags) for sentence in made()} == known


def test_seams_join_tags_that_follow_each_other_in_the_annotated_sentences() -> None:
    pairs = {pair for sentence in ANNOTATED for pair in pairwise(sentence.tags or ())}
    spliced = made(splice=1.0)
    assert all(set(pairwise(sentence.tags or ())) <= pairs for sentence in spliced)
    originals = {sentence.words for sentence in ANNOTATED}
    assert sum(sentence.words not in originals for sentence in spliced) > len(spliced) / 4


def test_words_give_way_to_words_of_their_tag_by_frequency() -> None:
    counts: dict[str, Counter[str]] = {}
    for sentence in ANNOTATED:
        for word, tag in zip(sentence.words, sentence.tags or (), strict=True):
            counts.setdefault(tag, Counter())[word] += 1
    found: dict[str, Counter[str]] = {tag: Counter() for tag in counts}
    for sentence in made(4000, replace=1.0):
        for word, tag in zip(sentence.words, sentence.tags or (), strict=True):
            found[tag][word] += 1
    for tag, words in counts.items():
        assert set(found[tag]) == set(words)
        for word, count in words.items():
            share = count / words.total()
            deviation = math.sqrt(share * (1 - share) / found[tag].total())
            assert abs(found[tag][word] / found[tag].total() - share) <= 5 * deviation


def test_pseudo_words_begin_and_end_as_words_of_their_tag() -> None:
    changed = 0
    for sentence in made(pseudo=1.0):
        for word, tag in zip(sentence.words, sentence.tags or (), strict=True):
            of_tag = {w for s in ANNOTATED for w, t in zip(s.words, s.tags or (), strict=True) if t == tag}
            ways = [
                (a, b)
                for a in of_tag
                for b in of_tag
                for i in range(2, len(a) - 1)
                if word.startswith(a[:i]) and len(word) - i >= 1 and b.endswith(word[i:])
            ]
            assert ways, f"{word} is not made of two words tagged {tag}"
            changed += word not in of_tag
    assert changed > 400


def test_the_text_is_the_same_in_every_run_and_a_beginning_of_a_longer_one() -> None:
    few = Generation(20).from_sentences("en", SOURCES)
    assert Generation(50).from_sentences("en", SOURCES)[:20] == few
    assert Generation(20).from_sentences("de", SOURCES) != few
    assert all(sentence.tags is None for sentence in few)
    tagged = Generation(20, RATES, tagged=True).from_sentences("en", SOURCES)
    assert [sentence.words for sentence in tagged] == [sentence.words for sentence in few]


def test_only_what_a_language_lacks_is_generated() -> None:
    assert len(Generation(20).from_sentences("en", SOURCES, unlabelled=12)) == 8
    assert Generation(20).from_sentences("en", SOURCES, unlabelled=25) == []


def test_nothing_comes_of_nothing() -> None:
    assert Generation(20).from_sentences("en", SOURCES[3:]) == []


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        ({"swap": 0.1}, r"names swap; the kinds are splice, replace, pseudo"),
        ({"splice": 1.5}, r"splice is 1\.5, it must be between 0 and 1"),
        ({"pseudo": float("nan")}, r"pseudo is nan"),
        ({"replace": 0.8, "pseudo": 0.4}, r"together must be at most 1"),
    ],
)
def test_rates_that_cannot_be_are_refused(rates: dict[str, float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Generation(1, rates)


def test_generated_text_is_unlabelled_unless_its_tags_are_wanted(tmp_path: Path) -> None:
    write_corpus(tmp_path / "mine", ("de", "en"), {"train": 30, "dev": 10, "test": 10})
    data = TaggingData("mine", str(tmp_path), generated=25)
    assert (len(data.train_sentences), len(data.unlabelled_sentences)) == (60, 50)
    assert "en: 25 sentences without tags generated" in data.corpora.notes
    control = TaggingData("mine", str(tmp_path), generated=25, generated_tags=True)
    assert (len(control.train_sentences), len(control.unlabelled_sentences)) == (110, 0)
    assert {s.words for s in data.unlabelled_sentences} <= {s.words for s in control.train_sentences}


def test_a_fold_that_is_left_out_lends_nothing(tmp_path: Path) -> None:
    write_corpus(tmp_path / "mine", ("en",), {"train": 40, "dev": 10, "test": 10})
    corpora = load_corpora(
        "mine", str(tmp_path), ["en"], without_fold="1/2", generation=Generation(60, {"splice": 1.0})
    )
    splits = corpora.languages["en"]
    assert splits["unlabelled"]
    known = {word for sentence in splits["train"] for word in sentence.words}
    assert {word for sentence in splits["unlabelled"] for word in sentence.words} <= known
