"""The frozen transformer encoder on a small BERT, made here and loaded through the path that loads any model."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

import skd_lightning
from skd_lightning.cli import main
from skd_lightning.data.demo import demo_corpus
from skd_lightning.encoders.transformer import FrozenTransformerEncoder, FrozenVectors
from skd_lightning.encoders.vector_store import VectorStore
from skd_lightning.encoders.word_vectors import PretrainedTransformer
from skd_lightning.errors import UserError

SENTENCES = [["Anna", "Berg", "lives", "in", "Lincoln", "."], ["unbelievable"], ["a", "\u200b", "b", ""], []]


def save_bert(folder: Path, seed: int = 0, positions: int = 32) -> str:
    """A BERT of 2 layers and 16 units with a WordPiece tokenizer trained on the demo corpus."""
    texts = [" ".join(s.words) for s in demo_corpus("en", {"train": 100, "dev": 1, "test": 1})["train"]]
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(texts, trainers.WordPieceTrainer(vocab_size=300, special_tokens=special))
    ends = [(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    names = {f"{name}_token": f"[{name.upper()}]" for name in ("unk", "pad", "cls", "sep", "mask")}
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=positions, **names)
    fast.save_pretrained(folder)
    torch.manual_seed(seed)
    size = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    BertModel(BertConfig(vocab_size=len(fast), max_position_embeddings=positions, **size)).save_pretrained(
        folder
    )
    return str(folder)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_bert(tmp_path_factory.mktemp("bert"))


def by_hand(
    transformer: PretrainedTransformer, words: list[str], layers: list[int], pooling: str
) -> np.ndarray:
    """Piece by piece: each word tokenised alone, its pieces found by counting."""
    pieces = [transformer.tokenizer.tokenize(word) or ["[UNK]"] for word in words]
    flat = ["[CLS]", *(piece for word in pieces for piece in word), "[SEP]"]
    ids = torch.tensor([transformer.tokenizer.convert_tokens_to_ids(flat)])
    with torch.no_grad():
        hidden = transformer.model(input_ids=ids, output_hidden_states=True).hidden_states
    states = sum(hidden[layer][0] for layer in layers) / len(layers)
    rows, start = [], 1
    for word in pieces:
        own = states[start : start + len(word)]
        rows.append(own.mean(0) if pooling == "mean" else own[0])
        start += len(word)
    return torch.stack(rows).numpy()


@pytest.mark.parametrize("pooling", ["mean", "first"])
@pytest.mark.parametrize("layers", [[-1], [1, 2], [0, -1]])
def test_vectors_are_those_of_the_words_pieces(bert: str, layers: list[int], pooling: str) -> None:
    """Words without pieces are read as the unknown word; no word is lost or moved."""
    transformer = PretrainedTransformer(bert, layers, pooling)  # type: ignore[arg-type]
    found = transformer.vectors(SENTENCES)
    assert [vectors.shape for vectors in found] == [(6, 16), (1, 16), (4, 16), (0, 16)]
    for vectors, words in zip(found[:3], SENTENCES, strict=False):
        np.testing.assert_allclose(vectors, by_hand(transformer, words, layers, pooling), atol=1e-5)


def test_long_sentences_are_read_in_overlapping_windows(bert: str) -> None:
    transformer = PretrainedTransformer(bert, [-1], "mean")
    words = ["Anna", "unbelievable", "lives"] * 20
    spans = transformer._windows(words)
    assert len(spans) > 2
    taken = [i for _, _, begin, end in spans for i in range(begin, end)]
    assert taken == list(range(len(words)))
    for first, last, begin, end in spans:
        assert first <= begin < end <= last
        assert (
            sum(len(transformer.tokenizer.tokenize(word)) for word in words[first:last]) <= transformer.window
        )
    (vectors,) = transformer.vectors([words])
    first, last, begin, end = spans[1]
    alone = by_hand(transformer, words[first:last], [-1], "mean")
    np.testing.assert_allclose(vectors[begin:end], alone[begin - first : end - first], atol=1e-5)


def test_a_word_longer_than_the_window_is_read_as_far_as_it_goes(bert: str) -> None:
    transformer = PretrainedTransformer(bert, [-1], "mean")
    (vectors,) = transformer.vectors([["in", "z" * 90, "Lincoln"]])
    assert np.isfinite(vectors).all()
    assert vectors.shape == (3, 16)


def test_every_sentence_is_read_once(bert: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = FrozenVectors(bert, [-1], "mean", str(tmp_path))
    made = first.index(SENTENCES, keep=True)
    again = FrozenVectors(bert, [-1], "mean", str(tmp_path))
    monkeypatch.setattr(PretrainedTransformer, "vectors", lambda *_: pytest.fail("read again"))
    for vectors, expected in zip(again.index(SENTENCES[::-1]), made[::-1], strict=True):
        np.testing.assert_array_equal(vectors, expected)
        assert vectors.dtype == np.float16


def test_what_is_not_kept_leaves_nothing_on_disk(bert: str, tmp_path: Path) -> None:
    FrozenVectors(bert, [-1], "mean", str(tmp_path)).index(SENTENCES)
    assert not list(tmp_path.rglob("*.npy"))


def test_other_weights_are_another_store(bert: str, tmp_path: Path) -> None:
    other = save_bert(tmp_path / "other", seed=1)
    prints = {
        PretrainedTransformer(name, layers, "mean").fingerprint
        for name in (bert, other)
        for layers in ([-1], [1])
    }
    assert len(prints) == 4


def test_a_damaged_store_is_made_again(tmp_path: Path) -> None:
    def make(missing: list) -> list[np.ndarray]:
        return [np.full((len(words), 2), len(words), dtype=np.float32) for words in missing]

    VectorStore(tmp_path).get(SENTENCES, make, keep=True)
    (file,) = tmp_path.rglob("*.npy")
    file.write_bytes(file.read_bytes()[:-8])
    vectors = VectorStore(tmp_path).get(SENTENCES, make, keep=True)
    assert [len(v) for v in vectors] == [len(s) for s in SENTENCES]
    assert [len(v) for v in VectorStore(tmp_path).get(SENTENCES, lambda _: pytest.fail("lost"), True)] == [
        6,
        1,
        4,
        0,
    ]


def test_encoder_pads_and_learns(bert: str, tmp_path: Path) -> None:
    encoder = FrozenTransformerEncoder(bert, hidden_size=8, cache=str(tmp_path))
    items = encoder.featurizer.index(SENTENCES)
    lengths = torch.tensor([len(words) for words in SENTENCES])
    inputs = encoder.featurizer.collate(items, 6)
    assert inputs["vectors"].shape == (4, 6, 16)
    encoder.eval()
    states = encoder(inputs, lengths)
    assert states.shape == (4, 6, encoder.output_size)
    alone = encoder(encoder.featurizer.collate(items[1:2], 1), lengths[1:2])
    torch.testing.assert_close(states[1:2, :1], alone)
    states.sum().backward()
    assert all(parameter.grad is not None for parameter in encoder.parameters())
    assert not any("transformer" in name for name, _ in encoder.named_parameters())


def test_loader_workers_carry_no_transformer(bert: str, tmp_path: Path) -> None:
    featurizer = FrozenVectors(bert, [-1], "mean", str(tmp_path))
    items = featurizer.index(SENTENCES)
    copied = pickle.loads(pickle.dumps(featurizer))
    assert copied._transformer is None
    assert copied.collate(items, 6)["vectors"].shape == (4, 6, 16)


def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere"):
        FrozenTransformerEncoder(str(tmp_path / "nowhere"))


def test_teacher_and_student_on_frozen_vectors(bert: str, tmp_path: Path) -> None:
    """From the command line; the student and the teachers' predictions find the vectors that the teacher made."""
    encoder = ["--model.encoder", "FrozenTransformerEncoder", "--model.encoder.model", bert]
    encoder += ["--model.encoder.hidden_size", "8", "--model.encoder.cache", str(tmp_path / "vectors")]
    common = ["--task", "demo", "--langs", "en", "--runs", str(tmp_path), "--trainer.max_epochs", "1"]
    common += ["--trainer.enable_progress_bar", "false", "--data.max_train_sentences", "30", *encoder]
    main(["teachers", *common])
    stores = {path: path.stat().st_mtime_ns for path in (tmp_path / "vectors").rglob("*.npy")}
    assert stores
    main(["distill", "--loss", "posterior", *common])
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "vectors").rglob("*.npy")} == stores
    tagger = skd_lightning.load(tmp_path / "demo/posterior/seed1")
    (prediction,) = tagger.predict([["Anna", "Berg"]])
    assert len(prediction.tags) == 2
    assert len(list((tmp_path / "vectors").rglob("*.npy"))) == len(stores)
