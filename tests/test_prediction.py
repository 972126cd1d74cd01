"""Predictions on any words, by several threads, again and again; what is remembered of them."""

from __future__ import annotations

import pickle
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from skd_lightning.encoders import BiLSTM, NgramEmbedder, StaticEmbedder, lexicon, ngram_features
from skd_lightning.encoders.fasttext import TextVectors
from skd_lightning.encoders.lexicon import WordFeaturizer
from skd_lightning.encoders.ngram_features import NgramFeaturizer
from skd_lightning.encoders.static import StaticFeaturizer
from skd_lightning.encoders.vector_store import sentence_key
from skd_lightning.errors import UserError
from skd_lightning.features.subwords import without_surrogates
from skd_lightning.taggers import Tagger, Teacher

TAGS = ["O", "B-X", "I-X", "E-X", "S-X"]
VALID = [["Price", "of", "the", "room"], ["Anna"], [], ["a", "b"] * 9]


@pytest.fixture
def tagger() -> Teacher:
    torch.manual_seed(0)
    made = Teacher(TAGS, "bioes", ["en"], NgramEmbedder(4, 64, word_embedding_size=2), BiLSTM(4))
    made.learn_vocabulary([["price", "Price", "room"]], ["en"])
    return made.eval()


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    file = tmp_path / "v.vec"
    file.write_text("3 2\nAnna 1 2\nPrice -1 0.5\nroom 3 4\n")
    return file


@pytest.mark.parametrize(
    ("sentences", "message"),
    [
        ("Emma lives in Boston.", "a text is no list of sentences"),
        (["a", "b"], r"sentence 1 is 'a' \(str\), not a list of words"),
        ([["a"], b"b"], r"sentence 2 is b'b' \(bytes\)"),
        ([["a"], None], r"sentence 2 is None \(NoneType\)"),
        ([["a"], ["Price", float("nan")]], r"sentence 2, word 2 is nan \(float\), not a string"),
        ([["a", ["b"]]], r"sentence 1, word 2 is \['b'\] \(list\), not a string"),
    ],
)
def test_anything_but_lists_of_words_is_refused_in_one_line(
    tagger: Teacher, sentences: Any, message: str
) -> None:
    for ask in (tagger.predict, tagger.distribution, tagger.predict_emissions):
        with pytest.raises(UserError, match=message) as refusal:
            ask(sentences)
        assert "\n" not in str(refusal.value)


def test_a_bad_word_leaves_no_trace(tagger: Teacher) -> None:
    """Nothing is remembered of a call that fails: the next sentence has its own tags."""
    expected = tagger.predict(VALID)
    fresh = pickle.loads(pickle.dumps(tagger.encoder.featurizer))
    for keep in (False, True):
        for bad in (float("nan"), None, 7):
            with pytest.raises((AttributeError, TypeError)):
                tagger.encoder.featurizer.index([["new", bad, "newer"]], keep)
    with pytest.raises(UserError):
        tagger.predict([["Price", float("nan")]])  # type: ignore[list-item]
    assert tagger.predict(VALID) == expected
    words = [["newer", "new", "newest"], *VALID]
    own, other = (f.collate(f.index(words, keep=True), 18) for f in (tagger.encoder.featurizer, fresh))
    assert all(torch.equal(own[name], other[name]) for name in own)


def test_a_lone_surrogate_is_a_word_like_others(tagger: Teacher, vectors: Path) -> None:
    words = ["a", "\ud800", "b\udfff"]
    (prediction,) = tagger.predict([words])
    assert len(prediction.tags) == 3
    assert tagger.predict([words, *VALID])[1:] == tagger.predict(VALID)
    assert sentence_key(words) != sentence_key(["a", "b"])
    assert [without_surrogates(word) for word in words] == ["a", "\ufffd", "b\ufffd"]
    assert without_surrogates("\ufeffß😀") == "\ufeffß😀"
    static = StaticEmbedder(str(vectors), 2)
    inputs = static.featurizer.collate(static.featurizer.index([words]), 3)
    assert inputs["table"].abs().sum() == 0


