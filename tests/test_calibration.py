"""How sure taggers are against how often they are right: counts and error."""

from __future__ import annotations

import copy
import itertools
import math
from random import Random

import numpy as np
import pytest
import torch
from torch import Tensor

from skd_lightning.analysis.calibration import Bins, expected_calibration_error
from skd_lightning.crf import LinearChainCRF
from skd_lightning.data.batches import SentenceDataset
from skd_lightning.data.sentence import Sentence
from skd_lightning.encoders import BiLSTM, NgramEmbedder
from skd_lightning.runs.calibration import BinCounts, Calibration
from skd_lightning.taggers import Teacher
from skd_lightning.taggers.confidences import BINS, ConfidenceCounts
from skd_lightning.tags import Scheme, TagSet, entities

NV = TagSet.of(["N", "V"], "none")


def independent(probabilities: list[list[float]]) -> LinearChainCRF:
    """Sentences of words that are the first of two tags with these probabilities, whatever stands beside them."""
    lengths = torch.tensor([len(row) for row in probabilities])
    emissions = torch.full((len(lengths), int(lengths.max()), 2), 7.0)
    for sentence, row in enumerate(probabilities):
        p = torch.tensor(row)
        emissions[sentence, : len(row)] = torch.stack([p, 1 - p], 1).log()
    return LinearChainCRF(emissions, torch.zeros(2, 2), lengths)


def count(
    counts: ConfidenceCounts, crf: LinearChainCRF, gold: Tensor, lengths: Tensor, languages: Tensor
) -> None:
    counts.update(crf, crf.viterbi(), gold, lengths, languages)


def chain(tag_set: TagSet, words: int, constrained: bool) -> LinearChainCRF:
    """A sentence with drawn potentials; transitions are asymmetric."""
    tags = len(tag_set)
    scores = [torch.randn(shape) for shape in ((tags, tags), (tags,), (tags,))]
    if constrained:
        masks = [torch.from_numpy(mask) for mask in tag_set.forbidden()]
        scores = [s.masked_fill(mask, -torch.inf) for s, mask in zip(scores, masks, strict=True)]
    transitions, start, end = scores
    return LinearChainCRF(torch.randn(1, words, tags), transitions, torch.tensor([words]), start, end)


def assert_counts(found: dict[str, list], items: list[tuple[float, bool]]) -> None:
    """Compare with words or entities that are told one by one, each with its probability and if it is right."""
    rows = np.zeros((BINS, 3))
    for probability, right in items:
        rows[math.ceil(probability * BINS) - 1] += 1, probability, right
    number, confidence, correct = rows.T.tolist()
    assert (found["count"], found["correct"]) == (number, correct)
    assert found["confidence"] == pytest.approx(confidence, rel=1e-4, abs=2e-6)


@pytest.mark.parametrize("constrained", [True, False])
@pytest.mark.parametrize(("scheme", "words"), [("iob2", 1), ("iob2", 5), ("bioes", 4)])
def test_entities_have_the_probability_of_all_sequences_that_hold_them(
    scheme: Scheme, words: int, constrained: bool
) -> None:
    torch.manual_seed(1)
    tag_set = TagSet.of(["B-X"] if scheme == "bioes" else ["B-X", "B-Y"], scheme)
    every = list(itertools.product(range(len(tag_set)), repeat=words))
    spelt = [entities(tag_set.decode(path)) for path in every]
    counts = ConfidenceCounts(tag_set, ["en"], well_formed=constrained)
    items = []
    for _ in range(12):
        crf = chain(tag_set, words, constrained)
        probabilities = crf.log_prob(torch.tensor([every]))[0].exp().tolist()
        path, gold = crf.sample(2).unbind(1)
        counts.update(crf, path, gold, torch.tensor([words]), torch.tensor([0]))
        true = entities(tag_set.decode(gold[0].tolist()))
        for entity in entities(tag_set.decode(path[0].tolist())):
            those = [p for p, held in zip(probabilities, spelt, strict=True) if entity in held]
            items.append((sum(those), entity in true))
    assert len(items) > 5
    assert {right for _, right in items} == {True, False}
    assert_counts(counts.compute()["en"]["entities"], items)


