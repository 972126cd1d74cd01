"""Checkpoints of strangers: what they name is not run, not read and not made unless the caller allows it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from small_bert import save_bert
from small_corpus import write_corpus
from small_taggers import made
from torch import Tensor, nn

import skd_lightning
from skd_lightning.cli import main
from skd_lightning.encoders import (
    BiLSTM,
    ConcatenatedEmbedder,
    Context,
    Embedder,
    FineTunedTransformerEmbedder,
    FrozenTransformerEmbedder,
    NgramEmbedder,
    NoContext,
)
from skd_lightning.encoders.ngram_features import NgramFeaturizer
from skd_lightning.errors import UserError
from skd_lightning.run_folder import RunFolder
from skd_lightning.taggers import Tagger, Teacher, Wide
from skd_lightning.tags import TagSet

BEST = RunFolder(Path()).best

TAGS = ["O", "B-X", "I-X", "E-X", "S-X"]
SENTENCES = [["Anna", "lives", "here"], [], ["Here"]]


def teacher(embedder: Embedder | None = None, context: Context | None = None) -> Teacher:
    torch.manual_seed(0)
    embedder = embedder or NgramEmbedder(4, 16, word_embedding_size=2)
    tagger = Teacher(TAGS, "bioes", ["en"], embedder, context or BiLSTM(3))
    tagger.learn_vocabulary([["here", "Here", "Anna"]], ["en"])
    return tagger.eval()


def save(folder: Path, tagger: Teacher, change: Callable[[dict[str, Any]], object] = lambda _: None) -> Path:
    """A run folder with the tagger's checkpoint, its content changed."""
    checkpoint: dict[str, Any] = {"state_dict": tagger.state_dict()}
    tagger.on_save_checkpoint(checkpoint)
    checkpoint = json_copy(checkpoint["tagger"], checkpoint["state_dict"])
    change(checkpoint)
    (folder / BEST).parent.mkdir(parents=True, exist_ok=True)
    torch.save(checkpoint, folder / BEST)
    return folder


def json_copy(description: dict[str, Any], weights: dict[str, Tensor]) -> dict[str, Any]:
    return {"tagger": json.loads(json.dumps(description)), "state_dict": dict(weights)}


def settings(checkpoint: dict[str, Any], part: str = "embedder") -> dict[str, Any]:
    found: dict[str, Any] = checkpoint["tagger"]["encoder"][part]["settings"]
    return found


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    tagger = teacher()
    again = skd_lightning.load(save(tmp_path, tagger))
    assert again.encoder.vocabulary == ["here"]
    assert again.predict(SENTENCES) == tagger.predict(SENTENCES)
    assert again.fingerprint() == tagger.fingerprint()
    assert not again.training


def described(tagger: Tagger) -> dict[str, Any]:
    checkpoint: dict[str, Any] = {"state_dict": tagger.state_dict()}
    tagger.on_save_checkpoint(checkpoint)
    return checkpoint


@pytest.mark.parametrize("theirs", [{"constrain": False}, {"decoder": "softmax"}], ids=str)
def test_weights_under_other_masks_are_refused(theirs: dict[str, Any]) -> None:
    """Shapes agree, and the checkpoint's masks would take the place of the tagger's own."""
    checkpoint, here = described(made("iob2", **theirs)), made("iob2")
    name, value = next(iter(theirs.items()))
    with pytest.raises(UserError, match=f"another network .*{name} {value} there"):
        here.on_load_checkpoint(checkpoint)


def test_weights_of_languages_are_none_of_all_languages() -> None:
    checkpoint = described(made(wide=Wide(of_languages=True)))
    made(wide=Wide(of_languages=True, l2=1.0)).on_load_checkpoint(checkpoint)
    with pytest.raises(UserError, match=r"another network \(wide.of_languages True there, False here\)"):
        made(wide=Wide()).on_load_checkpoint(checkpoint)