def test_threads_ask_a_tagger_at_the_same_time(tagger: Teacher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lexicon, "REMEMBERED", 40)  # so that they also push out one another's words
    sentences = [
        [[f"w{thread}-{n}-{i}", "room"] for i in range(5)] + VALID for thread in range(4) for n in range(9)
    ]
    expected = [tagger.predict(own) for own in sentences]
    found: dict[int, Any] = {}
    start = threading.Barrier(4)

    def ask(thread: int) -> None:
        start.wait()
        for n in range(thread * 9, thread * 9 + 9):
            try:
                found[n] = tagger.predict(sentences[n])
            except Exception as error:
                found[n] = error

    threads = [threading.Thread(target=ask, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[n] for n in range(len(sentences))] == expected
    assert not tagger.training


def test_one_thread_reads_what_another_adds_to() -> None:
    featurizer = NgramFeaturizer(1000)
    (item,) = featurizer.index([VALID[0]], keep=True)
    expected, stop = featurizer.collate([item], 4), threading.Event()

    def grow() -> None:
        n = 0
        while not stop.is_set():
            n += 1
            featurizer.index([[f"w{n}", f"v{n}"]], keep=True)

    thread = threading.Thread(target=grow)
    thread.start()
    try:
        for _ in range(200):
            found = featurizer.collate([item], 4)
            assert all(torch.equal(found[name], expected[name]) for name in expected)
    finally:
        stop.set()
        thread.join()


def test_modes_are_left_alone(tagger: Teacher, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tagger in evaluation mode is not touched: another thread may be using it."""
    tagger.train()
    tagger.predict(VALID)
    assert tagger.training
    tagger.eval()
    monkeypatch.setattr(Tagger, "train", lambda *_: pytest.fail("mode changed"))
    tagger.predict(VALID)


@pytest.mark.parametrize("kind", ["n-grams", "file"])
def test_what_a_tagger_in_use_remembers_is_bounded(
    monkeypatch: pytest.MonkeyPatch, kind: str, vectors: Path
) -> None:
    monkeypatch.setattr(lexicon, "REMEMBERED", 50)
    featurizer: WordFeaturizer
    if kind == "n-grams":
        featurizer = NgramFeaturizer(64)
    else:
        featurizer = StaticFeaturizer(2)
        featurizer.use_file(vectors)
    kept = featurizer.index([["Anna", "room"]], keep=True)
    before = featurizer.collate(kept, 2)
    for n in range(30):
        featurizer.index([[f"w{n}-{i}" for i in range(20)]])
        assert len(featurizer._recent) <= 50
    assert len(featurizer._kept[""].words) == 3
    after = featurizer.collate(kept, 2)
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_the_work_of_a_call_does_not_grow_with_the_words_met_before(
    tagger: Teacher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted: words whose features are made, and numbers that are copied."""
    made: list[str] = []
    original = ngram_features.feature_buckets
    monkeypatch.setattr(
        ngram_features,
        "feature_buckets",
        lambda word, buckets: made.append(word) or original(word, buckets),  # type: ignore[func-returns-value]
    )
    copied: list[int] = []
    concatenate = np.concatenate

    def counted(arrays: Any, *rest: Any, **more: Any) -> np.ndarray:
        joined = concatenate(arrays, *rest, **more)
        copied.append(joined.size)
        return joined

    monkeypatch.setattr(np, "concatenate", counted)
    featurizer = tagger.encoder.featurizer
    tagger.predict([["room"]])
    work = []
    for n in range(4):
        for keep in (False, True):
            featurizer.index([[f"{n}-{keep}-{i}" for i in range(3000)]], keep)
            made.clear()
            copied.clear()
            tagger.predict([[f"new-{n}-{keep}", "room"]])
            featurizer.collate(featurizer.index([[f"newer-{n}-{keep}"]], keep=True), 1)
            work.append((len(made), sum(copied)))
    assert {words for words, _ in work} == {2}
    assert max(numbers for _, numbers in work) < 1.1 * min(numbers for _, numbers in work)
    arrays = []
    for n in range(400):
        featurizer.index([[f"one-{n}"]], keep=True)
        if not any(array is featurizer._kept[""]._values for array in arrays):
            arrays.append(featurizer._kept[""]._values)
    assert len(arrays) <= 3  # all words so far are copied only when twice as many are there
    made.clear()
    tagger.predict([["room", f"new-{3}-True"]])
    assert made == []  # they are remembered


def test_a_file_of_vectors_is_read_for_new_words_only(vectors: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    featurizer = StaticFeaturizer(2)
    featurizer.use_file(vectors)
    asked: list[list[str]] = []
    original = TextVectors.vectors
    monkeypatch.setattr(
        TextVectors,
        "vectors",
        lambda own, words: asked.append(list(words)) or original(own, words),  # type: ignore[func-returns-value]
    )
    for _ in range(2):
        featurizer.index([["Anna", "room"], ["Anna"]])
    featurizer.index([["Anna", "Price"]])
    assert asked == [["Anna", "room"], ["Price"]]
    vectors.write_text("3 2\nbroken 5\n")
    with pytest.raises(UserError, match="line 2: not a word and 2 numbers"):
        featurizer.index([["broken", "Price"]])
    vectors.write_text("1 2\nbroken 5 6\n")
    inputs = featurizer.collate(featurizer.index([["broken", "Price"]]), 2)
    assert inputs["table"][inputs["place"][0]].tolist() == [[5, 6], [-1, 0.5]]


def test_no_probability_is_not_a_number(tagger: Teacher) -> None:
    """Neither where no sequence is allowed nor where the weights are broken."""
    torch.manual_seed(0)
    pairs = Teacher(["B-X", "E-X"], "bioes", ["en"], NgramEmbedder(4, 64), BiLSTM(4)).eval()
    assert pairs.predict([["a", "b"]])[0].tags == ("B-X", "E-X")
    with pytest.raises(UserError, match=r"sentence 2 has no tag sequence .*allow none of 1 words"):
        pairs.predict([["a", "b"], ["a"]])
    with torch.no_grad():
        tagger.head.emissions.bias[0] = torch.nan
    with pytest.raises(UserError, match="not finite"):
        tagger.predict(VALID)


def test_each_words_most_probable_tag_is_decoded_by_option() -> None:
    """The best sequence is (A, A) of 0.4; the second word's most probable tag is B, of 0.6."""
    scores = {"head.transitions": torch.tensor([[0.4, 0.3], [1e-9, 0.3]]).log()}
    for decoding, expected in (("viterbi", ("A", "A")), ("marginals", ("A", "B"))):
        tagger = Teacher(["A", "B"], "none", ["en"], NgramEmbedder(), decoding=decoding).eval()
        with torch.no_grad():
            tagger.head.emissions.weight.zero_()
            tagger.head.emissions.bias.zero_()
        tagger.load_state_dict(scores, strict=False)
        (found,) = tagger.predict([["a", "b"]], language="en")
        assert found.tags == expected
        assert found.confidences[1] == pytest.approx(0.4 if decoding == "viterbi" else 0.6, abs=1e-4)
        assert found.probability == pytest.approx(0.4 if decoding == "viterbi" else 0.3, abs=1e-4)
        assert tagger.description()["decoding"] == decoding


def test_marginals_are_not_decoded_where_tags_mark_entities() -> None:
    with pytest.raises(UserError, match=r"--model.decoding marginals is for tags without entities"):
        Teacher(["O", "B-PER"], "iob2", ["en"], NgramEmbedder(), decoding="marginals")
