"""The paired bootstrap against a slow one, on known cases, and how often its interval holds the truth."""

import random
from statistics import fmean

import numpy as np
import pytest

from skd_lightning.analysis import bootstrap
from skd_lightning.analysis.comparison import Comparison
from skd_lightning.analysis.scores import Scores, parts, ratio
from skd_lightning.metrics import COLUMNS


def f1_counts(generator: np.random.Generator, sentences: int, skill: float) -> np.ndarray:
    """(sentences, 3): found, predicted, gold."""
    gold = np.random.default_rng(7).integers(0, 4, sentences)
    found = generator.binomial(gold, skill)
    return np.stack([found, found + generator.binomial(2, 0.2, sentences), gold], 1)


def slow(systems: list[list[np.ndarray]], draws: np.ndarray) -> list[list[float]]:
    """Scores of systems on given resamples (rows of sentence numbers), word for word as the docstring has it."""
    table = []
    for numbers in draws:
        row = []
        for taggers in systems:
            scores = []
            for counts in taggers:
                found = predicted = gold = 0
                for sentence in numbers:
                    found += counts[sentence][0]
                    predicted += counts[sentence][1]
                    gold += counts[sentence][2]
                scores.append(2 * found / (predicted + gold) if predicted + gold else 0.0)
            row.append(fmean(scores))
        table.append(row)
    return table