def test_weights_above_vectors_of_another_kind_are_refused(tmp_path: Path) -> None:
    """The first piece of a word and the mean of its pieces have the same length; so have all layers."""
    bert = save_bert(tmp_path / "bert")

    def tagger(**options: Any) -> Teacher:
        return teacher(FineTunedTransformerEmbedder(bert, **options), NoContext())

    def joined(**options: Any) -> Teacher:
        parts = [NgramEmbedder(4, 16), FineTunedTransformerEmbedder(bert, **options)]
        return teacher(ConcatenatedEmbedder(parts), NoContext())

    for make, part in ((tagger, "embedder"), (joined, "embedder.2")):
        make(pooling="mean", dropout=0.5).on_load_checkpoint(described(make(pooling="mean")))
        with pytest.raises(UserError, match=rf"another network \({part}.pooling mean there, first here\)"):
            make(pooling="first").on_load_checkpoint(described(make(pooling="mean")))
        with pytest.raises(UserError, match=rf"another network \({part}.hidden_states \[-2\] there"):
            make().on_load_checkpoint(described(make(hidden_states=[-2])))


def test_a_checkpoint_without_sparse_features_says_so() -> None:
    checkpoint = described(made())
    with pytest.raises(UserError, match=r"another network \(wide False there, True here\)"):
        made(wide=Wide()).on_load_checkpoint(checkpoint)


def test_no_module_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run folder of a stranger may hold a module; the working directory is on the path of ``python -m``."""
    (tmp_path / "evil_module.py").write_text("raise SystemExit('code of a stranger was run')\n")
    monkeypatch.syspath_prepend(tmp_path)

    def named(checkpoint: dict[str, Any]) -> None:
        checkpoint["tagger"]["encoder"]["embedder"]["name"] = "evil_module.Embedder"

    with pytest.raises(UserError, match=r"best\.ckpt: its embedder 'evil_module\.Embedder' is none of"):
        skd_lightning.load(save(tmp_path, teacher(), named))

    def context(checkpoint: dict[str, Any]) -> None:
        checkpoint["tagger"]["encoder"]["context"]["name"] = "evil_module.Context"

    with pytest.raises(UserError, match=r"its context 'evil_module\.Context' is none of"):
        skd_lightning.load(save(tmp_path, teacher(), context))
    assert "evil_module" not in sys.modules


class Lengths(Embedder):
    """An embedder of somebody's own: a vector for each length of a word."""

    def __init__(self, size: int = 2) -> None:
        super().__init__()
        self.output_size, self.featurizer = size, NgramFeaturizer(7)
        self.table = nn.Embedding(7, size)

    def config(self) -> dict[str, Any]:
        return {"size": self.output_size}

    def forward(self, inputs: Mapping[str, Tensor], lengths: Tensor) -> Tensor:
        return self.table(inputs["forms"][:, 0])[inputs["place"]]


def test_a_class_of_the_callers_own_is_given_by_hand(tmp_path: Path) -> None:
    tagger = teacher(ConcatenatedEmbedder([Lengths(), NgramEmbedder(2, 8, word_embedding_size=2)]))
    save(tmp_path, tagger)
    with pytest.raises(UserError, match=r"'test_checkpoints\.Lengths' is none of .*embedders="):
        skd_lightning.load(tmp_path)
    again = skd_lightning.load(tmp_path, embedders={"test_checkpoints.Lengths": Lengths})
    assert again.predict(SENTENCES) == tagger.predict(SENTENCES)


@pytest.mark.parametrize(
    ("name", "own", "message"),
    [
        (
            "StaticEmbedder",
            {"path": "/secret/words.bin", "size": 8},
            r"reads the word vectors /secret/words\.bin",
        ),
        ("FrozenTransformerEmbedder", {"model": "evil/model"}, "reads the transformer 'evil/model'"),
        (
            "FlairEmbedder",
            {"models": ["evil.pt"], "size": 8},
            r"reads .* models evil\.pt, which Flair unpickles",
        ),
        ("FineTunedTransformerEmbedder", {"model": "evil/model"}, "comes without shape and tokenizer"),
    ],
)
def test_nothing_outside_of_the_folder_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, own: dict[str, Any], message: str
) -> None:
    def named(checkpoint: dict[str, Any]) -> None:
        part = {"name": name, "settings": own}
        checkpoint["tagger"]["encoder"]["embedder"] = {
            "name": "ConcatenatedEmbedder",
            "settings": {"embedders": [part]},
        }

    monkeypatch.setattr("skd_lightning.encoders.pretrained_transformer._load", lambda _: pytest.fail("read"))
    with pytest.raises(UserError, match=message):
        skd_lightning.load(save(tmp_path, teacher(), named))