@pytest.mark.parametrize("constrain", [True, False])
@pytest.mark.parametrize("scheme", ["iob2", "bioes"])
def test_a_tested_tagger_counts_what_it_predicts(scheme: Scheme, constrain: bool) -> None:
    torch.manual_seed(5)
    tag_set = TagSet.of(["B-X", "B-Y"], scheme)
    network = NgramEmbedder(4, 64), BiLSTM(4)
    tagger = Teacher(list(tag_set.names), scheme, ["en"], *network, constrain=constrain).eval()
    tagger.threshold = 0.1
    with torch.no_grad():
        tagger.head.emissions.bias.copy_(torch.randn(len(tag_set)))
        tagger.head.transitions.copy_(torch.randn(len(tag_set), len(tag_set)))
    draw = Random(5)
    drawn = [
        Sentence(tuple(map(str, range(row, row + n))), tuple(draw.choices(tag_set.names, k=n)), "en")
        for row, n in enumerate((7, 3, 0, 1, 6, 7))
    ]
    other = Sentence(("0", "1"), language="en")  # nobody annotated it
    dataset = SentenceDataset([*drawn, other], tagger.featurizer, ["en"], tag_set)
    tagger.tested.begin(dataset.lengths, torch.device("cpu"))
    with torch.no_grad():
        for batch in ([4, 0, -1], [6, 5], [2, 1, 3, -1]):
            tagger.test_step(dataset.__getitems__(batch), 0)
    tagger.tested.finish(lambda counts, reduce_op: counts)
    found = tagger.tested.calibration["en"]
    predictions = tagger.predict([sentence.words for sentence in drawn])
    decoded = [tag for prediction in predictions for tag in prediction.tags]
    assert tagger.tested.predicted.tolist() == [*tag_set.encode(decoded), 0, 0]
    of_words, of_entities = [], []
    for sentence, predicted in zip(drawn, predictions, strict=True):
        gold = sentence.tags
        assert gold is not None
        right = [tag == true for tag, true in zip(predicted.tags, gold, strict=True)]
        of_words += zip(predicted.confidences, right, strict=True)
        true = entities(gold)
        of_entities += [(p, (label, first, last + 1) in true) for first, last, label, p in predicted.entities]
    assert len(of_entities) > 4
    assert_counts(found["words"], of_words)
    assert_counts(found["entities"], of_entities)


def test_bins_by_hand() -> None:
    counts = ConfidenceCounts(NV, ["de", "en"], well_formed=True)
    # Decoded: N with .9 (right), V with .7 (wrong: gold N has .3), N with .62 (right); in German one N with .9, wrong.
    crf = independent([[0.9, 0.3, 0.62], [0.9]])
    gold = torch.tensor([[0, 0, 0], [1, -100, -100]])
    count(counts, crf, gold, torch.tensor([3, 1]), torch.tensor([1, 0]))
    found = counts.compute()
    english = found["en"]["words"]
    width = 1 / BINS
    bins = {place: int(np.ceil(p / width)) - 1 for place, p in enumerate((0.9, 0.7, 0.62))}
    assert bins == {0: 13, 1: 10, 2: 9}
    assert {i: n for i, n in enumerate(english["count"]) if n} == {13: 1, 10: 1, 9: 1}
    assert [english["confidence"][i] for i in (13, 10, 9)] == pytest.approx([0.9, 0.7, 0.62])
    assert {i: n for i, n in enumerate(english["correct"]) if n} == {13: 1, 9: 1}
    assert found["en"]["log_loss"] == pytest.approx(-np.mean(np.log([0.9, 0.3, 0.62])))
    assert found["de"]["log_loss"] == pytest.approx(-np.log(0.1), rel=1e-5)
    assert "entities" not in found["en"]
    of_english = Bins.of([BinCounts.model_validate(english)])
    assert of_english
    assert expected_calibration_error(of_english) == pytest.approx((0.1 + 0.7 + 0.38) / 3)


