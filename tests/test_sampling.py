"""Batches: budgets, coverage, padding, languages, seeds, shards."""

import numpy as np
import pytest

from skd_lightning.data.batch_sampling import EvaluationBatches, TrainingBatches
from skd_lightning.ragged import cut_by_budget, regroup_into


@pytest.fixture
def lengths() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 40, 500)


@pytest.fixture
def languages() -> np.ndarray:
    return np.repeat([0, 1, 2], [350, 100, 50])


def width(batch: list[int], lengths: np.ndarray) -> int:
    return int(lengths[batch].max()) * len(batch)


def test_budget_holds_and_long_sentences_stay_whole() -> None:
    lengths = np.array([3, 3, 50, 1, 0])
    batches = cut_by_budget(range(5), lengths, 10)
    assert sorted(i for batch in batches for i in batch) == [0, 1, 2, 3, 4]
    assert [2] in batches
    assert all(width(batch, lengths) <= 10 for batch in batches if batch != [2])


def test_exponent_one_shows_every_sentence_once(lengths: np.ndarray, languages: np.ndarray) -> None:
    sampler = TrainingBatches(lengths, languages, 300)
    assert sorted(i for batch in sampler for i in batch) == list(range(500))
    assert all(width(batch, lengths) <= 300 for batch in sampler)
    assert sampler.padding() < 0.12


def test_mixed_batches_mix_and_single_ones_do_not(lengths: np.ndarray, languages: np.ndarray) -> None:
    mixed = TrainingBatches(lengths, languages, 300)
    single = TrainingBatches(lengths, languages, 300, kind="single")
    assert np.mean([len(set(languages[batch])) > 1 for batch in mixed]) > 0.8
    assert all(len(set(languages[batch])) == 1 for batch in single)
    order = [int(languages[batch[0]]) for batch in single]
    assert order != sorted(order)  # interleaved, not one language after the other


@pytest.mark.parametrize("exponent", [0.0, 0.5, 0.7])
def test_languages_are_drawn_in_proportion(
    lengths: np.ndarray, languages: np.ndarray, exponent: float
) -> None:
    sampler = TrainingBatches(lengths, languages, 300, exponent)
    drawn = np.array([i for batch in sampler for i in batch])
    counts = np.array([350, 100, 50]) ** exponent
    expected = counts / counts.sum() * 500
    found = np.bincount(languages[drawn], minlength=3)
    np.testing.assert_allclose(found, expected, atol=1)
    for language in range(3):  # no sentence a second time before each was shown once
        times = np.bincount(drawn, minlength=500)[languages == language]
        assert times.max() - times.min() <= 1


def test_epochs_differ_and_repeat_with_the_seed(lengths: np.ndarray, languages: np.ndarray) -> None:
    def epochs(seed: int) -> list[list[list[int]]]:
        sampler = TrainingBatches(lengths, languages, 300, seed=seed)
        made = []
        for epoch in (0, 1):
            sampler.set_epoch(epoch)
            made.append(list(sampler))
        return made

    first = epochs(1)
    assert first[0] != first[1]
    assert first == epochs(1)
    assert first != epochs(2)


def test_shards_are_even_and_cover_everything(lengths: np.ndarray, languages: np.ndarray) -> None:
    shards = [list(TrainingBatches(lengths, languages, 300, rank=rank, world=3)) for rank in range(3)]
    assert len({len(shard) for shard in shards}) == 1
    assert sorted(i for shard in shards for batch in shard for i in batch) == list(range(500))
    evaluation = [EvaluationBatches(lengths, 300, rank, 3) for rank in range(3)]
    assert len({len(shard) for shard in evaluation}) == 1
    seen = [i for shard in evaluation for batch in shard for i in batch if i >= 0]
    assert sorted(seen) == list(range(500))  # each once: repeated sentences would bias the scores


@pytest.mark.parametrize("kind", ["mixed", "single"])
@pytest.mark.parametrize(("exponent", "ratio", "world"), [(1.0, None, 1), (0.5, None, 2), (1.0, 0.7, 3)])
def test_every_epoch_has_as_many_batches(
    lengths: np.ndarray, languages: np.ndarray, kind: str, exponent: float, ratio: float | None, world: int
) -> None:
    labelled = np.arange(500) % 3 > 0 if ratio else None
    counts = set()
    for rank in range(world):
        sampler = TrainingBatches(
            lengths, languages, 60, exponent, kind, 1, rank, world, labelled=labelled, unlabelled_ratio=ratio
        )
        for epoch in range(20):
            sampler.set_epoch(epoch)
            counts.add(len(sampler))
            assert len(list(sampler)) == len(sampler)
            if exponent == 1.0 and ratio is None:
                assert sorted(i for batch in sampler for i in batch) == list(range(500))
    assert len(counts) == 1


def test_the_budget_is_all_but_kept() -> None:
    rng = np.random.default_rng(3)
    lengths = rng.integers(1, 60, 3000)
    sampler = TrainingBatches(lengths, np.zeros(3000, np.int64), 500)
    for epoch in range(10):
        sampler.set_epoch(epoch)
        widths = np.array([width(batch, lengths) for batch in sampler])
        assert (widths > 500).mean() < 0.02
        assert widths.max() <= 500 + 2 * 60
        assert sampler.padding() < 0.08


@pytest.mark.parametrize("count", range(1, 14))
def test_any_number_of_batches_holds_the_same_sentences(count: int) -> None:
    lengths = np.array([1, 2, 3, 4, 5, 6, 7, 8, 0])
    made = regroup_into([[8, 0, 1, 2], [3], [4, 5], [6, 7]], count, lengths)
    assert len(made) == count
    assert sorted(i for batch in made for i in batch if i >= 0) == list(range(9))
    assert all(batch for batch in made)
    assert sum(batch == [-1] for batch in made) == max(0, count - 9)


def test_long_sentences_that_are_shared_out_do_not_pad_many_short_ones() -> None:
    lengths = np.array([2] * 300 + [50] * 6 + [90] * 4)
    made = regroup_into([[*range(300)], [*range(300, 306)], [*range(306, 310)]], 2, lengths)
    assert sorted(i for batch in made for i in batch) == list(range(310))
    assert max(width(batch, lengths) for batch in made) == 10 * 90


def test_no_epoch_of_single_batches_is_many_times_the_budget() -> None:
    rng = np.random.default_rng(1)
    lengths = np.concatenate([rng.geometric(p, 300).clip(1, 160) for p in (0.05, 0.04, 0.3)])
    sampler = TrainingBatches(lengths, np.repeat([0, 1, 2], 300), 200, kind="single")
    for epoch in range(60):
        sampler.set_epoch(epoch)
        assert max(width(batch, lengths) for batch in sampler) < 2 * 200


def test_lightning_finds_set_epoch(lengths: np.ndarray, languages: np.ndarray) -> None:
    for sampler in (TrainingBatches(lengths, languages, 300), EvaluationBatches(lengths, 300)):
        assert sampler.sampler is sampler


def test_padding_is_what_batches_hold_beside_words() -> None:
    batches = TrainingBatches(np.array([1, 3]), np.zeros(2, np.int64), tokens=6)
    assert batches.padding() == pytest.approx(2 / 6)
    assert TrainingBatches(np.array([2, 2, 2]), np.zeros(3, np.int64), tokens=4).padding() == 0.0
