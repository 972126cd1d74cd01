"""Several embedders side by side, and the settings that come with the package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import skd_lightning
from skd_lightning.cli import main
from skd_lightning.encoders import (
    BiLSTM,
    ConcatenatedEmbedder,
    Embedder,
    Encoder,
    FineTunedTransformerEmbedder,
    FrozenTransformerEmbedder,
    NgramEmbedder,
    NoContext,
)
from skd_lightning.encoders.description import EncoderMaker
from skd_lightning.errors import UserError

EXPERIMENTS = Path(__file__).parent.parent / "experiments"
SENTENCES = [["Anna", "Berg", "lives", "in", "Lincoln", "."], [], ["a", "\u200b", "b", ""]]


def encode(encoder: Encoder | Embedder, sentences: list[list[str]]) -> torch.Tensor:
    items = [
        *encoder.featurizer.index(sentences),
        np.zeros(0, dtype=np.int32),
    ]  # and one that fills the batch
    lengths = torch.tensor([*(len(words) for words in sentences), 0])
    return encoder(encoder.featurizer.collate(items, 6), lengths)


def parts(bert: str, cache: Path) -> list[Embedder]:
    torch.manual_seed(0)
    return [
        FrozenTransformerEmbedder(bert, dropout=0.0, cache=str(cache)),
        FineTunedTransformerEmbedder(bert, [1], dropout=0.0),
        NgramEmbedder(4, 64, dropout=0.0),
    ]


def test_vectors_stand_end_to_end(bert: str, tmp_path: Path) -> None:
    alone = [encode(part.eval(), SENTENCES) for part in parts(bert, tmp_path)]
    joined = Encoder(ConcatenatedEmbedder(parts(bert, tmp_path)), NoContext()).eval()
    assert joined.output_size == 16 + 16 + 8
    together = encode(joined, SENTENCES)
    for row, words in enumerate(SENTENCES):
        expected = torch.cat([vectors[row, : len(words)] for vectors in alone], dim=-1)
        torch.testing.assert_close(together[row, : len(words)], expected)


def test_one_lstm_reads_them_all_and_all_learn(bert: str, tmp_path: Path) -> None:
    joined = Encoder(ConcatenatedEmbedder(parts(bert, tmp_path)), BiLSTM(5))
    states = encode(joined, SENTENCES)
    assert states.shape == (4, 6, 10)
    states.sum().backward()
    used = [name for name, weight in joined.named_parameters() if weight.grad is not None]
    assert {name.split(".")[2] for name in used if name.startswith("embedder.")} == {"1", "2"}
    assert len(joined.pretrained_parameters()) == len(list(joined.embedder.parts[1].parameters()))


def test_a_description_makes_the_same_encoder(bert: str, tmp_path: Path) -> None:
    joined = Encoder(ConcatenatedEmbedder(parts(bert, tmp_path)), BiLSTM(5)).eval()
    again = Encoder(*EncoderMaker(outside=True).parts(joined.description())).eval()
    again.load_state_dict(joined.state_dict())
    torch.testing.assert_close(encode(again, SENTENCES), encode(joined, SENTENCES))
    assert again.description() == joined.description()
    assert joined.identity() == again.identity() != ""
    with pytest.raises(UserError, match="no embedders"):
        ConcatenatedEmbedder([])
    with pytest.raises(UserError, match="min_count 2 and 3"):
        ConcatenatedEmbedder([NgramEmbedder(4, 8, 2, 2), NgramEmbedder(4, 8, 2, 3), NgramEmbedder(4, 8)])


def quick(folder: Path) -> list[str]:
    options = ["--task", "demo", "--langs", "en", "--runs", str(folder), "--trainer.max_epochs", "1"]
    return [*options, "--trainer.enable_progress_bar", "false", "--data.max_train_sentences", "30"]


def test_the_settings_for_fine_tuning(bert: str, tmp_path: Path) -> None:
    options = ["--config", str(EXPERIMENTS / "finetune.yaml"), "--model.embedder.model", bert]
    main(["teachers", *quick(tmp_path), *options])
    tagger = skd_lightning.load(tmp_path / "demo/teachers/en")
    assert isinstance(tagger.encoder.embedder, FineTunedTransformerEmbedder)
    assert tagger.encoder.output_size == 16
    assert (tagger.optimization.pretrained_lr, tagger.optimization.warmup) == (5e-5, 0.1)
    main(["distill", "--loss", "topk", *quick(tmp_path), *options])


def test_the_settings_of_the_papers_teachers(bert: str, tmp_path: Path) -> None:
    """With small files in place of the large ones, and without Flair, which has a test of its own."""
    settings: Any = yaml.safe_load((EXPERIMENTS / "paper/teacher.yaml").read_text())
    transformer, flair, static = settings["model"]["init_args"]["embedder"]["init_args"]["embedders"]
    assert flair["class_path"] == "skd_lightning.encoders.FlairEmbedder"
    settings["model"]["init_args"]["embedder"]["init_args"]["embedders"] = [transformer, static]
    transformer["init_args"] |= {"model": bert, "cache": str(tmp_path / "vectors")}
    static["init_args"] |= {"path": str(tmp_path / "cc.{language}.vec"), "size": 2}
    (tmp_path / "cc.en.vec").write_text("2 2\nin 1 2\nlives -1 0.5\n")
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(settings))
    main(["teachers", *quick(tmp_path), "--config", str(tmp_path / "settings.yaml")])
    tagger = skd_lightning.load(tmp_path / "demo/teachers/en", outside=True)
    assert [type(part).__name__ for part in tagger.encoder.embedder.parts] == [
        "FrozenTransformerEmbedder",
        "StaticEmbedder",
    ]
    assert tagger.encoder.context.forward_lstms[0].input_size == 18