def test_entities_are_counted_by_their_own_probability() -> None:
    tag_set = TagSet.of(["B-X"], "iob2")
    counts = ConfidenceCounts(tag_set, ["en"], well_formed=True)
    # O, B-X, I-X, words independent: B-X then no I-X.
    p = torch.tensor([[[0.1, 0.8, 0.1], [0.25, 0.25, 0.5], [0.7, 0.2, 0.1]]])
    crf = LinearChainCRF(p.log(), torch.zeros(3, 3), torch.tensor([3]))
    path, gold, length = torch.tensor([[1, 2, 0]]), torch.tensor([[1, 2, 1]]), torch.tensor([3])
    counts.update(crf, path, gold, length, torch.tensor([0]))
    found = counts.compute()["en"]["entities"]
    sure = 0.8 * 0.5 * (1 - 0.1)
    place = int(np.ceil(sure * BINS)) - 1
    assert sum(found["count"]) == found["count"][place] == found["correct"][place] == 1
    assert found["confidence"][place] == pytest.approx(sure)


def test_a_tagger_that_draws_the_gold_tags_is_calibrated_and_a_surer_one_is_not() -> None:
    torch.manual_seed(2)
    tag_set = TagSet.of(["B-X"], "bioes")
    words = torch.full((4000,), 6)
    transitions, start, end = (torch.from_numpy(mask).float() * -1e9 for mask in tag_set.forbidden())
    crf = LinearChainCRF(1.5 * torch.randn(4000, 6, 5), transitions, words, start, end)
    gold = crf.sample(1)[:, 0]
    errors = {}
    for sureness in (1.0, 4.0):
        tagger = crf.tempered(1 / sureness)
        counts = ConfidenceCounts(tag_set, ["en"], well_formed=True)
        count(counts, tagger, gold, words, torch.zeros(4000, dtype=torch.int64))
        row = counts.compute()["en"]
        for unit in ("words", "entities"):
            bins = Bins.of([BinCounts.model_validate(row[unit])])
            assert bins
            errors[unit, sureness] = expected_calibration_error(bins)
            if sureness > 1:  # always too sure: the error is the whole gap
                gap = (bins.confidence.sum() - bins.correct.sum()) / bins.count.sum()
                assert errors[unit, sureness] == pytest.approx(gap, abs=0.01)
        if sureness == 1:  # the mean of −log p(y_i) is the entropy of the marginals
            entropy = -torch.special.xlogy(crf.marginals, crf.marginals).sum(2).mean()
            assert row["log_loss"] == pytest.approx(entropy.item(), abs=0.01)
    assert max(errors["words", 1.0], errors["entities", 1.0]) < 0.02
    assert min(errors["words", 4.0], errors["entities", 4.0]) > 0.1


def test_constant_overconfidence_is_the_gap() -> None:
    counts = ConfidenceCounts(NV, ["en"], well_formed=True)
    crf = independent([[0.95] * 10])
    count(counts, crf, torch.tensor([[0] * 6 + [1] * 4]), torch.tensor([10]), torch.tensor([0]))
    bins = Bins.of([BinCounts.model_validate(counts.compute()["en"]["words"])])
    assert bins
    assert expected_calibration_error(bins) == pytest.approx(0.95 - 0.6)


def test_padding_and_sentences_without_gold_tags_do_not_count() -> None:
    torch.manual_seed(3)
    tag_set = TagSet.of(["B-X", "B-Y"], "iob2")
    languages = torch.tensor([0, 1, 1, 0])
    lengths, labelled = torch.tensor([3, 5, 2, 0]), torch.tensor([True, True, False, True])
    emissions, gold = torch.randn(4, 5, len(tag_set)), torch.randint(len(tag_set), (4, 5))
    transitions = torch.randn(len(tag_set), len(tag_set))

    def counted(rows: list[int], padding: int, garbage: float) -> dict:
        counts = ConfidenceCounts(tag_set, ["de", "en"], well_formed=False)
        words = torch.arange(5 + padding) < lengths[rows].unsqueeze(1)
        padded = torch.nn.functional.pad(emissions[rows], (0, 0, 0, padding)).masked_fill(
            ~words[..., None], garbage
        )
        tags = torch.nn.functional.pad(gold[rows], (0, padding)).masked_fill(~words, -100)
        crf = LinearChainCRF(padded, transitions, lengths[rows])
        count(counts, crf, tags, torch.where(labelled[rows], lengths[rows], 0), languages[rows])
        return counts.compute()

    whole = counted([0, 1, 2, 3], 0, 0.0)
    alone = counted([0, 1], 3, 99.0)
    assert list(whole) == ["de", "en"]
    assert [sum(whole[code]["words"]["count"]) for code in whole] == [3, 5]
    for code, unit, name in itertools.product(
        whole, ("words", "entities"), ("count", "confidence", "correct")
    ):
        assert whole[code][unit][name] == pytest.approx(alone[code][unit][name], abs=1e-5)


