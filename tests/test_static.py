"""fastText's files and the embedder on them. The expected numbers are those of the package fasttext 0.9.3."""

from __future__ import annotations

import gzip
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from small_fasttext import BUCKETS, SIZE, WORDS, write_bin

import skd_lightning
from skd_lightning.cli import main
from skd_lightning.encoders import BiLSTM, ConcatenatedEmbedder, NgramEmbedder, StaticEmbedder
from skd_lightning.encoders.fasttext import BinaryVectors, TextVectors, character_ngrams, fnv1a
from skd_lightning.encoders.static import file_fingerprint
from skd_lightning.errors import UserError
from skd_lightning.taggers import Teacher


def write_vec(file: Path, vectors: dict[str, list[float]], size: int = SIZE) -> None:
    text = f"{len(vectors)} {size}\n"
    text += "".join(f"{word} {' '.join(map(str, row))} \n" for word, row in vectors.items())
    file.write_bytes(gzip.compress(text.encode()) if file.suffix == ".gz" else text.encode())


def test_hashes_are_those_of_fasttext() -> None:
    """``model.get_subwords``, with 21 words and 500 buckets (n-grams of 2 to 4) or 200 (of 1 to 3)."""
    grams = [gram.decode() for gram in character_ngrams("größe", 2, 4)]
    assert grams == "<g <gr <grö gr grö größ rö röß röße öß öße öße> ße ße> e>".split()
    found = [21 + fnv1a(gram) % 500 for gram in character_ngrams("größe", 2, 4)]
    assert found == [509, 387, 328, 277, 506, 436, 145, 59, 158, 295, 342, 170, 471, 33, 511]
    assert [
        gram.decode() for gram in character_ngrams("мир", 1, 3)
    ] == "<м <ми м ми мир и ир ир> р р>".split()
    found = [21 + fnv1a(gram) % 200 for gram in character_ngrams("мир", 1, 3)]
    assert found == [76, 148, 190, 158, 117, 66, 49, 195, 169, 75]
    assert list(character_ngrams("", 1, 4)) == [b"<>"]
    assert not list(character_ngrams("word", 0, 0))


def test_known_and_unknown_words(tmp_path: Path) -> None:
    matrix = write_bin(tmp_path / "v.bin")
    vectors = BinaryVectors(tmp_path / "v.bin")
    words = ["größe", "Größe", "</s>", "", "__label__x", "the"]

    def grams(word: str) -> list[int]:
        return [len(WORDS) + fnv1a(gram) % BUCKETS for gram in character_ngrams(word, 2, 4)]

    rows = [[2, *grams("größe")], grams("Größe"), [1], grams(""), grams("__label__x"), [0, *grams("the")]]
    expected = np.stack([matrix[row].mean(0) for row in rows])
    np.testing.assert_allclose(vectors.vectors(words), expected, rtol=1e-6)
    np.testing.assert_array_equal(vectors.vectors(["the"])[0], vectors.vectors(words)[5])


def test_without_subwords(tmp_path: Path) -> None:
    """``maxn 0``, and supervised models of the version before, whose files say otherwise."""
    for settings in ({"longest": 0}, {"version": 11, "model": 3}):
        matrix = write_bin(tmp_path / "v.bin", **settings)
        found = BinaryVectors(tmp_path / "v.bin").vectors(["мир", "nowhere"])
        np.testing.assert_array_equal(found, [matrix[4], np.zeros(SIZE)])


