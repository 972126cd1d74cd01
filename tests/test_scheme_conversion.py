"""Chains in other schemes and labels in any, against the probability of every sequence."""

import itertools
import math

import numpy as np
import pytest
import torch

from skd_lightning.distillation.cache.entry import Potentials
from skd_lightning.distillation.label_reading import LEAST, read_labels
from skd_lightning.distillation.scheme_conversion import IntoBioes, counterpart
from skd_lightning.distillation.tag_mapping import map_tags
from skd_lightning.distillation.teachers.converted import speaking_in
from skd_lightning.encoders import BiLSTM, NgramEmbedder
from skd_lightning.errors import UserError
from skd_lightning.taggers import Tagger
from skd_lightning.tags import TagSet, convert

IOB2 = TagSet.of(["B-X", "B-Y"], "iob2")


def probabilities(said: Potentials, tag_set: TagSet, first: int, words: int) -> dict[tuple[str, ...], float]:
    """Every sequence of some words that has a probability, with it."""
    scores = {}
    for path in itertools.product(range(len(tag_set)), repeat=words):
        score = float(sum(said.emissions[first + i, tag] for i, tag in enumerate(path)))
        score += float(sum(said.transitions[a, b] for a, b in itertools.pairwise(path)))
        score += float(said.start[path[0]] + said.end[path[-1]]) if path else 0.0
        if score > -math.inf:
            scores[tag_set.decode(path)] = score
    total = math.fsum(map(math.exp, scores.values()))
    return {path: math.exp(score) / total for path, score in scores.items()}


def learned(tag_set: TagSet, seed: int, constrained: bool = True) -> Potentials:
    """Potentials as a CRF has them, with asymmetric transitions."""
    generator = np.random.default_rng(seed)
    neighbours, first, last = tag_set.forbidden()
    n = len(tag_set)
    emissions, transitions = 2 * generator.normal(size=(4, n)), 2 * generator.normal(size=(n, n))
    start, end = generator.normal(size=n), generator.normal(size=n)
    if constrained:
        transitions[neighbours], start[first], end[last] = -np.inf, -np.inf, -np.inf
    return Potentials(emissions, transitions, start, end)


@pytest.mark.parametrize("words", range(5))
def test_iob2_becomes_bioes_sequence_by_sequence(words: int) -> None:
    said = learned(IOB2, seed=words)
    into = IntoBioes(IOB2)
    theirs, ours = (
        probabilities(said, IOB2, 0, words),
        probabilities(into(said), into.tag_set, 0, words),
    )
    assert len(theirs) == len(ours)
    assert ours == pytest.approx({convert(path, "bioes"): p for path, p in theirs.items()})


def test_ill_formed_sequences_of_a_tagger_without_constraints_are_left_out() -> None:
    said = learned(IOB2, seed=1, constrained=False)
    into = IntoBioes(IOB2)
    theirs = {path: p for path, p in probabilities(said, IOB2, 0, 3).items() if convert(path, "iob2") == path}
    total = math.fsum(theirs.values())
    ours = probabilities(into(said), into.tag_set, 0, 3)
    assert ours == pytest.approx({convert(path, "bioes"): p / total for path, p in theirs.items()})


def test_bioes_falls_together_in_iob2_and_no_sequences_do() -> None:
    bioes = TagSet.of(["B-X", "B-Y"], "bioes")
    columns = map_tags(bioes, IOB2, "x")
    theirs = probabilities(learned(bioes, seed=2), bioes, 0, 4)
    mapped = {tuple(IOB2.names[columns[bioes.index(tag)]] for tag in path): p for path, p in theirs.items()}
    assert mapped == {convert(path, "iob2"): p for path, p in theirs.items()}
    assert len(mapped) == len(theirs)
    renamed = map_tags(TagSet.of(["B-Z"], "bioes"), IOB2, "x", {"Z": "Y"})
    assert [IOB2.names[column] for column in renamed] == ["O", "B-Y", "I-Y", "I-Y", "B-Y"]
    with pytest.raises(UserError, match="scheme none, the student in iob2"):
        map_tags(TagSet(("NOUN",), "none"), IOB2, "x")
    assert counterpart("-") == "-"


def test_a_tagger_in_iob2_speaks_in_bioes() -> None:
    """Its k best sequences, in the same order and with the same probabilities."""
    torch.manual_seed(0)
    tagger = Tagger(list(IOB2.names), "iob2", ["en"], NgramEmbedder(4, 64), BiLSTM(4)).eval()
    torch.nn.init.normal_(tagger.head.transitions, std=2.0)
    torch.nn.init.normal_(tagger.head.emissions.weight, std=4.0)
    sentences = [("Anna", "in", "New", "York"), ("Hi",)]
    lengths = np.array([4, 1])
    found = []
    for speaker in (tagger, speaking_in(tagger, "bioes")):
        said = speaker.speak(sentences, lambda _: None, "en")
        crf = said.chain(np.arange(2), lengths, np.cumsum(lengths) - lengths)
        best = crf.kbest(20)
        found.append((speaker.tag_set, best.paths, best.scores - crf.log_partition.unsqueeze(1)))
    (iob2, theirs, log_probs), (bioes, ours, converted) = found
    torch.testing.assert_close(converted, log_probs)
    assert bioes.scheme == "bioes"
    for row, rank in itertools.product(range(2), range(20)):
        if log_probs[row, rank] > -math.inf:
            path = iob2.decode(theirs[row, rank, : lengths[row]].tolist())
            assert bioes.decode(ours[row, rank, : lengths[row]].tolist()) == convert(path, "bioes")
    assert speaking_in(tagger, "bioes").fingerprint() != tagger.fingerprint()
    assert speaking_in(tagger, "iob2") is tagger


