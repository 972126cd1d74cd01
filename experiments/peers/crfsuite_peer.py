"""crfsuite: a linear-chain CRF on hand-made features, without tuning.

python experiments/peers/crfsuite_peer.py experiments/suites/uner.yaml

Features of a word: itself, in lower case, its shape, its prefixes and suffixes of 1 to 4 letters; the form, shape and
last three letters of its neighbours up to two words away. L-BFGS, at most 300 iterations, c1 = c2 = 0.1, the
values of the library's tutorial. Entities are learnt in IOB2, which is better on the dev sentences of Universal NER
than BIOES. Nothing is random, so one seed is enough; dev sentences are not used otherwise.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from crfsuite_features import features
from peer import Lesson, Model, Peer, Texts, main

from skd_lightning.tags import EntityScheme, convert


def train(lesson: Lesson) -> Model:
    """Train one model."""
    from sklearn_crfsuite import CRF

    crf = CRF(algorithm="lbfgs", c1=0.1, c2=0.1, max_iterations=300)
    crf.fit(
        [features(sentence.words) for sentence in lesson.train],
        [_in(sentence.tags or (), "iob2", lesson) for sentence in lesson.train],
    )

    def tag(texts: Texts) -> list[list[str]]:
        return [_in(tags, "bioes", lesson) for tags in crf.predict([features(words) for words in texts])]

    def save(folder: Path) -> None:
        shutil.copyfile(crf.modelfile.name, folder / "model.crfsuite")

    return Model(tag, len(crf.state_features_) + len(crf.transition_features_), save)


def _in(tags: Sequence[str], scheme: EntityScheme, lesson: Lesson) -> list[str]:
    return list(convert(tags, scheme) if lesson.entities else tags)


PEER = Peer("crfsuite", "sklearn-crfsuite", "peers", train)

if __name__ == "__main__":
    main(PEER)
