"""Fine-tuning a transformer: what learns at which rate, and what a checkpoint holds."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from small_bert import save_bert

import skd_lightning
from skd_lightning.cli import main
from skd_lightning.data.batches import SentenceDataset
from skd_lightning.data.demo import demo_corpus
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
from skd_lightning.errors import UserError
from skd_lightning.taggers import Teacher
from skd_lightning.taggers.optimization import Optimization

SENTENCES = [["Anna", "Berg", "lives", "in", "Lincoln", "."], ["unbelievable"], ["a", "\u200b", "b", ""], []]
LONG = [["Anna", "unbelievable", "lives"] * 20]


def encode(encoder: Encoder | Embedder, sentences: list[list[str]]) -> torch.Tensor:
    lengths = torch.tensor([len(words) for words in sentences])
    items = encoder.featurizer.index(sentences)
    return encoder(encoder.featurizer.collate(items, max(1, int(lengths.max()))), lengths)


@pytest.mark.parametrize("pooling", ["mean", "first"])
@pytest.mark.parametrize("layers", [[-1], [1, 2]])
def test_vectors_are_the_frozen_ones_and_have_gradients(
    bert: str, tmp_path: Path, layers: list[int], pooling: str
) -> None:
    """Before the first step, long sentences and words without pieces included."""
    sentences = SENTENCES + LONG
    tuned = FineTunedTransformerEmbedder(bert, layers, pooling).eval()  # type: ignore[arg-type]
    frozen = FrozenTransformerEmbedder(bert, layers, pooling, cache=str(tmp_path)).eval()  # type: ignore[arg-type]
    assert tuned.output_size == frozen.output_size == 16
    vectors = encode(tuned, sentences)
    lengths = torch.tensor([len(words) for words in sentences])
    items = frozen.featurizer.index(sentences)
    expected = frozen(frozen.featurizer.collate(items, 60), lengths)
    torch.testing.assert_close(vectors, expected, atol=2e-3, rtol=2e-3)  # float16 on that side
    vectors.square().sum().backward()
    lower = tuned.transformer.model.embeddings.word_embeddings.weight.grad
    assert lower is not None
    assert lower.abs().sum() > 0
    assert not list(frozen.parameters())


def test_dropout_is_on_in_training(bert: str) -> None:
    """Models come from the hub with their dropout switched off, and Lightning leaves modes alone."""
    encoder = FineTunedTransformerEmbedder(bert, dropout=0.0)
    assert all(module.training for module in encoder.modules())
    assert not torch.equal(encode(encoder, SENTENCES), encode(encoder, SENTENCES))
    encoder.eval()
    torch.testing.assert_close(encode(encoder, SENTENCES), encode(encoder, SENTENCES))


def test_batches_and_nothing_at_all(bert: str) -> None:
    encoder = Encoder(FineTunedTransformerEmbedder(bert), BiLSTM(4)).eval()
    together = encode(encoder, SENTENCES + LONG)
    for row, words in enumerate(SENTENCES + LONG):
        alone = encode(encoder, [words])[0, : len(words)]
        torch.testing.assert_close(together[row, : len(words)], alone, atol=1e-5, rtol=1e-4)
    assert encode(encoder, [[], []]).shape == (2, 1, 8)


def test_every_part_learns_at_its_own_rate(bert: str) -> None:
    own = {"encoder": 0.3, "tables": 0.4, "head": 0.2, "transitions": 0.5, "pretrained": 1e-5}
    rates = Optimization("sgd", schedule="constant", **{f"{part}_lr": rate for part, rate in own.items()})
    joined = ConcatenatedEmbedder([FineTunedTransformerEmbedder(bert), NgramEmbedder(4, 64, dropout=0.0)])
    tagger = Teacher(["A", "B"], "none", ["en"], joined, optimization=rates)
    groups = {group["name"]: group for group in tagger.configure_optimizers()["optimizer"].param_groups}
    found = {name: group["lr"] for name, group in groups.items()}
    assert found == own
    names = {id(parameter): name for name, parameter in tagger.named_parameters()}
    members = {group: sorted(names.pop(id(p)) for p in groups[group]["params"]) for group in groups}
    assert not names  # every parameter in one group, and in no other
    assert all(".transformer." in name for name in members["pretrained"])
    assert {name.split(".")[-2] for name in members["tables"]} == {"grams", "forms"}
    assert {name.split(".")[1] for name in members["encoder"]} == {"context"}
    plain = Teacher(["A", "B"], "none", ["en"], NgramEmbedder(4, 64), BiLSTM(4), optimization=rates)
    groups = plain.configure_optimizers()["optimizer"].param_groups
    assert [group["name"] for group in groups] == ["encoder", "tables", "head", "transitions"]


def test_warm_up_rises_and_the_rest_falls() -> None:
    settings = Optimization(warmup=0.1)
    factors = [settings.linear_factor(step, 100) for step in range(101)]
    assert factors[:11] == pytest.approx([(step + 1) / 11 for step in range(11)])
    assert factors[10] == 1.0
    assert factors[55] == pytest.approx(0.5)
    assert factors[100] == 0.0
    assert [Optimization().linear_factor(step, 7) for step in range(8)] == [
        1.0 - step / 7 for step in range(8)
    ]
    with pytest.raises(UserError, match="warmup needs schedule linear"):
        Optimization(schedule="plateau", warmup=0.1)
    with pytest.raises(UserError, match="below 1"):
        Optimization(warmup=10)


def test_training_moves_the_transformer_and_lowers_the_loss(bert: str) -> None:
    torch.manual_seed(0)
    sentences = demo_corpus("en", {"train": 40, "dev": 1, "test": 1})["train"]
    tags = sorted({tag for sentence in sentences for tag in sentence.tags or ()})
    optimization = Optimization(pretrained_lr=3e-3, schedule="constant")
    embedder = FineTunedTransformerEmbedder(bert)
    tagger = Teacher(tags, "none", ["en"], embedder, NoContext(), optimization=optimization)
    before = {name: weight.clone() for name, weight in tagger.encoder.named_parameters()}
    dataset = SentenceDataset(sentences, tagger.featurizer, ["en"], tagger.tag_set)
    optimizer = tagger.configure_optimizers()["optimizer"]
    losses = []
    for _ in range(15):
        batch = dataset.__getitems__(range(40))
        loss = tagger.losses(tagger(batch), batch).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.6 * losses[0]
    assert all(not torch.equal(before[name], weight) for name, weight in tagger.encoder.named_parameters())


def test_a_checkpoint_needs_neither_hub_nor_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Teacher and student from the command line; then the pretrained folder is gone."""
    folder = tmp_path / "bert"
    encoder = [
        "--model.embedder",
        "FineTunedTransformerEmbedder",
        "--model.context",
        "NoContext",
        "--model.embedder.model",
        save_bert(folder),
    ]
    common = ["--task", "demo", "--langs", "en", "--runs", str(tmp_path), "--trainer.max_epochs", "1"]
    common += ["--trainer.enable_progress_bar", "false", "--data.max_train_sentences", "30", *encoder]
    common += ["--model.optimization.warmup", "0.1", "--model.optimization.pretrained_lr", "0.001"]
    main(["teachers", *common])
    main(["distill", "--loss", "posterior", *common])
    run = tmp_path / "demo/posterior/seed1"
    there = skd_lightning.load(run)
    expected, fingerprint = there.predict(SENTENCES[:3]), there.fingerprint()
    shutil.rmtree(folder)
    monkeypatch.setattr(
        "skd_lightning.encoders.pretrained_transformer._load", lambda _: pytest.fail("asked for the folder")
    )
    tagger = skd_lightning.load(run)
    assert tagger.predict(SENTENCES[:3]) == expected
    assert tagger.fingerprint() == fingerprint
    with torch.no_grad():
        tagger.encoder.embedder.transformer.model.embeddings.word_embeddings.weight[0] += 1
    assert tagger.fingerprint() != fingerprint


def test_what_cannot_be_fine_tuned_is_named(bert: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no transformer .*nowhere"):
        FineTunedTransformerEmbedder(str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match=r"hidden_states are \[7\].* to 2"):
        FineTunedTransformerEmbedder(bert, hidden_states=[7])