def test_agrees_with_a_literal_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the same draws, for systems with one and with three seeds, in blocks of uneven size."""
    generator = np.random.default_rng(0)
    sentences, resamples = 23, 50
    systems = [
        [f1_counts(generator, sentences, 0.7)],
        [f1_counts(generator, sentences, 0.6) for _ in range(3)],
    ]
    draws = np.random.default_rng(5).integers(sentences, size=(resamples, sentences))
    monkeypatch.setattr(bootstrap, "BLOCK", 7 * sentences)
    whole, drawn = bootstrap.scores(systems, resamples, seed=5)
    np.testing.assert_allclose(drawn, slow(systems, draws), rtol=1e-12)
    np.testing.assert_allclose(whole, slow(systems, [np.arange(sentences)])[0], rtol=1e-12)

    found = bootstrap.difference(whole[0], whole[1], drawn[:, 0], drawn[:, 1])
    differences = [a - b for a, b in slow(systems, draws)]
    value = whole[0] - whole[1]
    extreme = sum(abs(d - value) >= abs(value) - 1e-12 for d in differences)
    assert found.value == pytest.approx(value)
    assert found.p == pytest.approx((1 + extreme) / (1 + resamples))
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(differences, (0.025, 0.975))))


def test_block_size_does_not_change_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    system = [f1_counts(np.random.default_rng(0), 40, 0.7)]
    one = bootstrap.scores([system], 100, seed=3)[1]
    monkeypatch.setattr(bootstrap, "BLOCK", 1)
    np.testing.assert_array_equal(bootstrap.scores([system], 100, seed=3)[1], one)


def test_nothing_to_find_is_zero() -> None:
    counts = np.zeros((5, 3), dtype=np.int64)
    whole, drawn = bootstrap.scores([[counts]], 10)
    assert not whole.any()
    assert not drawn.any()
    assert ratio(np.array([3, 4, 2])) == pytest.approx(1.0)


def comparison(systems: dict[str, list[dict[str, np.ndarray]]], metric: str = "f1") -> Comparison:
    """Resample (sentences, 3) counts by system, tagger and language."""
    found = {}
    for name, taggers in systems.items():
        found[name] = []
        for tagger in taggers:
            counts = {}
            for language, three in tagger.items():
                counts[language] = np.zeros((len(three), len(COLUMNS)), dtype=np.int64)
                counts[language][:, 3:6] = three
            scores = {language: float(ratio(three.sum(0))) for language, three in tagger.items()}
            found[name].append(Scores(scores, {k: len(v) for k, v in counts.items()}, counts))
    languages = sorted(
        {language for taggers in systems.values() for tagger in taggers for language in tagger}
    )
    seeds = {name: list(range(1, len(taggers) + 1)) for name, taggers in systems.items()}
    return Comparison(metric, languages, found, seeds)


def test_identical_systems_do_not_differ() -> None:
    generator = np.random.default_rng(1)
    taggers = [{"de": f1_counts(generator, 60, 0.6), "en": f1_counts(generator, 50, 0.7)} for _ in range(2)]
    both = comparison({"none": taggers, "topk": taggers})
    both.resample([])
    found = both.contrast("topk", "none")
    assert found
    assert found.certain
    assert (found.value, found.certain.low, found.certain.high, found.certain.p) == (0.0, 0.0, 0.0, 1.0)
    assert (found.better, found.clearly(1), found.clearly(-1), found.seeds) == (0, 0, 0, (2, 0))


def test_a_certain_shift_is_certain() -> None:
    generator = np.random.default_rng(1)
    worse = {"de": f1_counts(generator, 300, 0.4), "en": f1_counts(generator, 300, 0.5)}
    better = {language: counts.copy() for language, counts in worse.items()}
    for counts in better.values():  # the same predictions, and every gold entity found
        counts[:, 1] += counts[:, 2] - counts[:, 0]
        counts[:, 0] = counts[:, 2]
    both = comparison({"none": [worse], "topk": [better]})
    both.resample([], resamples=2000)
    found = both.contrast("topk", "none")
    assert found
    assert found.certain
    assert found.certain.p == pytest.approx(1 / 2001)
    assert found.certain.low > 0.1
    assert (found.better, found.clearly(1), found.seeds) == (2, 2, (1, 1))
    back = both.contrast("none", "topk")
    assert back
    assert back.certain
    assert (back.certain.value, back.certain.p) == (pytest.approx(-found.certain.value), found.certain.p)


def test_macro_mean_draws_languages_apart() -> None:
    """The variance of a mean over two languages of one size is that of independent draws, not of one draw for both."""
    counts = f1_counts(np.random.default_rng(1), 200, 0.5)
    zero = np.zeros_like(counts)
    zero[:, 2] = counts[:, 2]
    both = comparison({"none": [{"de": zero, "en": zero}], "topk": [{"de": counts, "en": counts}]})
    both.resample([], resamples=4000)
    found = both.contrast("topk", "none")
    assert found
    assert found.certain
    one = found.certain_by_language["de"]
    shrinks = (found.certain.high - found.certain.low) / (one.high - one.low)
    assert shrinks == pytest.approx(np.sqrt(0.5), rel=0.06)


def test_interval_holds_the_truth_as_often_as_it_says() -> None:
    """400 drawn test sets of two languages: 95 % intervals hold the difference of the population, and under no
    difference p is below 0.05 in 5 % of them."""
    generator = np.random.default_rng(11)
    size, sentences, trials = 20_000, 120, 400
    hard = generator.normal(0, 1, (2, size))  # what is hard for one system is hard for the other
    gold = generator.integers(1, 5, (2, size))

    def system(skill: float) -> np.ndarray:
        found = generator.binomial(gold, 1 / (1 + np.exp(hard - skill)))
        return np.stack([found, found + generator.binomial(gold - found, 0.7), gold], 2)

    ours, theirs, alike = system(0.9), system(0.6), system(0.9)
    truth = float((ratio(ours.sum(1)) - ratio(theirs.sum(1))).mean())
    nothing = float((ratio(ours.sum(1)) - ratio(alike.sum(1))).mean())
    assert abs(nothing) < 0.003
    held = rejected = 0
    for trial in range(trials):
        drawn = []
        for language in range(2):
            chosen = generator.integers(size, size=sentences)
            systems = [[s[language, chosen]] for s in (ours, theirs, alike)]
            drawn.append(bootstrap.scores(systems, 400, seed=2 * trial + language))
        whole = np.mean([d[0] for d in drawn], 0)
        resampled = np.mean([d[1] for d in drawn], 0)
        found = bootstrap.difference(whole[0], whole[1], resampled[:, 0], resampled[:, 1])
        held += found.low <= truth <= found.high
        rejected += bootstrap.difference(whole[0], whole[2], resampled[:, 0], resampled[:, 2]).p < 0.05
    assert 0.92 <= held / trials <= 0.975, held / trials
    assert 0.025 <= rejected / trials <= 0.08, rejected / trials


def test_holm_against_its_definition() -> None:
    """The smallest p below its limit is rejected, then the next …, until one is not."""
    values = [0.01, 0.04, 0.03, 0.005]
    assert bootstrap.holm(values) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert bootstrap.holm([]) == []
    generator = random.Random(0)
    for _ in range(200):
        values = [generator.random() ** 3 for _ in range(6)]
        level = generator.uniform(0.01, 0.3)
        rejected = set()
        for rank, i in enumerate(sorted(range(6), key=values.__getitem__)):
            if values[i] > level / (6 - rank):
                break
            rejected.add(i)
        assert {i for i, p in enumerate(bootstrap.holm(values)) if p <= level} == rejected


def test_other_sentences_are_not_paired() -> None:
    generator = np.random.default_rng(0)
    both = comparison(
        {"none": [{"de": f1_counts(generator, 50, 0.5)}], "topk": [{"de": f1_counts(generator, 40, 0.5)}]}
    )
    notes: list[str] = []
    both.resample(notes)
    found = both.contrast("topk", "none")
    assert found
    assert found.certain is None
    assert notes == ["topk: other test sentences in de than the rest; no bootstrap there"]


def test_accuracy_is_read_from_words() -> None:
    table = np.zeros((2, len(COLUMNS)), dtype=np.int64)
    table[:, 1], table[:, 2] = [10, 30], [9, 15]
    assert ratio(parts(table, "accuracy").sum(0)) == pytest.approx(24 / 40)
