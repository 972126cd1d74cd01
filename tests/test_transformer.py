"""Words to pieces to vectors, and frozen, on a small BERT that is loaded through the path that loads any model."""

from __future__ import annotations

import pickle
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import torch
from small_bert import save_bert
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import AutoModel, AutoTokenizer, RobertaConfig, RobertaModel

import skd_lightning
from skd_lightning.cli import main
from skd_lightning.encoders import BiLSTM, Encoder, FrozenTransformerEmbedder, vector_store
from skd_lightning.encoders.pretrained_transformer import PretrainedTransformer, frozen
from skd_lightning.encoders.stored import StoredVectors
from skd_lightning.encoders.vector_store import Precision, VectorStore, packed, unpacked
from skd_lightning.errors import UserError
from skd_lightning.features.windows import Pooling
from skd_lightning.storage import alone_in

SENTENCES = [["Anna", "Berg", "lives", "in", "Lincoln", "."], ["unbelievable"], ["a", "\u200b", "b", ""], []]


def by_hand(folder: str, words: list[str], layers: list[int], pooling: str) -> np.ndarray:
    """Piece by piece: each word tokenised alone, its pieces found by counting."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    pieces = [tokenizer.tokenize(word) or ["[UNK]"] for word in words]
    flat = ["[CLS]", *(piece for word in pieces for piece in word), "[SEP]"]
    ids = torch.tensor([tokenizer.convert_tokens_to_ids(flat)])
    with torch.no_grad():
        model = AutoModel.from_pretrained(folder)
        hidden = model(input_ids=ids, output_hidden_states=True).hidden_states
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
    transformer = frozen(bert, tuple(layers), pooling)  # type: ignore[arg-type]
    found = transformer.vectors(SENTENCES)
    assert [vectors.shape for vectors in found] == [(6, 16), (1, 16), (4, 16), (0, 16)]
    for vectors, words in zip(found[:3], SENTENCES, strict=False):
        np.testing.assert_allclose(vectors, by_hand(bert, words, layers, pooling), atol=1e-5)


def test_long_sentences_are_read_in_overlapping_windows(bert: str) -> None:
    transformer = frozen(bert, (-1,), "mean")
    words = ["Anna", "unbelievable", "lives"] * 20
    tokenizer = AutoTokenizer.from_pretrained(bert)
    pieces = np.array([len(tokenizer.tokenize(word)) for word in words])
    spans = transformer.featurizer.windows.spans(pieces)
    assert transformer.featurizer.windows.window == 30
    assert len(spans) > 2
    taken = [i for _, _, begin, end in spans for i in range(begin, end)]
    assert taken == list(range(len(words)))
    for first, last, begin, end in spans:
        assert first <= begin < end <= last
        assert pieces[first:last].sum() <= transformer.featurizer.windows.window
    (vectors,) = transformer.vectors([words])
    for first, last, begin, end in spans:
        alone = by_hand(bert, words[first:last], [-1], "mean")
        np.testing.assert_allclose(vectors[begin:end], alone[begin - first : end - first], atol=1e-5)


@pytest.mark.parametrize("pooling", ["mean", "first"])
def test_windows_agree_with_the_whole_where_no_context_is_lost(
    bert: str, tmp_path: Path, pooling: Pooling
) -> None:
    """A model that does not mix words (embeddings without positions) cannot tell windows from the whole."""
    transformer = PretrainedTransformer(bert, [0], pooling).eval()
    torch.nn.init.zeros_(transformer.model.embeddings.position_embeddings.weight)
    words = ["Anna", "unbelievable", "\u200b", "lives", "z" * 9] * 8
    (cut,) = transformer.vectors([words])
    transformer.featurizer.windows.window = 10_000
    items = transformer.featurizer.index([words])
    assert items[0][:, 2].max() == 0
    transformer.model.embeddings.position_embeddings = torch.nn.Embedding(400, 16)
    torch.nn.init.zeros_(transformer.model.embeddings.position_embeddings.weight)
    transformer.model.embeddings.register_buffer("position_ids", torch.arange(400)[None])
    transformer.model.embeddings.register_buffer("token_type_ids", torch.zeros(1, 400, dtype=torch.long))
    (whole,) = transformer.vectors([words])
    np.testing.assert_allclose(cut, whole, atol=1e-5)


def test_a_word_longer_than_the_window_is_read_as_far_as_it_goes(bert: str) -> None:
    transformer = frozen(bert, (-1,), "mean")
    (vectors,) = transformer.vectors([["in", "z" * 90, "Lincoln"]])
    assert np.isfinite(vectors).all()
    assert vectors.shape == (3, 16)


def stored(bert: str, folder: Path, precision: Precision = "float16") -> StoredVectors:
    return StoredVectors(frozen(bert, (-1,), "mean"), str(folder), precision)


def test_every_sentence_is_read_once(bert: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = stored(bert, tmp_path)
    made = first.index(SENTENCES, keep=True)
    again = stored(bert, tmp_path)
    monkeypatch.setattr(PretrainedTransformer, "vectors", lambda *_: pytest.fail("read again"))
    for vectors, expected in zip(again.index(SENTENCES[::-1]), made[::-1], strict=True):
        np.testing.assert_array_equal(vectors, expected)
        assert vectors.dtype == np.float16


def test_what_is_not_kept_leaves_nothing_on_disk(bert: str, tmp_path: Path) -> None:
    stored(bert, tmp_path).index(SENTENCES)
    assert not list(tmp_path.rglob("*.npy"))


@pytest.mark.filterwarnings("ignore:overflow")
def test_precisions_have_stores_of_their_own(bert: str, tmp_path: Path) -> None:
    """bfloat16 keeps 8 bits of what float16 keeps 11 of, and does not end at 65504."""
    values = np.array([1.0, -2.5, 1 / 3, 1e6], dtype=np.float32)
    assert packed(values, "bfloat16").dtype == np.uint16
    brain, half = (unpacked(packed(values, precision)) for precision in ("bfloat16", "float16"))
    torch.testing.assert_close(brain, torch.from_numpy(values).bfloat16())
    assert half[3].isinf()
    exact = frozen(bert, (-1,), "mean").vectors(SENTENCES)
    for precision in ("float16", "bfloat16"):
        stored(bert, tmp_path, precision).index(SENTENCES, keep=True)
        again = stored(bert, tmp_path, precision)  # type: ignore[arg-type]
        inputs = again.collate(again.index(SENTENCES, keep=True), 6)
        assert str(inputs["vectors"].dtype) == f"torch.{precision}"
        error = (inputs["vectors"][0].float() - torch.from_numpy(exact[0])).abs().max()
        assert 0 < error < (0.02 if precision == "bfloat16" else 0.002)
    assert len({path.parent for path in tmp_path.rglob("vectors.npy")}) == 2


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


def test_what_is_not_kept_waits_for_nobody(tmp_path: Path) -> None:
    def make(missing: list) -> list[np.ndarray]:
        return [np.ones((len(words), 1), dtype=np.float32) for words in missing]

    VectorStore(tmp_path).get([["a"]], make, keep=True)
    found: list[int] = []

    def ask() -> None:
        found.append(len(VectorStore(tmp_path).get([["b"], ["a"]], make, keep=False)))

    with alone_in(tmp_path):  # as of a training that encodes its corpus
        asker = Thread(target=ask, daemon=True)
        asker.start()
        asker.join(60)
        assert found == [2]


@pytest.mark.parametrize(("longest", "times"), [(vector_store.LONGEST, 1), (10, 2)])
def test_a_store_may_be_larger_than_other_files(
    longest: int, times: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list of lengths beyond the limit is passed over, and its vectors are made again in every process."""
    monkeypatch.setattr(vector_store, "LONGEST", longest)
    made: list[int] = []

    def make(missing: list) -> list[np.ndarray]:
        made.append(len(missing))
        return [np.ones((len(words), 2), dtype=np.float32) for words in missing]

    for _ in range(2):
        VectorStore(tmp_path).get([["a"], ["b"]], make, keep=True)
    assert made == [2] * times


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
def test_vectors_beyond_a_precision_are_refused(tmp_path: Path) -> None:
    def make(missing: list) -> list[np.ndarray]:
        return [np.full((len(words), 2), 1e6, dtype=np.float32) for words in missing]

    with pytest.raises(UserError, match="not finite in float16; give the embedder's precision bfloat16"):
        VectorStore(tmp_path).get([["a"]], make, keep=True)
    (vectors,) = VectorStore(tmp_path, "bfloat16").get([["a"]], make, keep=True)
    assert unpacked(vectors.copy()).isfinite().all()