def test_a_frozen_transformer_is_read_once_and_where_the_caller_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bert = save_bert(tmp_path / "bert")
    parts = [FrozenTransformerEmbedder(bert, cache=str(tmp_path / "own")), NgramEmbedder(2, 8)]
    tagger = teacher(ConcatenatedEmbedder(parts))

    def elsewhere(checkpoint: dict[str, Any]) -> None:
        frozen = settings(checkpoint)["embedders"][0]["settings"]
        assert "cache" not in frozen
        frozen["cache"] = str(tmp_path / "evil")

    save(tmp_path / "run", tagger, elsewhere)
    monkeypatch.chdir(tmp_path)
    again = skd_lightning.load(tmp_path / "run", outside=True)
    assert again.encoder.embedder.cache == "runs/vectors"
    assert again.fingerprint() == tagger.fingerprint()
    assert again.predict(SENTENCES) == tagger.predict(SENTENCES)
    named = skd_lightning.load(tmp_path / "run", outside=True, cache=str(tmp_path / "mine"))
    assert named.encoder.embedder.cache == str(tmp_path / "mine")
    assert named.predict(SENTENCES) == tagger.predict(SENTENCES)
    assert {path.name for path in tmp_path.iterdir()} == {"bert", "run"}  # no folder of vectors was made


SIZES: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "buckets": (lambda c: settings(c).update(buckets=10**12), r"forms\.weight is 16x4, not 1000000000000x4"),
    "units": (lambda c: settings(c, "context").update(hidden_size=10**7), "bias_hh_l0 is 12, not 40000000"),
    "layers": (lambda c: settings(c, "context").update(layers=10**9), "layers is 1000000000, more than"),
    "word vectors": (lambda c: settings(c).update(word_embedding_size=10**9), "not fit its weights"),
    "vocabulary": (
        lambda c: c["tagger"]["encoder"].update(vocabulary=["a"] * 9),
        r"words\.weight is 2x2, not 10x2",
    ),
    "no vocabulary": (lambda c: c["tagger"]["encoder"].update(vocabulary=7), "words are no list"),
    "tags": (lambda c: c["tagger"].update(tags=[f"B-{n}" for n in range(3000)]), "describes 3000 tags"),
    "tags that are none": (lambda c: c["tagger"].update(tags=[1, 2, 3, 4, 5]), "tags are no list of names"),
    "a weight too many": (lambda c: c["state_dict"].update(more=torch.zeros(1)), "more is 1, not missing"),
    "a weight too few": (lambda c: c["state_dict"].pop("head.start"), "head.start is missing, not 5"),
    "another version": (lambda c: c["tagger"].update(schema=3), "another version"),
    "not a description": (lambda c: c.update(tagger=[]), "not a readable tagger checkpoint"),
}


@pytest.mark.parametrize("name", SIZES)
def test_sizes_are_compared_before_they_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    change, message = SIZES[name]
    save(tmp_path, teacher(), change)
    made: list[torch.device] = []
    original = nn.Module.register_parameter

    def noted(module: nn.Module, own: str, parameter: nn.Parameter | None) -> None:
        if parameter is not None:
            made.append(parameter.device)
        original(module, own, parameter)

    monkeypatch.setattr(nn.Module, "register_parameter", noted)
    monkeypatch.setattr(TagSet, "forbidden", lambda _: pytest.fail("pairs of tags worked out"))
    with pytest.raises(UserError, match=message):
        skd_lightning.load(tmp_path)
    assert {device.type for device in made} <= {"meta"}


