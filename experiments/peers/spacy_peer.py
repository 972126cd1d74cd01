"""spaCy: its small convolutional network from scratch, with the settings that `spacy train` has by itself.

python experiments/peers/spacy_peer.py experiments/suites/uner.yaml --seeds 1 2 3

A blank pipeline with `ner` (its transition-based recogniser) or, where tags mark no entities, with `tagger`, each on
HashEmbedCNN: no vectors, no pretrained weights. The words are those of the corpus, so no tokenizer is asked. Adam,
dropout 0.1, batches that grow from 100 to 1,000 words, scored on dev every 200 steps, stopped after 1,600 steps without
a better score; MOST steps, not spaCy's 20,000, since dev scores have flattened by then and a language takes a minute.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

from peer import Lesson, Model, Peer, Texts, main

from skd_lightning.tags import convert

MOST = 2000
TO_SPACY, FROM_SPACY = {"E": "L", "S": "U"}, {"L": "E", "U": "S"}


def _renamed(tags: Sequence[str], names: dict[str, str]) -> list[str]:
    """Exchange the prefixes of BIOES and of spaCy's BILUO."""
    return [names.get(tag[0], tag[0]) + tag[1:] if tag[1:2] == "-" else tag for tag in tags]


def train(lesson: Lesson) -> Model:
    """Train one model; the weights with the best dev score are kept."""
    import spacy
    from spacy.tokens import Doc
    from spacy.training import Example
    from spacy.training.loop import train_while_improving
    from spacy.util import fix_random_seed

    fix_random_seed(lesson.seed)
    nlp = spacy.blank("xx")
    nlp.add_pipe("ner" if lesson.entities else "tagger")

    def examples(sentences: Sequence[Any]) -> list[Example]:
        gold = [
            {"entities": _renamed(sentence.tags, TO_SPACY)}
            if lesson.entities
            else {"tags": list(sentence.tags)}
            for sentence in sentences
        ]
        docs = [Doc(nlp.vocab, words=list(sentence.words)) for sentence in sentences]
        return [Example.from_dict(doc, tags) for doc, tags in zip(docs, gold, strict=True)]

    learned, watched = examples(lesson.train), examples(lesson.dev)
    optimizer = nlp.initialize(lambda: learned)
    score = "ents_f" if lesson.entities else "tag_acc"

    def evaluate() -> tuple[float, dict[str, Any]]:
        found = nlp.evaluate(watched)
        return found[score] or 0.0, found

    best = nlp.to_bytes()
    steps = train_while_improving(
        nlp, optimizer, _batches(learned, lesson.seed), evaluate,
        dropout=0.1, eval_frequency=200, accumulate_gradient=1, patience=1600, max_steps=MOST,
        exclude=[], annotating_components=[], before_update=None,
    )  # fmt: skip
    for _, _, is_best in steps:
        if is_best:
            best = nlp.to_bytes()
    nlp.from_bytes(best)

    def tag(texts: Texts) -> list[list[str]]:
        docs = nlp.pipe(Doc(nlp.vocab, words=list(words)) for words in texts)
        if not lesson.entities:
            return [[token.tag_ for token in doc] for doc in docs]
        iob = ([f"{t.ent_iob_}-{t.ent_type_}" if t.ent_type_ else "O" for t in doc] for doc in docs)
        return [list(convert(tags, "bioes")) for tags in iob]

    parameters = sum(
        node.get_param(name).size
        for _, pipe in nlp.pipeline
        for node in pipe.model.walk()
        for name in node.param_names
        if node.has_param(name)
    )
    return Model(tag, parameters, nlp.to_disk)


def _batches(examples: Sequence[Any], seed: int) -> Iterator[tuple[int, list[Any]]]:
    """Yield (epoch, examples of a batch) without end, shuffled in each epoch."""
    from spacy.training.batchers import minibatch_by_words
    from thinc.api import compounding

    order, sizes, epoch = random.Random(seed), compounding(100, 1000, 1.001), 0
    while True:
        shuffled = list(examples)
        order.shuffle(shuffled)
        for batch in minibatch_by_words(shuffled, size=sizes, tolerance=0.2, discard_oversize=False):
            yield epoch, batch
        epoch += 1


PEER = Peer("spacy", "spacy", "peers", train)

if __name__ == "__main__":
    main(PEER)