@pytest.mark.parametrize("suffix", [".vec", ".vec.gz"])
def test_text_files(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"cc.en.5{suffix}"
    write_vec(
        file, {"the": [1.0] * 5, "größe": [0.5, -1e-3, 0, 1, 2], "the\u00a0": [3.0] * 5, "The": [9.0] * 5}
    )
    vectors = TextVectors(file)
    found = vectors.vectors(["größe", "GRÖSSE", "THE", "The", "the\u00a0", ""])
    expected = [[0.5, -1e-3, 0, 1, 2], [0] * 5, [1] * 5, [9] * 5, [3] * 5, [0] * 5]
    np.testing.assert_allclose(found, np.array(expected), rtol=1e-6)


def test_bad_files_end_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere\.bin: no such file"):
        StaticEmbedder(str(tmp_path / "nowhere.bin"))
    file = tmp_path / "v.bin"
    write_bin(file, quantised=True)
    with pytest.raises(UserError, match="quantised"):
        StaticEmbedder(str(file), SIZE)
    write_bin(file)
    with pytest.raises(UserError, match="set the embedder's size to 5"):
        StaticEmbedder(str(file))
    whole = file.read_bytes()
    for end in (1, 30, 80, 120, len(whole) - 100):
        file.write_bytes(whole[:end])
        with pytest.raises(UserError, match="damaged"):
            BinaryVectors(file)
    file.write_bytes(b"")
    with pytest.raises(UserError, match="damaged"):
        BinaryVectors(file)
    file.write_bytes(b"PK" + whole)
    with pytest.raises(UserError, match="not a fastText binary file"):
        BinaryVectors(file)
    text = tmp_path / "v.vec"
    text.write_text("the 1 2 3 4 5\n")
    with pytest.raises(UserError, match="line 1: not fastText's"):
        TextVectors(text)
    text.write_text("2 5\na 1 2 3 4 5\nthe 1 2 3\n")
    with pytest.raises(UserError, match="line 3: not a word and 5 numbers"):
        TextVectors(text).vectors(["the"])
    (tmp_path / "v.vec.gz").write_bytes(gzip.compress(b"2 5\n" + b"x 1 2 3 4 5\n" * 9999)[:-20])
    with pytest.raises(UserError, match="damaged"):
        TextVectors(tmp_path / "v.vec.gz").vectors(["the"])


def test_embedder_pads_and_holds_only_the_words_it_met(tmp_path: Path) -> None:
    write_bin(tmp_path / "v.bin")
    embedder = StaticEmbedder(str(tmp_path / "v.bin"), SIZE)
    sentences = [["the", "мир", "the"], [], ["unknown"]]
    items = embedder.featurizer.index(sentences)
    inputs = embedder.featurizer.collate([*items, np.zeros(0, dtype=np.int32)], 4)
    states = embedder(inputs, torch.tensor([3, 0, 1, 0]))
    assert states.shape == (4, 4, SIZE)
    expected = BinaryVectors(tmp_path / "v.bin").vectors(["the", "мир", "the"])
    np.testing.assert_array_equal(states[0, :3], expected)
    assert states[1].abs().sum() == states[3].abs().sum() == 0
    assert inputs["table"].shape == (4, SIZE)  # three words and the padding
    copied = pickle.loads(pickle.dumps(embedder.featurizer))
    assert torch.equal(copied.collate(items, 4)["table"], inputs["table"])
    assert not list(embedder.parameters())


def test_a_path_names_the_language(tmp_path: Path) -> None:
    for seed, language in enumerate(("de", "en")):
        write_bin(tmp_path / f"cc.{language}.bin", seed=seed)
    path = str(tmp_path / "cc.{language}.bin")

    def tagger(*languages: str) -> Teacher:
        parts = [StaticEmbedder(path, SIZE), NgramEmbedder(4, 64, dropout=0.0)]
        torch.manual_seed(0)
        return Teacher(["A", "B"], "none", list(languages), ConcatenatedEmbedder(parts), BiLSTM(4))

    german, english = tagger("de"), tagger("en")
    assert german.encoder.identity().strip() == file_fingerprint(tmp_path / "cc.de.bin")
    assert german.fingerprint() != english.fingerprint()
    with pytest.raises(UserError, match="needs a tagger of one language, this one has de, en"):
        tagger("de", "en")
    with pytest.raises(UserError, match=r"cc\.fi\.bin: no such file"):
        tagger("fi")


def test_other_content_is_another_file(tmp_path: Path) -> None:
    a, b = tmp_path / "a.bin", tmp_path / "b.bin"
    content = np.random.default_rng(0).bytes(100_000)
    a.write_bytes(content)
    b.write_bytes(content)
    assert file_fingerprint(a) == file_fingerprint(b)
    b.write_bytes(content[:50_000] + b"x" + content[50_001:])
    assert file_fingerprint(a) != file_fingerprint(b)


def test_teachers_of_several_languages_from_one_setting(tmp_path: Path) -> None:
    """From a YAML file, as ``experiments/paper/teacher.yaml`` has it; checkpoints load."""
    for seed, language in enumerate(("de", "en")):
        write_bin(tmp_path / f"cc.{language}.bin", seed=seed)
    (tmp_path / "joined.yaml").write_text(f"""
model:
  init_args:
    context:
      class_path: skd_lightning.encoders.BiLSTM
      init_args: {{hidden_size: 8}}
    embedder:
      class_path: skd_lightning.encoders.ConcatenatedEmbedder
      init_args:
        embedders:
          - class_path: skd_lightning.encoders.StaticEmbedder
            init_args: {{path: "{tmp_path}/cc.{{language}}.bin", size: {SIZE}}}
          - class_path: skd_lightning.encoders.NgramEmbedder
            init_args: {{embedding_size: 4, buckets: 64, dropout: 0.0, word_embedding_size: 4}}
""")
    common = ["--task", "demo", "--langs", "de", "en", "--runs", str(tmp_path), "--trainer.max_epochs", "1"]
    common += ["--trainer.enable_progress_bar", "false", "--data.max_train_sentences", "30"]
    main(["teachers", *common, "--config", str(tmp_path / "joined.yaml")])
    with pytest.raises(UserError, match=r"StaticEmbedder reads .*cc\.\{language\}\.bin.*outside=True"):
        skd_lightning.load(tmp_path / "demo/teachers/de")
    main(["distill", "--loss", "posterior", "--distillation.outside", "true", *common])
    german, english = (
        skd_lightning.load(tmp_path / "demo/teachers" / language, outside=True) for language in ("de", "en")
    )
    assert german.encoder.identity() != english.encoder.identity()
    vocabulary = german.encoder.vocabulary
    assert vocabulary
    assert vocabulary != english.encoder.vocabulary
    again = skd_lightning.load(tmp_path / "demo/teachers/de", outside=True)
    assert again.fingerprint() == german.fingerprint()
    assert again.predict([["Anna", "Berg"]]) == german.predict([["Anna", "Berg"]])