def test_encoder_pads_and_learns(bert: str, tmp_path: Path) -> None:
    encoder = Encoder(FrozenTransformerEmbedder(bert, cache=str(tmp_path)), BiLSTM(8))
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
    featurizer = stored(bert, tmp_path)
    items = featurizer.index(SENTENCES)
    copied = pickle.loads(pickle.dumps(featurizer))
    assert copied._reader is None
    assert copied.collate(items, 6)["vectors"].shape == (4, 6, 16)


def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere"):
        FrozenTransformerEmbedder(str(tmp_path / "nowhere"))


def test_teacher_and_student_on_frozen_vectors(
    bert: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the command line; the student and the teachers' predictions find the vectors that the teacher made."""
    encoder = ["--model.embedder", "FrozenTransformerEmbedder", "--model.embedder.model", bert]
    encoder += ["--model.context.hidden_size", "8", "--model.embedder.cache", str(tmp_path / "vectors")]
    common = ["--task", "demo", "--langs", "en", "--runs", str(tmp_path), "--trainer.max_epochs", "1"]
    common += ["--trainer.enable_progress_bar", "false", "--data.max_train_sentences", "30", *encoder]
    main(["teachers", *common])
    stores = {path: path.stat().st_mtime_ns for path in (tmp_path / "vectors").rglob("*.npy")}
    assert stores
    main(["distill", "--loss", "posterior", "--distillation.outside", "true", *common])
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "vectors").rglob("*.npy")} == stores
    with pytest.raises(UserError, match=r"FrozenTransformerEmbedder reads the transformer .*outside=True"):
        skd_lightning.load(tmp_path / "demo/posterior/seed1")
    monkeypatch.chdir(tmp_path)
    tagger = skd_lightning.load(tmp_path / "demo/posterior/seed1", outside=True)
    (prediction,) = tagger.predict([["Anna", "Berg"]])
    assert len(prediction.tags) == 2
    assert len(list((tmp_path / "vectors").rglob("*.npy"))) == len(stores)
    assert not (tmp_path / "runs").exists()  # the default folder of vectors, which a prediction does not make


