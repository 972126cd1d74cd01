"""Taggers of random weights, of every kind that a saved folder can hold."""

from __future__ import annotations

from typing import Any

import torch

from skd_lightning.encoders import BiLSTM, ConcatenatedEmbedder, NgramEmbedder, NoContext, NoEmbedder
from skd_lightning.taggers import Student, Tagger, Wide

TAGS = ["O", "B-PER", "I-PER", "E-PER", "S-PER"]
SENTENCES = [
    ["Anna", "Berg", "lives", "in", "Lincoln", "."],
    [],
    ["東京", "a\ud800", "", "McDonald's3", "Ωmega"],
    ["one"],
    ["a", "b"] * 40,
]


def made(
    scheme: str = "bioes", embedder: Any = None, context: Any = None, wide: Wide | None = None, **options: Any
) -> Tagger:
    """Return a tagger of random weights, which speaks on two languages."""
    torch.manual_seed(1)
    tags = {"bioes": TAGS, "iob2": TAGS[:3], "none": ["ADJ", "NOUN", "VERB"]}[scheme]
    embedder = NgramEmbedder(8, 64) if embedder is None else embedder
    tagger = Student(tags, scheme, ["en", "de"], embedder, context or BiLSTM(6), wide, **options)
    tagger.learn_vocabulary([["Anna", "lives", "anna"], ["Berg", "Berg"]], ["en", "de"])
    tagger.encoder.learn_vocabulary(["Anna", "anna", "lives"])
    with torch.no_grad():
        for name, weight in tagger.named_parameters():
            if name.endswith(("transitions", "start", "end", "wide.weight")):
                weight.copy_(torch.randn_like(weight))
        if tagger.wide is not None:
            tagger.wide.share.fill_(0.3)
    return tagger.eval()


KINDS: dict[str, Any] = {
    "ngrams": lambda: made(),
    "words": lambda: made(embedder=NgramEmbedder(8, 64, word_embedding_size=5, min_count=1)),
    "two layers": lambda: made("iob2", context=BiLSTM(5, layers=2)),
    "no context": lambda: made("none", context=NoContext()),
    "softmax": lambda: made("none", decoder="softmax"),
    "unconstrained": lambda: made("iob2", constrain=False),
    "wide": lambda: made(wide=Wide(of_languages=True)),
    "linear": lambda: made(embedder=NoEmbedder(), context=NoContext(), wide=Wide()),
    "joined": lambda: made(embedder=ConcatenatedEmbedder([NgramEmbedder(4, 32), NgramEmbedder(3, 16)])),
    "marginals": lambda: made("none", decoding="marginals"),
    "entities": lambda: made(decoding="entities"),
    "entities in IOB2": lambda: made("iob2", decoding="entities"),
}
