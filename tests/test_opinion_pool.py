"""The weights of network and sparse features are those with the best dev score, and go wherever the tagger goes."""

import csv
from pathlib import Path

import pytest
import torch
from small_corpus import write_corpus
from torch import Tensor

import skd_lightning
from skd_lightning.cli import main
from skd_lightning.serving import Runtime
from skd_lightning.taggers.opinion_pool import EQUAL, SHARES, PoolScores
from skd_lightning.tags import TagSet

GOLD, LENGTHS, ENGLISH = torch.tensor([[0, 1, 1, 0]]), torch.tensor([4]), torch.tensor([0])


def pool() -> PoolScores:
    return PoolScores(TagSet(("A", "B"), "none"), ["en"])


@pytest.mark.parametrize("best", [SHARES[0], 0.3, 0.7, SHARES[-1]])
def test_the_weight_with_the_best_score_is_chosen(best: float) -> None:
    """Here each tenth away from it costs a word."""

    def decoded(share: float) -> Tensor:
        wrong = round(10 * abs(share - best))
        return torch.tensor([[0] * wrong + [1] * (10 - wrong)])

    scores = pool()
    scores.update(decoded, torch.ones(1, 10, dtype=torch.long), torch.tensor([10]), ENGLISH)
    share, found = scores.best()
    assert share == best
    assert found.compute()["average"] == 1.0
    scores.reset()
    assert scores.by_share[0.5].counts.sum() == 0


def test_a_lucky_score_among_bad_ones_is_not_chosen() -> None:
    scores = pool()
    scores.update(lambda share: GOLD if share > 0.55 or share == 0.2 else 1 - GOLD, GOLD, LENGTHS, ENGLISH)
    assert scores.best()[0] == 0.8  # its neighbours are as good


def test_of_equal_scores_the_weight_nearest_to_equal_ones_is_chosen() -> None:
    scores = pool()
    scores.update(lambda _: GOLD, GOLD, LENGTHS, ENGLISH)
    assert scores.best()[0] == EQUAL
    scores.reset()
    scores.update(lambda share: GOLD if share < 0.45 else 1 - GOLD, GOLD, LENGTHS, ENGLISH)
    assert scores.best()[0] == 0.2  # all within reach are as good


def test_the_weight_of_the_best_epoch_is_saved_and_served(tmp_path: Path) -> None:
    """The network starts at nothing, so that its weight grows while it learns."""
    write_corpus(tmp_path / "mine", ("de", "en"), {"train": 60, "dev": 20, "test": 20})
    place = f"--task mine --data {tmp_path} --runs {tmp_path / 'runs'}"
    small = "--model.embedder.buckets 256 --model.context.hidden_size 8 --trainer.max_epochs 6"
    main(f"distill {place} --loss none --trainer.enable_progress_bar false {small}".split())
    run = tmp_path / "runs/mine/none/seed1"
    with (run / "metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["dev/average"]]
    best = max(rows, key=lambda row: float(row["dev/average"]))  # the first of several, as the checkpoint's
    tagger = skd_lightning.load(run)
    assert tagger.wide is not None
    share = tagger.wide.share.item()
    assert share == pytest.approx(float(best["dev/wide_share"]))
    assert share != EQUAL
    tagger.save(tmp_path / "saved")
    words = [["Anna", "lives", "in", "York"]]
    (served,), (own,) = (
        each.predict(words, language="en") for each in (Runtime.load(tmp_path / "saved"), tagger)
    )
    assert served.tags == own.tags
    assert served.confidences == pytest.approx(own.confidences, abs=1e-5)