def by_label(labels: list[str], words: int, seed: int = 0) -> np.ndarray:
    scores = np.random.default_rng(seed).normal(size=(words, len(labels))) * 2
    return scores - np.log(np.exp(scores).sum(1, keepdims=True))


@pytest.mark.parametrize(
    ("labels", "scheme"),
    [
        (["I-X", "O", "B-X", "I-Y", "B-Y"], "iob2"),
        (["O", "S-X", "E-X", "B-X", "I-X"], "bioes"),
        (["O", "U-X", "L-X", "B-X", "I-X"], "bioes"),
    ],
)
def test_labels_of_words_are_a_chain_of_well_formed_sequences(labels: list[str], scheme: str) -> None:
    reading, log_probs = read_labels(labels, "bioes", "x"), by_label(labels, 3)
    assert reading.tag_set.scheme == scheme
    found = probabilities(reading.potentials(log_probs), reading.tag_set, 0, 3)
    bilou = {"L": "E", "U": "S"}
    written = [bilou.get(label[0], label[0]) + label[1:] for label in labels]
    every = {
        tuple(written[i] for i in path): math.exp(sum(log_probs[word, i] for word, i in enumerate(path)))
        for path in itertools.product(range(len(labels)), repeat=3)
    }
    well_formed = {path: p for path, p in every.items() if convert(path, scheme) == path}
    total = math.fsum(well_formed.values())
    assert found == pytest.approx({path: p / total for path, p in well_formed.items()}, rel=1e-4)


@pytest.mark.parametrize("labels", [["O", "I-X", "I-Y"], ["X", "Y", "O"]])
def test_types_alone_are_entities_that_never_touch_their_like(labels: list[str]) -> None:
    """Every sequence of labels is one of tags, in IOB2 and in BIOES."""
    reading, log_probs = read_labels(labels, "bioes", "x"), by_label(labels, 4, seed=3)
    said = reading.potentials(log_probs)
    expected = {}
    for path in itertools.product(range(3), repeat=4):
        tags = [labels[i] if labels[i] == "O" else f"I-{labels[i][-1]}" for i in path]
        expected[convert(tags, "bioes")] = math.exp(sum(log_probs[w, i] for w, i in enumerate(path)))
    into = IntoBioes(reading.tag_set)
    assert probabilities(into(said), into.tag_set, 0, 4) == pytest.approx(expected, rel=1e-4)


def test_labels_without_a_scheme_are_named_and_add_up() -> None:
    names = {"LABEL_0": "O", "LABEL_1": "B-X", "LABEL_2": "I-X", "LABEL_3": "O"}
    reading = read_labels(list(names), "iob2", "x", names)
    assert reading.tag_set == TagSet.of(["B-X"], "iob2")
    log_probs = by_label(list(names), 2)
    emissions = np.exp(reading.potentials(log_probs).emissions)
    p = np.exp(log_probs)
    np.testing.assert_allclose(emissions, np.stack([p[:, 0] + p[:, 3], p[:, 1], p[:, 2]], axis=1), rtol=1e-5)
    padded = read_labels(["O", "B-X", "I-X", "[PAD]"], "iob2", "x", {"[PAD]": "O"}).potentials(log_probs)
    np.testing.assert_allclose(np.exp(padded.emissions), emissions, rtol=1e-5)
    plain = read_labels(["NOUN", "VERB"], "none", "x")
    assert plain.tag_set == TagSet(("NOUN", "VERB"), "none")
    assert not np.isinf(plain.potentials(by_label(["NOUN", "VERB"], 1)).transitions).any()


def test_certain_words_that_are_ill_formed_together_still_have_a_sequence() -> None:
    reading = read_labels(["O", "B-X", "I-X"], "iob2", "x")
    with np.errstate(divide="ignore"):
        said = reading.potentials(np.log(np.eye(3)[[0, 2]]))  # I-X after O
    found = probabilities(said, reading.tag_set, 0, 2)
    assert sum(found.values()) == pytest.approx(1)
    assert math.isclose(found["O", "O"], 1 / 3, rel_tol=1e-3)  # three change one word
    assert said.emissions.min() == LEAST


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["O", "B-X", "I-X", "I-Y"], "x: it has I-Y without B-Y, so its labels are IOB1"),
        (["O", "B-X", "I-X", "[PAD]"], r"x: among labels such as B-X, \[PAD\] belongs to no scheme"),
    ],
)
def test_labels_that_make_no_sense_together_are_refused(labels: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_labels(labels, "bioes", "x")
