"""Flair's language models: a small real one where flair is installed, and what is said where it is not."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from skd_lightning.encoders import BiLSTM, ConcatenatedEmbedder, Encoder, FlairEmbedder, NgramEmbedder
from skd_lightning.errors import UserError

SENTENCES = [["Anna", "lives", "in", "Lincoln", "."], [], ["a", "\u200b", "", "two words"], ["Hi"]]
needs_flair = pytest.mark.skipif(importlib.util.find_spec("flair") is None, reason="flair is not installed")


def test_without_flair_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "flair", None)
    monkeypatch.setitem(sys.modules, "flair.embeddings", None)
    with pytest.raises(UserError, match=r"pip install 'skd-lightning\[flair\]'"):
        FlairEmbedder(cache=str(tmp_path))
    with pytest.raises(UserError, match="no models"):
        FlairEmbedder([], cache=str(tmp_path))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two untrained language models of 8 and 6 units, saved as flair saves its own."""
    from flair.data import Dictionary
    from flair.models import LanguageModel

    folder = tmp_path_factory.mktemp("flair")
    characters = Dictionary()
    for character in "\n aeinoHLAbcdlst.":
        characters.add_item(character)
    torch.manual_seed(0)
    for direction, size in (("forward", 8), ("backward", 6)):
        model = LanguageModel(characters, direction == "forward", size, 1, embedding_size=4)
        model.save(folder / f"en-{direction}.pt")
    return [str(folder / "en-forward.pt"), str(folder / "en-backward.pt")]


@needs_flair
def test_vectors_are_flairs_own(models: list[str], tmp_path: Path) -> None:
    from flair.data import Sentence
    from flair.embeddings import FlairEmbeddings

    encoder = FlairEmbedder(models, 14, str(tmp_path))
    items = encoder.featurizer.index(SENTENCES, keep=True)
    assert [item.shape for item in items] == [(5, 14), (0, 14), (4, 14), (1, 14)]
    columns = []
    for model in models:
        sentence = Sentence(SENTENCES[0])
        FlairEmbeddings(model).embed(sentence)
        columns.append(torch.stack([token.get_embedding() for token in sentence]).numpy())
    np.testing.assert_allclose(items[0].astype(np.float32), np.concatenate(columns, axis=1), atol=1e-3)
    # A model that reads forwards knows nothing of what follows, one that reads backwards of what came before.
    changed = encoder.featurizer.index([["Anna", "lives", "in", "Lincoln", "so"]])[0]
    np.testing.assert_array_equal(changed[:4, :8], items[0][:4, :8])
    assert not np.array_equal(changed[:4, 8:], items[0][:4, 8:])
    stores = list(tmp_path.rglob("vectors.npy"))
    again = FlairEmbedder(models, 14, str(tmp_path))
    for found, expected in zip(again.featurizer.index(SENTENCES, keep=True), items, strict=True):
        np.testing.assert_array_equal(found, expected)
    assert list(tmp_path.rglob("vectors.npy")) == stores
    assert again.identity() == encoder.identity() != FlairEmbedder(models[:1], 8, str(tmp_path)).identity()


@needs_flair
def test_beside_another_embedder(models: list[str], tmp_path: Path) -> None:
    pattern = [model.replace("en-", "{language}-") for model in models]
    ngrams = NgramEmbedder(4, 64, dropout=0.0)
    flair = FlairEmbedder(pattern, 14, str(tmp_path), "bfloat16")
    joined = Encoder(ConcatenatedEmbedder([flair, ngrams]), BiLSTM(4))
    with pytest.raises(UserError, match="needs a tagger of one language"):
        joined.use_languages(["de", "en"])
    joined.use_languages(["en"])
    items = joined.featurizer.index(SENTENCES)
    states = joined(joined.featurizer.collate(items, 5), torch.tensor([5, 0, 4, 1]))
    assert states.shape == (4, 5, 8)
    assert states.isfinite().all()


@needs_flair
def test_mistakes_end_in_one_line(models: list[str], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="set the embedder's size to 14"):
        FlairEmbedder(models, cache=str(tmp_path))
    with pytest.raises(UserError, match=r"no Flair language model .*nowhere"):
        FlairEmbedder([str(tmp_path / "nowhere.pt")], cache=str(tmp_path))


@needs_flair
def test_the_stand_in_is_flairs_twin(models: list[str]) -> None:
    """Where flair is not installed, the paper's suites are tried with a stand-in: it gives the vectors of flair."""
    from flair.data import Sentence
    from flair.embeddings import FlairEmbeddings
    from small_paper import STAND_IN

    ours = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "flair"}
    with pytest.MonkeyPatch.context() as patch:
        for name in ours:
            patch.delitem(sys.modules, name)
        patch.syspath_prepend(STAND_IN)
        twin_data, twin = (importlib.import_module(f"flair.{name}") for name in ("data", "embeddings"))
        patch.setitem(sys.modules, "flair.data", ours["flair.data"])  # whose class the file names
        embedders = [twin.FlairEmbeddings(model) for model in models]
        for name in ("", ".data", ".models", ".embeddings"):
            patch.delitem(sys.modules, f"flair{name}")
    for model, other in zip(models, embedders, strict=True):
        theirs = FlairEmbeddings(model)
        assert (other.embedding_length, other.is_forward_lm) == (
            theirs.embedding_length,
            theirs.is_forward_lm,
        )
        for words in (SENTENCES[0], SENTENCES[3], ["two", "words", "x"]):
            expected, found = Sentence(list(words)), twin_data.Sentence(list(words))
            theirs.embed(expected)
            other.embed([found])
            for one, two in zip(expected.tokens, found.tokens, strict=True):
                torch.testing.assert_close(two.get_embedding(), one.get_embedding())
