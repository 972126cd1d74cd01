"""Probabilities of entities against all tag sequences, each read by the project's own decoder."""

import itertools

import pytest
import torch

from skd_lightning.crf import LinearChainCRF
from skd_lightning.encoders import BiLSTM, NgramEmbedder
from skd_lightning.predictions import Entity
from skd_lightning.taggers import Teacher
from skd_lightning.taggers.entity_probabilities import entities_of_chain
from skd_lightning.tags import Scheme, TagSet, entities

WORDS = 4


def chain(tag_set: TagSet, well_formed: bool, seed: int, dtype: torch.dtype = torch.double) -> LinearChainCRF:
    """Sentences of four, three, one and no words."""
    generator = torch.Generator().manual_seed(seed)
    tags = len(tag_set)
    emissions, transitions, start, end = (
        torch.randn(*shape, generator=generator, dtype=dtype)
        for shape in ((4, WORDS, tags), (tags, tags), (tags,), (tags,))
    )
    if well_formed:
        neighbours, first, last = (torch.from_numpy(mask) for mask in tag_set.forbidden())
        transitions = transitions.masked_fill(neighbours, -torch.inf)
        start, end = start.masked_fill(first, -torch.inf), end.masked_fill(last, -torch.inf)
    return LinearChainCRF(emissions, transitions, torch.tensor([4, 3, 1, 0]), start, end)


def enumerated(crf: LinearChainCRF, tag_set: TagSet, row: int) -> dict[tuple[str, int, int], float]:
    """The probability of every entity that some tag sequence of a sentence spells."""
    length = int(crf.lengths[row])
    found: dict[tuple[str, int, int], float] = {}
    paths = torch.tensor(list(itertools.product(range(len(tag_set)), repeat=length)))
    every = torch.zeros(len(crf.lengths), len(paths), WORDS, dtype=torch.long)
    every[row, :, :length] = paths
    for path, probability in zip(paths.tolist(), crf.log_prob(every)[row].exp().tolist(), strict=True):
        for entity in entities(tag_set.decode(path)):
            found[entity] = found.get(entity, 0.0) + probability
    return found


@pytest.mark.parametrize("well_formed", [True, False])
@pytest.mark.parametrize("scheme", ["iob2", "bioes"])
def test_every_entity_that_any_sequence_spells(scheme: Scheme, well_formed: bool) -> None:
    tag_set = TagSet.of(["B-X", "B-Y"] if scheme == "iob2" else ["B-X"], scheme)
    crf = chain(tag_set, well_formed, seed=0)
    for row, length in enumerate(crf.lengths.tolist()):
        expected = {entity: p for entity, p in enumerated(crf, tag_set, row).items() if p > 0}
        assert bool(expected) == (length > 0)
        for entity_type, first, end in expected:
            tags = [("O",) * int(size) for size in crf.lengths]  # a sequence of tags with just this entity
            spelled = [f"I-{entity_type}"] * (end - first)
            if scheme == "bioes":
                spelled[-1] = f"E-{entity_type}"
            spelled[0] = f"{'S' if scheme == 'bioes' and len(spelled) == 1 else 'B'}-{entity_type}"
            tags[row] = ("O",) * first + tuple(spelled) + ("O",) * (length - end)
            found = entities_of_chain(crf, tags, tag_set, well_formed)
            assert found[row][0][:3] == (first, end - 1, entity_type)
            assert found[row][0].probability == pytest.approx(expected[entity_type, first, end], abs=1e-12)
            assert not any(own for other, own in enumerate(found) if other != row)


@pytest.mark.parametrize("well_formed", [True, False])
@pytest.mark.parametrize("scheme", ["iob2", "bioes"])
def test_entities_of_the_best_sequences(scheme: Scheme, well_formed: bool) -> None:
    tag_set = TagSet.of(["B-X"], scheme)
    some = 0
    for seed in range(20):
        crf = chain(tag_set, well_formed, seed, dtype=torch.float32)
        tags = [
            tag_set.decode(path[: int(n)])
            for path, n in zip(crf.viterbi().tolist(), crf.lengths, strict=True)
        ]
        for row, own in enumerate(entities_of_chain(crf, tags, tag_set, well_formed)):
            assert [(label, first, last + 1) for first, last, label, _ in own] == entities(tags[row])
            expected = enumerated(crf, tag_set, row)
            for first, last, label, probability in own:
                assert probability == pytest.approx(expected[label, first, last + 1], abs=1e-5)
                some += 1
    assert some > 20


def test_a_tagger_says_how_sure_it_is_of_each_entity() -> None:
    torch.manual_seed(0)
    network = NgramEmbedder(4, 64), BiLSTM(4)
    tagger = Teacher(["O", "B-X", "I-X"], "iob2", ["en"], *network, decoding="viterbi").eval()
    with torch.no_grad():
        tagger.head.emissions.bias += torch.tensor([0.0, 2.0, 2.0])
    sentences = [["a", "b", "c", "d"], [], ["e"]]
    crf = tagger.distribution(sentences)
    predictions = tagger.predict(sentences)
    assert predictions[1].entities == ()
    for row, prediction in enumerate(predictions):
        expected = enumerated(crf, tagger.tag_set, row) if sentences[row] else {}
        assert len(prediction.entities) == len(entities(prediction.tags))
        for entity in prediction.entities:
            assert isinstance(entity, Entity)
            exact = expected[entity.label, entity.first, entity.last + 1]
            assert entity.probability == pytest.approx(exact, abs=1e-5)
    assert predictions[0].entities


def test_an_entity_that_no_allowed_sequence_spells() -> None:
    tag_set = TagSet(("O", "I-X"), "iob2")  # nothing begins an X
    found = entities_of_chain(
        chain(tag_set, True, seed=0), [("O", "I-X"), (), (), ()], tag_set, well_formed=True
    )
    assert found == [(Entity(1, 1, "X", 0.0),), (), (), ()]


def test_tags_of_no_scheme_have_no_entities() -> None:
    tagger = Teacher(["NOUN", "VERB"], "none", ["en"], NgramEmbedder(4, 64), BiLSTM(4)).eval()
    assert tagger.predict([["a", "b"]])[0].entities == ()
