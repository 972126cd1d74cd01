"""The generated corpus: deterministic, well-formed, ambiguous, with unseen names."""

import hashlib
import os
import subprocess
import sys
from collections import defaultdict

import pytest

from skd_lightning.data.demo import LANGUAGES, SIZES, demo_corpus
from skd_lightning.errors import UserError
from skd_lightning.tags import convert

DIGEST = """
import hashlib
from skd_lightning.data.demo import LANGUAGES, demo_corpus
print(hashlib.sha256(repr([demo_corpus(language) for language in LANGUAGES]).encode()).hexdigest())
"""


def test_the_same_in_every_process() -> None:
    here = hashlib.sha256(repr([demo_corpus(language) for language in LANGUAGES]).encode()).hexdigest()
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    there = subprocess.run(
        [sys.executable, "-c", DIGEST], env=environment, capture_output=True, text=True, check=True
    )
    assert there.stdout.strip() == here
    assert demo_corpus("en", seed=1) != demo_corpus("en")


@pytest.mark.parametrize("language", LANGUAGES)
def test_well_formed_ambiguous_and_partly_unseen(language: str) -> None:
    corpus = demo_corpus(language)
    assert {split: len(sentences) for split, sentences in corpus.items()} == SIZES
    texts = [sentence.words for sentences in corpus.values() for sentence in sentences]
    assert len(set(texts)) == len(texts)
    types, train_words = defaultdict(set), set()
    for sentence in corpus["train"]:
        assert sentence.tags is not None
        assert convert(sentence.tags, "iob2") == sentence.tags
        train_words.update(sentence.words)
        for word, tag in zip(sentence.words, sentence.tags, strict=True):
            types[word].add(tag)
    assert sum(len({"B-PER", "B-LOC", "B-ORG"} & tags) > 1 for tags in types.values()) > 20
    names = [
        word
        for sentence in corpus["test"]
        for word, tag in zip(sentence.words, sentence.tags or (), strict=True)
        if tag != "O"
    ]
    assert 0.2 < sum(name not in train_words for name in names) / len(names) < 0.6


def test_unknown_language() -> None:
    with pytest.raises(UserError, match="de, en, es, fi"):
        demo_corpus("xx")
