"""flair: its BiLSTM-CRF on embeddings that are learnt from scratch, with its usual training.

python experiments/peers/flair_peer.py experiments/suites/uner.yaml

flair holds transformers below 5, so it has an environment of its own. A word is the vector of its form (a row for each
training word) beside that of a character BiLSTM; nothing is pretrained. Plain SGD from 0.1, halved after 3 epochs
without a better dev score; the weights with the best dev score are kept. Batches of 8 sentences, not flair's 32, since
1,000 sentences are few; MOST epochs, not flair's 100, which keeps a language near five CPU minutes.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from peer import Lesson, Model, Peer, Texts, main

from skd_lightning.data.sentence import Sentence
from skd_lightning.tags import convert, entities

MOST = 20
BATCH = 8
HIDDEN = 256


def train(lesson: Lesson) -> Model:
    """Train one model; the weights with the best dev score are kept."""
    os.environ.setdefault("TQDM_DISABLE", "1")  # a bar for every evaluation
    import flair
    import torch
    from flair.data import Corpus, Dictionary
    from flair.datasets import FlairDatapointDataset
    from flair.embeddings import CharacterEmbeddings, OneHotEmbeddings, StackedEmbeddings
    from flair.models import SequenceTagger
    from flair.trainers import ModelTrainer

    flair.device = torch.device("cpu")
    flair.set_seed(lesson.seed)
    logging.getLogger("flair").setLevel(logging.WARNING)
    kind = "ner" if lesson.entities else "upos"

    def read(sentences: Sequence[Sentence]) -> list[flair.data.Sentence]:
        found = []
        for sentence in sentences:
            made = flair.data.Sentence(list(sentence.words))
            if lesson.entities:
                for label, first, end in entities(sentence.tags or ()):
                    made[first:end].add_label(kind, label)
            else:
                for token, tag in zip(made, sentence.tags or (), strict=True):
                    token.add_label(kind, tag)
            found.append(made)
        return found

    learned, watched = read(lesson.train), read(lesson.dev)
    corpus = Corpus(
        FlairDatapointDataset(learned), FlairDatapointDataset(watched), sample_missing_splits=False
    )
    characters = Dictionary()
    for sign in sorted({sign for sentence in lesson.train for word in sentence.words for sign in word}):
        characters.add_item(sign)
    words = OneHotEmbeddings.from_corpus(corpus, min_freq=1, embedding_length=100)
    tagger = SequenceTagger(
        hidden_size=HIDDEN,
        embeddings=StackedEmbeddings([words, CharacterEmbeddings(characters)]),
        # A rare part of speech may be in dev sentences alone, where flair looks it up as well.
        tag_dictionary=corpus.make_label_dictionary(kind, add_unk=False, add_dev_test=not lesson.entities),
        tag_type=kind,
        use_crf=True,
    )
    with tempfile.TemporaryDirectory() as folder:
        ModelTrainer(tagger, corpus).train(
            folder,
            learning_rate=0.1,
            mini_batch_size=BATCH,
            max_epochs=MOST,
            patience=3,
            save_final_model=False,
            embeddings_storage_mode="none",  # "cpu" would score dev with the vectors of the first epoch
        )
        best = Path(folder) / "best-model.pt"
        if best.is_file():  # a model that finds nothing on dev is never the best one
            tagger.load_state_dict(SequenceTagger.load(best).state_dict())

    def tag(texts: Texts) -> list[list[str]]:
        sentences = [flair.data.Sentence(list(words)) for words in texts]
        tagger.predict(sentences, mini_batch_size=32)
        return [_tags(sentence, kind, lesson.entities) for sentence in sentences]

    return Model(
        tag,
        sum(weights.numel() for weights in tagger.parameters()),
        lambda folder: tagger.save(folder / "model.pt"),
    )


def _tags(sentence: object, kind: str, entity: bool) -> list[str]:
    if not entity:
        return [token.get_label(kind).value for token in sentence]
    tags = ["O"] * len(sentence)
    for span in sentence.get_spans(kind):
        label = span.get_label(kind).value
        for token in span:
            tags[token.idx - 1] = f"I-{label}"
        tags[span[0].idx - 1] = f"B-{label}"
    return list(convert(tags, "bioes"))


PEER = Peer("flair", "flair", "flair", train)

if __name__ == "__main__":
    main(PEER)