def test_halves_add_up_to_the_last_digit() -> None:
    torch.manual_seed(4)
    crf = LinearChainCRF(torch.randn(30, 7, 2), torch.randn(2, 2), torch.full((30,), 7))
    gold, languages = torch.randint(2, (30, 7)), torch.randint(2, (30,))
    path, marginals = crf.viterbi(), crf.marginals

    def counted(rows: list[slice]) -> ConfidenceCounts:
        counts = ConfidenceCounts(NV, ["de", "en"], well_formed=True)
        for row in rows:
            part = copy.copy(crf)
            part._recursions = type("Recursions", (), {"marginals": marginals[row]})
            lengths = torch.full((len(path[row]),), 7)
            counts.update(part, path[row], gold[row], lengths, languages[row])
        return counts

    one = counted([slice(0, 30)])
    first, second = counted([slice(17, 30)]), counted([slice(0, 5), slice(5, 17)])
    first.merge_state(second)
    assert first.words.dtype == torch.int64
    assert first.compute() == one.compute()


@pytest.mark.parametrize("constrained", [True, False])
@pytest.mark.parametrize("scheme", ["none", "iob2", "bioes"])
def test_a_tagger_without_finite_weights_has_counts_all_the_same(scheme: Scheme, constrained: bool) -> None:
    torch.manual_seed(6)
    tag_set = NV if scheme == "none" else TagSet.of(["B-X"], scheme)
    sound, tags = chain(tag_set, 3, constrained), len(tag_set)
    crf = LinearChainCRF(
        torch.full((tags**3, 3, tags), torch.nan), sound.transitions, torch.full((tags**3,), 3)
    )
    paths = torch.tensor(list(itertools.product(range(tags), repeat=3)))  # whatever is decoded
    counts = ConfidenceCounts(tag_set, ["en"], well_formed=constrained)
    counts.update(crf, paths, paths.flip(0), crf.lengths, torch.zeros(tags**3, dtype=torch.int64))
    found = Calibration.model_validate({"languages": counts.compute()}).languages["en"]
    assert (found.words.count[0], found.words.confidence[0]) == (3 * tags**3, 0.0)
    assert 87 < found.log_loss < 88
    if scheme == "none":
        assert found.entities is None
    else:
        assert found.entities
        held = sum(len(entities(tag_set.decode(path))) for path in paths.tolist())
        assert (found.entities.count[0], found.entities.confidence[0]) == (held, 0.0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_counts_the_same() -> None:
    torch.manual_seed(7)
    tag_set = TagSet.of(["B-X", "B-Y"], "iob2")
    tags, lengths = len(tag_set), torch.tensor([6, 0, 2, 5])
    scores = torch.randn(4, 6, tags), torch.randn(tags, tags), lengths
    path, gold = LinearChainCRF(*scores).sample(2).unbind(1)
    found = []
    for device in ("cpu", "cuda"):
        counts = ConfidenceCounts(tag_set, ["de", "en"], well_formed=False).to(device)
        rest = (x.to(device) for x in (path, gold, lengths, torch.tensor([0, 1, 1, 0])))
        counts.update(LinearChainCRF(*(x.to(device) for x in scores)), *rest)
        found.append(counts.compute())
    for code, unit in itertools.product(("de", "en"), ("words", "entities")):
        ours, theirs = (rows[code][unit] for rows in found)
        assert sum(ours["count"]) > 0
        assert (ours["count"], ours["correct"]) == (theirs["count"], theirs["correct"])
        assert ours["confidence"] == pytest.approx(theirs["confidence"], abs=1e-4)
