"""Scores against seqeval, and their independence of batching."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics import (
    accuracy_score,
    classification_report,
    f1_score,
    precision_score,
    recall_score,
)
from seqeval.scheme import IOB2, IOBES

from skd_lightning.metrics import TaggingScores, split_types
from skd_lightning.tags import TagSet, entities

LANGUAGES = ["de", "en", "nl"]
TAG_SETS = [TagSet.of(["B-PER", "B-LOC"], "iob2"), TagSet.of(["B-PER", "B-LOC"], "bioes")]
UPOS = TagSet.of(["NOUN", "VERB", "X"], "none")

Item = tuple[int, list[int], list[int]]  # place of the language, predicted tags, gold tags


@st.composite
def items(draw: st.DrawFn, tag_set: TagSet) -> Item:
    """A sentence with any tags, most ill-formed; predictions often right, to have something to find."""
    tag = st.integers(0, len(tag_set) - 1)
    gold = draw(st.lists(tag, max_size=7))
    predicted = [draw(st.just(right) | tag) for right in gold]
    return draw(st.integers(0, len(LANGUAGES) - 1)), predicted, gold


@st.composite
def scored(draw: st.DrawFn, tag_sets: list[TagSet]) -> tuple[TagSet, list[Item]]:
    tag_set = draw(st.sampled_from(tag_sets))
    return tag_set, draw(st.lists(items(tag_set), min_size=1, max_size=12))


def update(scores: TaggingScores, sentences: list[Item], extra_words: int = 0, padding: int = 0) -> None:
    """One batch; ``padding`` stands where no word does."""
    lengths = [len(gold) for _, _, gold in sentences]
    words = max(lengths, default=0) + extra_words
    predicted, gold = (torch.full((len(sentences), words), padding) for _ in range(2))
    for row, (_, p, g) in enumerate(sentences):
        predicted[row, : len(p)], gold[row, : len(g)] = torch.tensor(p), torch.tensor(g)
    languages = torch.tensor([language for language, _, _ in sentences])
    scores.update(predicted, gold, torch.tensor(lengths), languages)


def result(tag_set: TagSet, sentences: list[Item]) -> dict[str, Any]:
    scores = TaggingScores(tag_set, LANGUAGES)
    update(scores, sentences)
    found: dict[str, Any] = scores.compute()
    return found


@pytest.mark.filterwarnings("ignore")
@given(scored(TAG_SETS))
def test_scores_are_those_of_seqeval(case: tuple[TagSet, list[Item]]) -> None:
    tag_set, sentences = case
    found = result(tag_set, sentences)
    assert found["metric"] == "f1"
    averaged = []
    for place, language in enumerate(LANGUAGES):
        mine = [(p, g) for where, p, g in sentences if where == place and g]
        row = found["languages"][language]
        assert (row["sentences"], row["words"]) == (len(mine), sum(len(g) for _, g in mine))
        if not mine:
            assert row["f1"] == row["f1_strict"] == row["accuracy"] == 0.0
            continue
        gold = [list(tag_set.decode(g)) for _, g in mine]
        predicted = [list(tag_set.decode(p)) for p, _ in mine]
        scheme = IOB2 if tag_set.scheme == "iob2" else IOBES
        assert row["f1"] == pytest.approx(f1_score(gold, predicted, zero_division=0))
        assert row["precision"] == pytest.approx(precision_score(gold, predicted, zero_division=0))
        assert row["recall"] == pytest.approx(recall_score(gold, predicted, zero_division=0))
        strict = f1_score(gold, predicted, mode="strict", scheme=scheme, zero_division=0)
        assert row["f1_strict"] == pytest.approx(strict)
        assert row["accuracy"] == pytest.approx(accuracy_score(gold, predicted))
        averaged.append(row["f1"])
    assert found["average"] == pytest.approx(sum(averaged) / len(averaged) if averaged else 0.0)


@pytest.mark.filterwarnings("ignore")
@given(scored(TAG_SETS))
def test_scores_by_type_are_those_of_seqeval(case: tuple[TagSet, list[Item]]) -> None:
    tag_set, sentences = case
    found = result(tag_set, sentences)["languages"]
    for place, language in enumerate(LANGUAGES):
        mine = [(p, g) for where, p, g in sentences if where == place and g]
        gold = [list(tag_set.decode(g)) for _, g in mine]
        predicted = [list(tag_set.decode(p)) for p, _ in mine]
        by_type = found[language]["by_type"]
        if not any(tag != "O" for tags in gold + predicted for tag in tags):
            assert by_type == {}  # of nothing seqeval makes no report
            continue
        report = classification_report(gold, predicted, output_dict=True, zero_division=0)
        assert list(by_type) == [name for name in report if not name.endswith(" avg")]
        for name, row in by_type.items():
            theirs = report[name]
            assert row["support"] == theirs["support"]
            for ours, other in (("precision", "precision"), ("recall", "recall"), ("f1", "f1-score")):
                assert row[ours] == pytest.approx(theirs[other]), (name, ours)
            assert row["predicted"] == sum(
                kind == name for tags in predicted for kind, _, _ in entities(tags)
            )


@given(scored([*TAG_SETS, UPOS]), st.data())
def test_batching_and_padding_change_nothing(case: tuple[TagSet, list[Item]], data: st.DataObject) -> None:
    tag_set, sentences = case
    scores = TaggingScores(tag_set, LANGUAGES)
    rest = data.draw(st.permutations(sentences))
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        filling: list[Item] = data.draw(st.sampled_from([[], [(0, [], [])], [(2, [], [])]]))
        padding = data.draw(st.sampled_from([-100, 0, 1, 10_000]))
        update(scores, filling + rest[:size], data.draw(st.integers(0, 3)), padding)
        rest = rest[size:]
    assert scores.compute() == result(tag_set, sentences)


@given(scored([*TAG_SETS, UPOS]), st.data())
def test_halves_add_up(case: tuple[TagSet, list[Item]], data: st.DataObject) -> None:
    tag_set, sentences = case
    cut = data.draw(st.integers(0, len(sentences)))
    halves = [TaggingScores(tag_set, LANGUAGES) for _ in range(2)]
    for half, part in zip(halves, (sentences[:cut], sentences[cut:]), strict=True):
        update(half, part or [(0, [], [])])
    assert halves[0].counts.dtype == torch.int64
    halves[0].merge_state(halves[1])
    assert halves[0].compute() == result(tag_set, sentences)


def test_by_hand() -> None:
    tag_set = TAG_SETS[0]

    def numbers(tags: str) -> list[int]:
        return tag_set.encode(tags.split())

    sentences = [
        (1, numbers("I-PER I-PER O B-LOC"), numbers("B-PER I-PER O B-LOC")),
        (1, numbers("B-LOC I-LOC"), numbers("B-LOC O")),
        (0, numbers("O"), numbers("B-LOC")),
    ]
    found = result(tag_set, sentences)
    # Lenient: PER and the first LOC are found, of 3 predicted and 3 gold. Strict: only that LOC, of 2 and 3.
    english = found["languages"]["en"]
    assert english == {
        "accuracy": 4 / 6, "sentences": 2, "words": 6,
        "f1": 2 / 3, "precision": 2 / 3, "recall": 2 / 3, "f1_strict": 2 / 5,
        "by_type": {
            "LOC": {"precision": 1 / 2, "recall": 1 / 2, "f1": 1 / 2, "support": 2, "predicted": 2},
            "PER": {"precision": 1.0, "recall": 1.0, "f1": 1.0, "support": 1, "predicted": 1},
        },
    }  # fmt: skip
    assert found["languages"]["de"]["f1"] == 0.0
    assert found["languages"]["nl"]["sentences"] == 0
    assert found["average"] == (2 / 3) / 2  # de and en; nl has no sentence


def test_rows_are_parted_into_whole_scores_and_types() -> None:
    found = result(TAG_SETS[0], [(0, [1], [1]), (1, [0], [0])])["languages"]
    rows, types = split_types(found)
    assert rows["de"] == {name: value for name, value in found["de"].items() if name != "by_type"}
    assert types == {"de": found["de"]["by_type"]}
    assert split_types(result(UPOS, [(0, [0], [0])])["languages"])[1] == {}


def test_accuracy_only_without_entities() -> None:
    found = result(UPOS, [(0, [0, 1, 2], [0, 1, 1]), (1, [0], [0])])
    assert found["metric"] == "accuracy"
    assert found["languages"]["de"] == {"accuracy": 2 / 3, "sentences": 1, "words": 3}
    assert found["average"] == pytest.approx((2 / 3 + 1) / 2)


@pytest.mark.filterwarnings("ignore:The ``compute`` method")
def test_nothing_counted() -> None:
    assert TaggingScores(TAG_SETS[0], LANGUAGES).compute()["average"] == 0.0


@pytest.mark.filterwarnings("ignore:The ``compute`` method")
def test_counts_survive_half_precision_reset_and_copy() -> None:
    scores = TaggingScores(TAG_SETS[1], LANGUAGES)
    update(scores, [(0, [1, 2, 3], [1, 2, 3])])
    before = copy.deepcopy(scores).to(torch.bfloat16).compute()
    assert before == scores.compute()
    assert type(before["average"]) is float
    scores.reset()
    assert scores.compute()["languages"]["de"]["words"] == 0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_update_does_not_wait_for_the_gpu() -> None:
    scores = TaggingScores(TAG_SETS[1], LANGUAGES).to("cuda")
    tags = torch.randint(len(TAG_SETS[1]), (2, 8, 12), device="cuda")
    lengths, languages = torch.randint(0, 13, (8,), device="cuda"), torch.randint(0, 3, (8,), device="cuda")
    torch.cuda.set_sync_debug_mode("error")
    try:
        scores.update(tags[0], tags[1], lengths, languages)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    on_cpu = TaggingScores(TAG_SETS[1], LANGUAGES)
    on_cpu.update(tags[0].cpu(), tags[1].cpu(), lengths.cpu(), languages.cpu())
    assert scores.compute() == on_cpu.compute()
