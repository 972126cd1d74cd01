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

import numpy as np
from confidence import Confidence
from peer import Lesson, Model, Peer, Texts, main

from skd_lightning.data.sentence import Sentence
from skd_lightning.tags import convert, entities

MOST = 2000
BEAM, DENSITY = 16, 0.0001
"""Width of the beam of parses whose shares stand for probabilities, and the least share of the best that is kept."""
TO_SPACY = {"E": "L", "S": "U"}


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

    def documents(texts: Texts) -> list[Doc]:
        return [Doc(nlp.vocab, words=list(words)) for words in texts]

    def tag(texts: Texts) -> list[list[str]]:
        docs = nlp.pipe(documents(texts))
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

    def confidences(sentences: Sequence[Sentence], tags: Sequence[Sequence[str]]) -> list[Confidence]:
        docs = documents([sentence.words for sentence in sentences])
        of_kind = _of_entities if lesson.entities else _of_words
        return of_kind(nlp.pipeline[0][1], docs, sentences, tags)

    return Model(tag, parameters, nlp.to_disk, confidences)


def _of_words(
    tagger: Any, docs: Sequence[Any], sentences: Sequence[Sentence], tags: Sequence[Sequence[str]]
) -> list[Confidence]:
    """Ask the tagger's softmax; it has no probability for a gold tag that it has not learnt."""
    place = {name: i for i, name in enumerate(tagger.labels)}
    found = []
    for doc, sentence, own in zip(docs, sentences, tags, strict=True):
        scores = np.asarray(tagger.model.predict([doc])[0], dtype=np.float64)
        if not tagger.model.get_ref("softmax").attrs["softmax_normalize"]:  # by default it stops before exp
            scores = np.exp(scores - scores.max(1, keepdims=True))
            scores /= scores.sum(1, keepdims=True)
        decoded, gold = (
            [
                float(row[place[name]]) if name in place else 0.0
                for row, name in zip(scores, names, strict=True)
            ]
            for names in (own, sentence.tags or ())
        )
        found.append(Confidence(decoded, gold))
    return found


def _of_entities(
    recogniser: Any, docs: Sequence[Any], sentences: Sequence[Sentence], tags: Sequence[Sequence[str]]
) -> list[Confidence]:
    """Ask a beam of parses: the recogniser itself is greedy, and has no probabilities.

    The probability of a tag or an entity is the share of the beam that agrees with it (what spaCy's ``scored_ents``
    adds up), 0 where none does. What is outside of the beam has no probability at all, so there is no log loss.
    """
    found = []
    for doc, own in zip(docs, tags, strict=True):
        decoded, of_entities = np.zeros(len(own)), dict.fromkeys(entities(own), 0.0)
        (beam,) = recogniser.beam_parse([doc], beam_width=BEAM, beam_density=DENSITY)
        for probability, parse in recogniser.moves.get_beam_parses(beam):
            theirs = ["O"] * len(own)
            for first, end, kind in parse:
                theirs[first:end] = [f"{'I' if i > first else 'B'}-{kind}" for i in range(first, end)]
                if (kind, first, end) in of_entities:
                    of_entities[kind, first, end] += probability
            agrees = [tag == other for tag, other in zip(own, convert(theirs, "bioes"), strict=True)]
            decoded += probability * np.array(agrees)
        found.append(Confidence(decoded.tolist(), None, [*of_entities.values()]))
    return found


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
