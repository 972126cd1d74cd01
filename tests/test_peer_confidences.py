"""How sure peers are of what they tag: the script that counts it, and what spaCy offers."""

import importlib
from pathlib import Path

import numpy as np
import pytest

from skd_lightning.data.sentence import Sentence
from skd_lightning.tags import TagSet

PEERS = Path(__file__).parent.parent / "experiments" / "peers"


@pytest.fixture(autouse=True)
def scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PEERS))


def test_calibration_of_a_peer_by_hand() -> None:
    confidence = importlib.import_module("confidence")
    tag_set = TagSet.of(["B-PER"], "bioes")
    sentences = [Sentence(("a", "b"), ("S-PER", "O")), Sentence(("c",), ("O",))]
    tags = [("S-PER", "S-PER"), ("O",)]
    sure = [
        confidence.Confidence([0.9, 0.5], [0.9, 0.25], [0.8, 0.5]),
        confidence.Confidence([1.0], [1.0]),
    ]
    found = confidence.calibration(sentences, tags, sure, tag_set)
    words, spans = found["words"], found["entities"]
    assert found["log_loss"] == pytest.approx(-np.log([0.9, 0.25, 1.0]).mean())
    # Bins of 1/15: 0.9 ends in number 13, 0.5 in number 7, 1.0 in number 14, 0.8 = 12/15 in number 11.
    for bins, expected in (
        (words, {13: (1, 0.9, 1), 7: (1, 0.5, 0), 14: (1, 1.0, 1)}),
        (spans, {11: (1, 0.8, 1), 7: (1, 0.5, 0)}),
    ):
        for place in range(15):
            row = tuple(bins[name][place] for name in ("count", "confidence", "correct"))
            assert row == expected.get(place, (0, 0.0, 0)), place
    unsaid = [confidence.Confidence(one.decoded, None, one.entities) for one in sure]
    assert "log_loss" not in confidence.calibration(sentences, tags, unsaid, tag_set)
    plain = confidence.calibration(
        [Sentence(("a",), ("N",))], [("V",)], [confidence.Confidence([1.0], [0.0])], TagSet.of("NV", "none")
    )
    assert "entities" not in plain
    assert plain["log_loss"] == pytest.approx(87.3, abs=0.1)


def test_probabilities_of_spacys_tagger_are_its_softmax(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("spacy")
    module, peer = (importlib.import_module(name) for name in ("spacy_peer", "peer"))
    monkeypatch.setattr(module, "MOST", 60)
    text = [("the", "dog", "sleeps"), ("a", "cat", "runs"), ("the", "cat", "sleeps"), ("a", "dog", "runs")]
    lesson = [Sentence(words, ("D", "N", "V"), "en") for words in text * 10]
    model = module.train(peer.Lesson("en", lesson, lesson, False, 1))
    asked = [Sentence(("the", "dog", "ran"), ("D", "N", "X"), "en")]  # nobody has seen X
    (found,) = model.confidences(asked, model.tag([asked[0].words]))
    assert min(found.decoded) > 1 / 3  # the most probable of three tags
    assert found.gold[2] == 0
    of_tags = [model.confidences(asked, [[tag] * 3])[0].decoded for tag in ("D", "N", "V")]
    assert np.sum(of_tags, axis=0) == pytest.approx(1)
    assert found.decoded == pytest.approx(np.max(of_tags, axis=0))
    assert found.gold[:2] == pytest.approx([of_tags[0][0], of_tags[1][1]])