def test_weights_that_repeat_a_number_are_refused(tmp_path: Path) -> None:
    """A file of some kilobytes can describe, and seem to hold, any number of buckets."""

    def huge(checkpoint: dict[str, Any]) -> None:
        settings(checkpoint)["buckets"] = 10**9
        for table in ("grams", "forms"):
            checkpoint["state_dict"][f"encoder.embedder.{table}.weight"] = torch.zeros(1, 1).expand(10**9, 4)

    with pytest.raises(UserError, match="claim to be larger than the file"):
        skd_lightning.load(save(tmp_path, teacher(), huge))


def test_addresses_and_other_files_end_in_one_line(tmp_path: Path) -> None:
    for address in ("https://example.org/best.ckpt", "s3://bucket/run", Path("http://example.org/x")):
        with pytest.raises(UserError, match="an address, not a file"):
            skd_lightning.load(address)
    with pytest.raises(UserError, match="no trained tagger there"):
        skd_lightning.load(tmp_path)
    (tmp_path / "x.ckpt").write_bytes(b"PK\x03\x04 and nothing more")
    with pytest.raises(UserError, match=r"x\.ckpt: not a readable tagger checkpoint"):
        skd_lightning.load(tmp_path / "x.ckpt")


def test_a_folder_of_runs_names_those_that_it_holds(tmp_path: Path) -> None:
    for name in ("seed2", "seed1"):
        save(tmp_path / "posterior" / name, teacher())
    (tmp_path / "posterior" / "seed3").mkdir()
    with pytest.raises(
        UserError, match=r"posterior: it holds seed1, seed2; name one, such as .*posterior/seed1$"
    ):
        skd_lightning.load(tmp_path / "posterior")


def test_a_fine_tuned_transformer_brings_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Transformers fetches attention kernels and classes from the hub if a configuration names them."""
    bert = save_bert(tmp_path / "bert")
    tagger = teacher(FineTunedTransformerEmbedder(bert), NoContext())

    def evil(checkpoint: dict[str, Any]) -> None:
        settings(checkpoint)["model"] = "evil/model"
        architecture = settings(checkpoint)["saved"]["architecture"]
        architecture |= dict.fromkeys(("attn_implementation", "_attn_implementation"), "evil/kernel")
        architecture |= {"_name_or_path": "evil/model", "auto_map": {"AutoModel": "evil/model--code.Model"}}

    monkeypatch.setattr("skd_lightning.encoders.pretrained_transformer._load", lambda _: pytest.fail("read"))
    again = skd_lightning.load(save(tmp_path / "run", tagger, evil))
    assert again.predict(SENTENCES) == tagger.predict(SENTENCES)

    def images(checkpoint: dict[str, Any]) -> None:
        settings(checkpoint)["saved"]["architecture"] = {"model_type": "timm_wrapper", "architecture": "evil"}

    with pytest.raises(UserError, match="'timm_wrapper' is no model of text"):
        skd_lightning.load(save(tmp_path / "run", tagger, images))

    def deep(checkpoint: dict[str, Any]) -> None:
        settings(checkpoint)["saved"]["architecture"]["num_hidden_layers"] = 10**9

    with pytest.raises(UserError, match="num_hidden_layers is 1000000000, more than"):
        skd_lightning.load(save(tmp_path / "run", tagger, deep))

    def wide(checkpoint: dict[str, Any]) -> None:
        settings(checkpoint)["saved"]["architecture"]["vocab_size"] = 10**11

    with pytest.raises(UserError, match=r"word_embeddings.*not 100000000000x16"):
        skd_lightning.load(save(tmp_path / "run", tagger, wide))


def test_a_model_with_code_of_its_own_is_refused_in_one_line(tmp_path: Path) -> None:
    """Transformers would ask on the terminal whether to run it."""
    bert = Path(save_bert(tmp_path / "bert"))
    config = json.loads((bert / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "code.Config", "AutoModel": "code.Model"}}
    (bert / "config.json").write_text(json.dumps(config))
    (bert / "code.py").write_text("raise SystemExit('code of a stranger was run')\n")
    for embedder in (FrozenTransformerEmbedder, FineTunedTransformerEmbedder):
        with pytest.raises(UserError, match="needs code of its own"):
            embedder(str(bert))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus, another one of the same language and tags, and a teacher of the first."""
    folder = tmp_path_factory.mktemp("home")
    write_corpus(folder / "mine", ["en"], {"train": 60, "dev": 10, "test": 10})
    write_corpus(folder / "other", ["en"], {"train": 20, "dev": 10, "test": 15})
    options = ["--runs", str(folder / "runs"), "--task", "mine", "--data", str(folder), *QUICK]
    main(["teachers", *options, "--trainer.max_epochs", "1"])
    return folder