def test_byte_level_models_read_words_after_a_space_and_from_a_later_position(tmp_path: Path) -> None:
    """RoBERTa: a word's pieces are those it has in running text; two of its positions belong to padding."""
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=special, initial_alphabet=alphabet)
    tokenizer.train_from_iterator(["Anna lives in Lincoln"] * 9, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    tokenizer.model.save(str(tmp_path))
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "RobertaTokenizer"}')
    size = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    config = RobertaConfig(vocab_size=400, max_position_embeddings=34, pad_token_id=1, **size)
    RobertaModel(config).save_pretrained(tmp_path)
    transformer = PretrainedTransformer(str(tmp_path), [-1], "mean").eval()
    assert transformer.saved["tokenizer"]["readable"] == 32
    words = ["Anna", "lives", "\u200b", "in", "", "Lincoln"]
    (item,) = transformer.featurizer.index([words])
    pieces = AutoTokenizer.from_pretrained(tmp_path).convert_ids_to_tokens(item[:, 0].tolist())
    running = AutoTokenizer.from_pretrained(tmp_path).tokenize("x Anna lives")
    assert pieces[1 : len(running)] == running[1:]
    assert [v.shape for v in transformer.vectors([words * 20, [], ["a"]])] == [(120, 16), (0, 16), (1, 16)]
