"""Entities that are chosen for their expected F1: against all choices, in PyTorch and NumPy, and by a tagger."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_taggers import SENTENCES, made
from test_entity_probabilities import chain, enumerated

import skd_lightning
from skd_lightning.cli import main
from skd_lightning.crf import LinearChainCRF
from skd_lightning.distillation.objectives.topk import TopK
from skd_lightning.distillation.objectives.topwk import TopWK
from skd_lightning.encoders import NgramEmbedder
from skd_lightning.entity_spans import HIGHEST, LOWEST, threshold_of
from skd_lightning.entity_spans import decode_entities as decode_in_numpy
from skd_lightning.errors import UserError
from skd_lightning.metrics import TaggingScores
from skd_lightning.serving.chain import Chain
from skd_lightning.taggers import Teacher
from skd_lightning.taggers.decoding import decode_entities
from skd_lightning.tags import Scheme, TagSet, entities

Span = tuple[str, int, int]


def best_choice(probabilities: dict[Span, float], threshold: float) -> set[Span]:
    """The disjoint entities with the largest sum of probability − threshold, of all sets of entities."""
    worth = {span: p - threshold for span, p in probabilities.items() if p > threshold}
    choices = [
        set(chosen)
        for size in range(len(worth) + 1)
        for chosen in itertools.combinations(worth, size)
        if all(a[2] <= b[1] or b[2] <= a[1] for a, b in itertools.combinations(chosen, 2))
    ]
    return max(choices, key=lambda chosen: sum(worth[span] for span in chosen))


@pytest.mark.parametrize("threshold", [LOWEST, 0.15, 0.3, HIGHEST])
@pytest.mark.parametrize("scheme", ["iob2", "bioes"])
def test_the_entities_are_the_best_of_all_choices(scheme: Scheme, threshold: float) -> None:
    tag_set = TagSet.of(["B-X", "B-Y"], scheme)
    chosen = competing = 0
    for seed in range(4):
        crf = chain(tag_set, well_formed=True, seed=seed)
        nothing = np.zeros(len(tag_set))  # start and end scores are in the unary potentials
        in_numpy = Chain(crf.unary.numpy(), crf.transitions.numpy(), crf.lengths.numpy(), nothing, nothing)
        lengths = crf.lengths.tolist()
        for paths in (
            decode_entities(crf, tag_set, threshold).tolist(),
            decode_in_numpy(
                in_numpy.span_log_prob, np.exp(in_numpy.log_marginals), lengths, tag_set, threshold
            ).tolist(),
        ):
            for row, length in enumerate(lengths):
                probabilities = enumerated(crf, tag_set, row) if length else {}
                expected = best_choice(probabilities, threshold)
                assert set(entities(tag_set.decode(paths[row][:length]))) == expected
                assert not any(paths[row][length:])
                chosen += len(expected)
                competing += sum(p > threshold for p in probabilities.values()) > len(expected)
    assert chosen > 4
    assert competing or threshold > 0.2  # below, some entities exclude each other


@pytest.mark.parametrize("scheme", ["iob2", "bioes"])
def test_its_f1_is_the_best_where_the_probabilities_are_true(scheme: Scheme) -> None:
    """Gold tags drawn from the distributions themselves: half of its own F1 is the best threshold there is."""
    tag_set = TagSet.of(["B-X", "B-Y"], scheme)
    generator = torch.Generator().manual_seed(0)
    masks = [torch.from_numpy(mask) for mask in tag_set.forbidden()]
    scores = [torch.zeros(mask.shape).masked_fill(mask, -torch.inf) for mask in masks]
    emissions = 1.5 * torch.randn(3000, 8, len(tag_set), generator=generator)
    emissions[:, :, 0] += 2.0
    crf = LinearChainCRF(emissions, scores[0], torch.full((3000,), 8), scores[1], scores[2])
    gold = crf.sample(1, generator).squeeze(1)

    def f1(paths: torch.Tensor) -> float:
        counts = TaggingScores(tag_set, ["en"])
        counts.update(paths, gold, crf.lengths, torch.zeros(3000, dtype=torch.long))
        return float(counts.compute()["average"])

    most_probable = f1(crf.viterbi())
    threshold = threshold_of(most_probable)
    for _ in range(5):
        threshold = threshold_of(f1(decode_entities(crf, tag_set, threshold)))
    best = f1(decode_entities(crf, tag_set, threshold))
    assert best > most_probable + 0.02
    assert best > f1(decode_entities(crf, tag_set, threshold_of(most_probable))) - 0.005
    assert all(best > f1(decode_entities(crf, tag_set, other)) for other in (threshold / 2, threshold + 0.15))


def test_an_f1_gives_a_threshold_within_bounds() -> None:
    assert [threshold_of(f1) for f1 in (0.0, 0.6, 1.0)] == [LOWEST, 0.3, HIGHEST]


@pytest.mark.parametrize("threshold", [0.0, 0.6, float("nan")])
def test_a_tagger_refuses_a_threshold_that_it_could_not_load_again(threshold: float) -> None:
    with pytest.raises(UserError, match=r"the threshold of entities is .*, it must be from 0\.05 to 0\.5"):
        made(decoding="entities").threshold = threshold


def test_sentences_without_words() -> None:
    tag_set = TagSet.of(["B-X"], "bioes")
    zeros = torch.zeros(len(tag_set), len(tag_set))
    crf = LinearChainCRF(torch.zeros(2, 0, len(tag_set)), zeros, torch.zeros(2, dtype=torch.long))
    assert decode_entities(crf, tag_set, 0.3).shape == (2, 0)


def test_a_tagger_predicts_them_and_keeps_its_threshold(tmp_path: Path) -> None:
    tagger = made(decoding="entities")
    found = {}
    for threshold in (HIGHEST, LOWEST):
        tagger.threshold = threshold
        found[threshold] = tagger.predict(SENTENCES, "en")
        chosen = [entity for prediction in found[threshold] for entity in prediction.entities]
        assert chosen
        assert all(entity.probability > threshold for entity in chosen)
    numbers = [sum(len(prediction.entities) for prediction in own) for own in found.values()]
    assert numbers[0] < numbers[1]
    tagger.save(tmp_path / "saved")
    loaded = skd_lightning.load(tmp_path / "saved")
    assert (loaded.decoding, loaded.threshold) == ("entities", LOWEST)
    assert [own.tags for own in loaded.predict(SENTENCES, "en")] == [own.tags for own in found[LOWEST]]


def test_a_checkpoint_brings_its_threshold_to_a_test_and_to_a_tagger_of_other_decoding() -> None:
    tagger, other = made(decoding="viterbi"), made(decoding="entities")
    tagger.threshold = LOWEST
    checkpoint: dict[str, Any] = {"state_dict": tagger.state_dict()}
    tagger.on_save_checkpoint(checkpoint)
    other.on_load_checkpoint(checkpoint)
    assert other.threshold == LOWEST
    tagger.decoding = "entities"
    assert [p.tags for p in tagger.predict(SENTENCES, "en")] == [
        p.tags for p in other.predict(SENTENCES, "en")
    ]


def test_its_fingerprint_holds_the_threshold_where_predictions_depend_on_it() -> None:
    for decoding, differs in (("viterbi", False), ("entities", True)):
        tagger = made(decoding=decoding)
        before = tagger.fingerprint()
        tagger.threshold = 0.2
        assert (tagger.fingerprint() != before) == differs


@pytest.mark.parametrize(
    ("tags", "scheme", "options", "expected"),
    [
        (["O", "S-X"], "bioes", {}, "entities"),
        (["O", "S-X"], "bioes", {"decoder": "softmax"}, "viterbi"),
        (["O", "S-X"], "bioes", {"constrain": False}, "viterbi"),
        (["NOUN"], "none", {}, "viterbi"),
        (["O", "S-X"], "bioes", {"decoding": "viterbi"}, "viterbi"),
    ],
)
def test_entities_are_decoded_wherever_they_can_be(
    tags: list[str], scheme: Any, options: dict[str, Any], expected: str
) -> None:
    assert Teacher(tags, scheme, ["en"], NgramEmbedder(4, 64), **options).decoding == expected


def test_students_of_equally_weighted_sequences_choose_the_most_probable_one() -> None:
    found = [made(objective=objective).decoding for objective in (TopK(), TopWK(), None)]
    assert found == ["viterbi", "entities", "entities"]
    assert made(objective=TopK(), decoding="entities").decoding == "entities"


@pytest.mark.parametrize(
    ("tags", "scheme", "options"),
    [
        (["NOUN"], "none", {}),
        (["B-X", "E-X"], "bioes", {}),
        (["O", "S-X"], "bioes", {"decoder": "softmax"}),
        (["O", "S-X"], "bioes", {"constrain": False}),
    ],
)
def test_other_tags_and_distributions_are_refused(
    tags: list[str], scheme: Any, options: dict[str, Any]
) -> None:
    with pytest.raises(UserError, match=r"--model.decoding entities"):
        Teacher(tags, scheme, ["en"], NgramEmbedder(4, 64), decoding="entities", **options)


def test_a_training_sets_the_threshold_to_half_of_the_best_dev_score(tmp_path: Path) -> None:
    words = ["distill", "--task", "demo", "--runs", str(tmp_path), "--loss", "none", "--langs", "en"]
    words += ["--trainer.max_epochs", "2"]
    main([*words, "--data.max_train_sentences", "100", "--trainer.enable_progress_bar", "false"])
    run = tmp_path / "demo/none/seed1"
    with (run / "metrics.csv").open() as file:
        best = max(float(row["dev/average"]) for row in csv.DictReader(file) if row["dev/average"])
    threshold = skd_lightning.load(run).threshold
    assert threshold == pytest.approx(threshold_of(best))
    assert LOWEST < threshold < HIGHEST