QUICK = ["--trainer.enable_progress_bar", "false", "--model.context.hidden_size", "8"]
QUICK += ["--model.embedder.buckets", "64"]


def evaluate(home: Path, checkpoint: Path, *options: str) -> None:
    command = [
        "test",
        "--config",
        "experiments/teacher.yaml",
        "--data.task",
        "other",
        "--data.data",
        str(home),
    ]
    command += ["--trainer.default_root_dir", str(home / "test"), "--ckpt_path", str(checkpoint), *QUICK]
    main([*command, *options])


def test_a_teacher_is_tested_on_other_data(home: Path, capsys: pytest.CaptureFixture) -> None:
    """Its vocabulary comes with its weights: nothing is learnt outside of training."""
    run = home / "runs/mine/teachers/en"
    tagger = skd_lightning.load(run)
    assert tagger.encoder.vocabulary
    evaluate(home, run / BEST)
    lines = [line for line in capsys.readouterr().out.splitlines() if "test/average" in line]
    from skd_lightning.data.readers import read
    from skd_lightning.studies.zeroshot import evaluate as scores
    from skd_lightning.tags import convert

    sentences = read(home / "other/en/test.tsv", "en")
    bioes = [type(s)(s.words, convert(s.tags or (), "bioes"), "en") for s in sentences]
    expected = scores(tagger, {"en": bioes})[0]["average"]
    assert float(lines[0].strip(" │").split()[-1]) == pytest.approx(expected, abs=1e-6)


def test_no_settings_are_taken_from_a_checkpoint(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """Lightning's command line would import the class that a checkpoint's hyperparameters name."""
    (tmp_path / "evil_model.py").write_text("raise SystemExit('code of a stranger was run')\n")
    monkeypatch.syspath_prepend(tmp_path)
    checkpoint = torch.load(home / "runs/mine/teachers/en" / BEST, weights_only=True)
    checkpoint["hyper_parameters"] = {"_class_path": "evil_model.Tagger", "decoder": "softmax"}
    torch.save(checkpoint, tmp_path / "x.ckpt")
    evaluate(home, tmp_path / "x.ckpt")
    assert "test/average" in capsys.readouterr().out
    assert "evil_model" not in sys.modules
    assert "decoder: crf" in (home / "test/config.yaml").read_text()
    for path, message in (
        ("https://example.org/x.ckpt", "checkpoints are local files"),
        (str(tmp_path / "no.ckpt"), "no.ckpt"),
    ):
        with pytest.raises(SystemExit) as stop:
            evaluate(home, path)  # type: ignore[arg-type]
        assert stop.value.code == 2
        assert message in capsys.readouterr().err


def test_checkpoints_are_never_unpickled(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not even where the command line asks for it."""

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "run by pickle",)

    checkpoint = torch.load(home / "runs/mine/teachers/en" / BEST, weights_only=True)
    torch.save({**checkpoint, "more": Evil()}, tmp_path / "x.ckpt")
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        evaluate(home, tmp_path / "x.ckpt", "--weights_only", "false")
    assert stop.value.code == 2
    assert "x.ckpt: no checkpoint, or a damaged one" in capsys.readouterr().err
    with pytest.raises(UserError, match="not a readable tagger checkpoint"):
        skd_lightning.load(tmp_path / "x.ckpt")
    assert not (tmp_path / "run by pickle").exists()
