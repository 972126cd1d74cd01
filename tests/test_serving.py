"""Saved taggers: the runtime answers as PyTorch does, what was saved loads again, and damaged folders are refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from safetensors.numpy import load_file, save_file
from small_corpus import SHARED
from small_runs import refused
from small_taggers import KINDS, SENTENCES, TAGS, made

import skd_lightning
from skd_lightning.cli import main
from skd_lightning.data.readers import read
from skd_lightning.distillation.names import PAPER, objective_names
from skd_lightning.encoders import ConcatenatedEmbedder, Embedder, NgramEmbedder, NoContext
from skd_lightning.encoders.ngram_features import NgramFeaturizer
from skd_lightning.errors import UserError
from skd_lightning.serving import Runtime
from skd_lightning.serving.card import SOURCES, card
from skd_lightning.serving.sparse_features import SparseFeatures
from skd_lightning.serving.tables import PlainTable, compressed, table
from skd_lightning.taggers import Teacher


def same(found: list[Any], expected: list[Any]) -> None:
    for own, other in zip(found, expected, strict=True):
        assert own.tags == other.tags
        np.testing.assert_allclose(own.confidences, other.confidences, atol=1e-5)
        assert own.probability == pytest.approx(other.probability, abs=1e-6)
        assert [entity[:3] for entity in own.entities] == [entity[:3] for entity in other.entities]
        np.testing.assert_allclose([e[3] for e in own.entities], [e[3] for e in other.entities], atol=1e-5)
        probabilities = [[one.probability for one in each.alternatives] for each in (own, other)]
        np.testing.assert_allclose(*probabilities, atol=1e-6)
        for place in clear(probabilities[1]):
            assert own.alternatives[place].tags == other.alternatives[place].tags


def clear(probabilities: list[float]) -> list[int]:
    """The places that rounding cannot change; the last one may tie with a sequence that is not there."""
    steps = np.diff([np.inf, *probabilities])
    return [place for place in range(len(probabilities) - 1) if steps[place : place + 2].max() < -3e-4]


@pytest.mark.parametrize("kind", KINDS)
def test_the_runtime_answers_as_pytorch_does(kind: str, tmp_path: Path) -> None:
    tagger = KINDS[kind]()
    tagger.save(tmp_path / "saved")
    runtime = Runtime.load(tmp_path / "saved")
    expected = tagger.predict(SENTENCES, "de", k=3)
    assert sum(len(clear([one.probability for one in each.alternatives])) for each in expected) > 3
    same(runtime.predict(SENTENCES, "de", k=3), expected)
    longest_first = sorted(SENTENCES[:1] + SENTENCES[2:], key=len, reverse=True)
    emissions = runtime.emissions(longest_first, "de")
    for row, words in zip(emissions, longest_first, strict=True):
        np.testing.assert_allclose(
            row[: len(words)], tagger.predict_emissions([words], language="de"), atol=1e-4
        )
    assert runtime.languages == ["en", "de"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tables", ["float32", "float16", "int8", "pq"])
def test_what_was_saved_loads_again(kind: str, tables: Any, tmp_path: Path) -> None:
    """Both readers of a folder agree on its weights; without compression they are those that were saved."""
    tagger = KINDS[kind]()
    tagger.save(tmp_path / "saved", tables)
    again = skd_lightning.load(tmp_path / "saved")
    same(Runtime.load(tmp_path / "saved").predict(SENTENCES, "en"), again.predict(SENTENCES, "en"))
    if tables == "float32":
        assert again.predict(SENTENCES, "en") == tagger.predict(SENTENCES, "en")
        again.save(tmp_path / "twice")
        for name in ("model.safetensors", "config.json", "network.onnx"):
            first, second = tmp_path / "saved" / name, tmp_path / "twice" / name
            assert first.exists() == second.exists()
            assert not first.exists() or first.read_bytes() == second.read_bytes()


def test_others_may_read_every_file_of_a_saved_tagger(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        KINDS[next(iter(KINDS))]().save(tmp_path / "saved")
    finally:
        os.umask(before)
    assert {oct(file.stat().st_mode & 0o777) for file in (tmp_path / "saved").iterdir()} == {"0o644"}


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the corpora in ../shared/data")
def test_real_sentences_of_every_corpus_get_the_same_answers(tmp_path: Path) -> None:
    tagger = KINDS["wide"]()
    tagger.save(tmp_path / "saved")
    runtime = Runtime.load(tmp_path / "saved")
    files = sorted(file for file in SHARED.glob("*/*/dev.*") if file.is_file())
    assert len(files) > 10
    for file in files:
        words = [sentence.words for sentence in read(file, file.parent.name)[:8]]
        same(runtime.predict(words, "en", k=2), tagger.predict(words, "en", k=2))


def test_a_language_changes_the_answer_and_an_unknown_one_is_said_to_be(tmp_path: Path) -> None:
    tagger = KINDS["wide"]()
    tagger.save(tmp_path / "saved")
    runtime = Runtime.load(tmp_path / "saved")
    own = runtime.predict(SENTENCES[:1], "de")[0]
    assert own.probability != pytest.approx(runtime.predict(SENTENCES[:1], "en")[0].probability)
    mixed = runtime.predict(SENTENCES[:1] * 3, ["en", "de", "en"])
    assert mixed[1].tags == own.tags
    assert mixed[1].probability == pytest.approx(own.probability)
    with pytest.warns(UserWarning, match="the language fr is unknown to this tagger of en, de"):
        runtime.predict(SENTENCES[:1], "fr")
    with pytest.warns(UserWarning, match="the language xx is unknown to this tagger"):
        runtime.predict(SENTENCES[:1] * 2, ["", "xx"])
    with pytest.raises(UserError, match="2 languages for 1 sentences"):
        runtime.predict(SENTENCES[:1], ["en", "de"])
    with pytest.raises(UserError, match="a text is no list of sentences"):
        runtime.predict("Anna Berg")


def test_long_sentences_have_alternatives_with_and_without_pytorch(tmp_path: Path) -> None:
    """The probability of 700 words is none of float32."""
    tagger = made(decoding="viterbi")
    tagger.save(tmp_path / "saved")
    words = [["a", "b"] * 350]
    (served,) = Runtime.load(tmp_path / "saved").predict(words, "en", k=3)
    (own,) = tagger.predict(words, "en", k=3)
    assert len(served.alternatives) == len(own.alternatives) == 3
    assert 0 < own.probability < 1e-45
    assert served.probability == pytest.approx(own.probability, rel=1e-4, abs=0)
    assert own.alternatives[0].probability == pytest.approx(own.probability, rel=1e-9, abs=0)


def test_words_are_forgotten_when_there_are_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tagger = KINDS["wide"]()
    tagger.save(tmp_path / "saved")
    monkeypatch.setattr("skd_lightning.serving.word_memory.REMEMBERED", 5)
    runtime = Runtime.load(tmp_path / "saved")
    expected = tagger.predict(SENTENCES, "en")
    for _ in range(3):
        same(runtime.predict(SENTENCES, "en"), expected)
        for words, one in zip(SENTENCES, expected, strict=True):
            same(runtime.predict([words], "en"), [one])
    assert len(runtime._memories["en"]._places) <= 20


def test_threads_that_share_a_runtime_get_the_answers_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while what one of them has remembered is forgotten for another."""
    KINDS["wide"]().save(tmp_path / "saved")
    monkeypatch.setattr("skd_lightning.serving.word_memory.REMEMBERED", 20)
    runtime, draw = Runtime.load(tmp_path / "saved"), np.random.default_rng(0)
    texts = [[f"w{n}" for n in draw.integers(0, 40, length)] for length in draw.integers(1, 9, 400)]
    alone = [runtime.predict([words], "en")[0] for words in texts]
    order = draw.permutation(len(texts))
    with ThreadPoolExecutor(4) as pool:
        together = [*pool.map(lambda place: runtime.predict([texts[place]], "en")[0], order)]
    same(together, [alone[place] for place in order])


def test_features_of_small_weight_can_be_left_out(tmp_path: Path) -> None:
    tagger = KINDS["wide"]()
    with torch.no_grad():
        tagger.wide.weight[::2] *= 1e-6
    tagger.save(tmp_path / "all")
    tagger.save(tmp_path / "some", least_weight=0.001)
    sizes = [len(load_file(tmp_path / name / "model.safetensors")["wide.keys"]) for name in ("all", "some")]
    assert sizes == [len(tagger.wide.keys), len(tagger.wide.keys) // 2]
    same(Runtime.load(tmp_path / "some").predict(SENTENCES, "en"), tagger.predict(SENTENCES, "en"))


@pytest.mark.parametrize(
    ("kind", "error"), [("float32", 0), ("float16", 2e-3), ("int8", 1.5e-2), ("pq", 1.0)]
)
def test_tables_are_near_what_they_stand_for(kind: Any, error: float) -> None:
    weights = np.random.default_rng(0).normal(size=(3000, 6)).astype(np.float32)
    arrays = compressed("t", weights, kind)
    rows = table(arrays, "t").rows(np.array([5, 2999, 5]))
    assert rows.dtype == np.float32
    assert np.abs(rows - weights[[5, 2999, 5]]).max() <= error
    size = sum(values.nbytes for values in arrays.values())
    assert size < {"float32": 73_000, "float16": 37_000, "int8": 31_000, "pq": 11_000}[kind]
    if kind == "pq":  # groups explain most of what there is
        whole = table(arrays, "t").rows(np.arange(3000))
        assert ((whole - weights) ** 2).mean() < 0.2


LIGHT = """
import importlib.metadata, sys
ALLOWED = {*sys.stdlib_module_names, "skd_lightning", "numpy", "onnxruntime", "flatbuffers", "packaging", "google"}

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in ALLOWED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
"""
"""Begins a program that finds nothing beyond the base installation."""


def light(program: str, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", LIGHT + program, *arguments],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_base_installation_serves(tmp_path: Path) -> None:
    tagger = KINDS["wide"]()
    tagger.save(tmp_path / "saved")
    text = "Anna Berg lives in Lincoln."
    command = "from skd_lightning.cli import main; main()"
    done = light(command, "tag", str(tmp_path / "saved"), "--language", "en", "--to", "jsonl", text=text)
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    (expected,) = tagger.predict([json.loads(line)["words"]], "en")
    assert json.loads(line)["probability"] == pytest.approx(expected.probability, rel=1e-2)
    done = light(command, "tag", str(tmp_path / "saved"), "--out", str(tmp_path / "out.conll"), text=text)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.conll").read_text()


def test_the_base_installation_says_what_it_lacks() -> None:
    done = light("from skd_lightning.cli import main; main()", "teachers", "--task", "demo")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "is not installed; for all commands: pip install 'skd-lightning[train]'" in done.stderr
    done = light("import skd_lightning; skd_lightning.load('somewhere')")
    assert "pip install 'skd-lightning[train]', or serve a saved tagger" in done.stderr


def test_the_card_has_languages_scores_and_a_way_to_begin(tmp_path: Path) -> None:
    results = {
        "task": "uner",
        "role": "student",
        "loss": "structural",
        "metric": "f1",
        "average": 0.6502,
        "schema": 1,
        "variant": "structural",
        "seed": 1,
        "tags": TAGS,
        "epochs": 1,
        "steps": 1,
        "parameters": 1,
        "seconds": {"fit": 1.0, "teacher_predictions": 1.0},
        "peak_memory_mib": 1,
        "command": "skd distill",
        "versions": {},
        "languages": {
            "en": {
                "f1": 0.64,
                "precision": 0.69,
                "recall": 0.6,
                "accuracy": 0.97,
                "sentences": 564,
                "words": 10022,
            }
        },
    }
    run = tmp_path / "run"
    (run / "checkpoints").mkdir(parents=True)
    (run / "results.json").write_text(json.dumps(results))
    (run / "config.yaml").write_text("data: {text_only: [de]}")
    tagger = KINDS["ngrams"]()
    torch.save(
        {"tagger": tagger.description(), "state_dict": tagger.state_dict()}, run / "checkpoints" / "best.ckpt"
    )
    main(["export", str(run), str(tmp_path / "saved"), "--tables", "float16"])
    page = (tmp_path / "saved" / "README.md").read_text()
    for part in (
        "language:\n- en\n- de\n",
        "library_name: skd_lightning",
        "pipeline_tag: token-classification",
        "| en | 69.00 | 60.00 | 64.00 | 97.00 | 564 | 10,022 |",
        "objective `structural` ([Wang et al. 2021](https://arxiv.org/abs/2010.05010))",
        "on annotated sentences of en, and on text without annotation of de.",
        'Runtime.load("saved")',
        'tagger.tag("Anna Berg lives in Lincoln.", language="en")',
        "`PER`",
    ):
        assert part in page


def test_the_card_names_the_source_of_the_objective() -> None:
    description = {"languages": ["de", "en_ewt"], "scheme": "bioes", "tags": TAGS}
    results = {"task": "t", "role": "student", "loss": "", "metric": "f1", "average": 0.5, "languages": {}}
    for loss, source in (
        *((loss, "[Wang et al. 2020](https://arxiv.org/abs/2004.03846)") for loss in PAPER[1:]),
        ("structural", "[Wang et al. 2021]"),
        ("path_set", "[Kurniawan et al. 2022]"),
    ):
        assert f"objective `{loss}` ({source}" in card("t", description, {**results, "loss": loss})
    assert set(SOURCES) == set(objective_names())
    assert "objective `mine`, and learned" in card("t", description, {**results, "loss": "mine"})
    for lacking, said in (((), "sentences alone.\n"), (["de"], "sentences of en_ewt alone. It has seen no")):
        assert f"It learned from annotated {said}" in card(
            "t", description, {**results, "loss": "none"}, lacking
        )


def test_the_card_has_no_scores_of_languages_without_test_sentences() -> None:
    description = {"languages": ["de", "en"], "scheme": "bioes", "tags": TAGS}
    row = {"f1": 0.0, "precision": 0.0, "recall": 0.0, "accuracy": 0.0, "sentences": 0, "words": 0}
    tested = {**row, "f1": 0.5, "sentences": 3, "words": 9}
    results = {"task": "t", "role": "student", "loss": "none", "metric": "f1", "average": 0.5}
    page = card("t", description, {**results, "languages": {"de": row, "en": tested}})
    assert "| en |" in page
    assert "| de |" not in page
    assert page.count("type: f1") == 1
    page = card("t", description, {**results, "languages": {"de": row, "en": row}})
    assert "f1" not in page


@pytest.mark.parametrize(
    ("languages", "example"),
    [
        (["de", "en"], 'tagger.tag("Anna Berg lives in Lincoln.", language="en")'),
        (["de", "en_ewt"], 'tagger.tag("Anna Berg lives in Lincoln.", language="en_ewt")'),
        (["de", "fi"], 'tagger.tag(text, language="de")'),
    ],
)
def test_the_card_tags_english_as_english(languages: list[str], example: str) -> None:
    assert f"\n{example}\n" in card("t", {"languages": languages, "scheme": "bioes", "tags": TAGS})


class Lengths(Embedder):
    """An embedder of somebody's own: a vector for each length of a word."""

    def __init__(self) -> None:
        super().__init__()
        self.output_size, self.featurizer = 2, NgramFeaturizer(7)
        self.table = torch.nn.Embedding(7, 2)

    def config(self) -> dict[str, Any]:
        return {}

    def forward(self, inputs: Mapping[str, torch.Tensor], lengths: torch.Tensor) -> torch.Tensor:
        return self.table(inputs["forms"][:, 0])[inputs["place"]]


def test_the_card_of_a_tagger_that_needs_pytorch_says_how_to_load_it(tmp_path: Path) -> None:
    embedder = ConcatenatedEmbedder([Lengths(), NgramEmbedder(2, 8, word_embedding_size=2)])
    tagger = Teacher(TAGS, "bioes", ["en"], embedder, NoContext()).eval()
    tagger.save(tmp_path / "saved")
    page = (tmp_path / "saved" / "README.md").read_text()
    assert 'skd_lightning.load("saved", embedders={"test_serving.Lengths": Lengths})' in page
    assert "Runtime" not in page
    assert "skd tag" not in page
    again = skd_lightning.load(tmp_path / "saved", embedders={"test_serving.Lengths": Lengths})
    assert again.predict(SENTENCES, "en") == tagger.predict(SENTENCES, "en")


def test_a_name_of_the_hub_is_found_in_its_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub.constants

    monkeypatch.chdir(tmp_path)
    home = tmp_path / "hub"
    snapshot = home / "models--somebody--tagger" / "snapshots" / "0123456789abcdef"
    KINDS["wide"]().save(snapshot)
    (home / "models--somebody--tagger" / "refs").mkdir()
    (home / "models--somebody--tagger" / "refs" / "main").write_text("0123456789abcdef")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(home))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    same(
        Runtime.load("somebody/tagger").predict(SENTENCES, "en"),
        skd_lightning.load("hf:somebody/tagger").predict(SENTENCES, "en"),
    )
    for name in ("somebody/else", "hf:somebody/else"):
        with pytest.raises(UserError, match="not to be had from the hub") as refusal:
            Runtime.load(name)
        assert "\n" not in str(refusal.value)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    KINDS["wide"]().save(tmp_path / "saved")
    return tmp_path / "saved"


def config(folder: Path) -> Any:
    return json.loads((folder / "config.json").read_text())


def described(**changes: Any) -> Any:
    def change(folder: Path) -> None:
        found = config(folder)
        found["tagger"] |= changes
        (folder / "config.json").write_text(json.dumps(found))

    return change


def foreign_class(folder: Path) -> None:
    found = config(folder)
    found["tagger"]["encoder"]["embedder"]["name"] = "os.system"
    (folder / "config.json").write_text(json.dumps(found))


def weights(**changes: Any) -> Any:
    def change(folder: Path) -> None:
        arrays = load_file(folder / "model.safetensors")
        for name, make in changes.items():
            arrays[name.replace("__", ".")] = make(arrays[name.replace("__", ".")])
        save_file(arrays, folder / "model.safetensors")

    return change


def cut(name: str, bytes_left: int) -> Any:
    return lambda folder: os.truncate(folder / name, bytes_left)


def swapped_header(folder: Path) -> None:
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content.replace(b'"F32"', b'"F64"', 1))


def another_network(folder: Path) -> None:
    """One of a tagger with as many tags, from smaller vectors."""
    KINDS["joined"]().save(folder.parent / "other")
    shutil.copy(folder.parent / "other" / "network.onnx", folder)


def nested_embedders(folder: Path) -> None:
    found = config(folder)
    embedder = found["tagger"]["encoder"]["embedder"]
    for _ in range(300):
        embedder = {"name": "ConcatenatedEmbedder", "settings": {"embedders": [embedder]}}
    found["tagger"]["encoder"]["embedder"] = embedder
    (folder / "config.json").write_text(json.dumps(found))


DAMAGES: dict[str, tuple[Any, str]] = {
    "no config": (lambda folder: (folder / "config.json").unlink(), r"no saved tagger|no trained tagger"),
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), "No such file|no trained tagger"),
    "not JSON": (lambda folder: (folder / "config.json").write_text("{"), "no readable JSON"),
    "binary": (lambda folder: (folder / "config.json").write_bytes(b"\xff\xfe\x00"), "no readable JSON"),
    "deep": (lambda folder: (folder / "config.json").write_text("[" * 100_000), "no readable JSON"),
    "a list": (lambda folder: (folder / "config.json").write_text("[]"), "something else than a tagger"),
    "another program's": (
        lambda folder: (folder / "config.json").write_text('{"model_type": "bert"}'),
        "something else than a tagger",
    ),
    "another version": (
        lambda folder: (folder / "config.json").write_text('{"format": "skd_lightning", "schema": 99}'),
        "another version",
    ),
    "a foreign class": (foreign_class, "os.system"),
    "other tags": (described(tags=["O", "B-X"]), "fit its weights|transitions"),
    "tags twice": (described(tags=["O", "O"]), "damaged"),
    "a foreign scheme": (described(scheme="bilou"), "damaged"),
    "languages that are none": (described(languages=[1]), "damaged"),
    "no threshold": (described(decoding="entities", threshold=0.0), "threshold"),
    "a threshold that is none": (described(decoding="entities", threshold="0.3"), "damaged|threshold"),
    "decoding of other distributions": (described(decoding="entities", constrain=False), "damaged|entities"),
    "cut weights": (cut("model.safetensors", 5000), "damaged"),
    "a cut header": (cut("model.safetensors", 20), "damaged"),
    "a foreign type": (swapped_header, "damaged"),
    "NaN": (weights(head__transitions=lambda old: old * np.nan), "not finite"),
    "weights of another shape": (
        weights(encoder__embedder__grams__weight=lambda old: old[:10]),
        "rows|fit its weights",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("reader", [Runtime.load, skd_lightning.load])
def test_a_damaged_folder_is_refused_in_one_line(damage: str, reader: Any, saved: Path) -> None:
    change, message = DAMAGES[damage]
    change(saved)
    with pytest.raises(UserError, match=message) as refusal:
        reader(saved)
    assert "\n" not in str(refusal.value)
    assert str(saved) in str(refusal.value)


ONLY_SERVED: dict[str, tuple[Any, str]] = {
    "another network": (another_network, r"network\.onnx: does not fit this tagger"),
    "a network of other tags": (
        lambda folder: (
            KINDS["two layers"]().save(folder.parent / "x"),
            shutil.copy(folder.parent / "x/network.onnx", folder),
        ),
        r"network\.onnx",
    ),
    "biases of other tags": (
        weights(wide__head__emissions__bias=lambda old: old[:2]),
        "sparse features do not fit",
    ),
    "fewer keys": (weights(wide__keys=lambda old: old[:2]), "sparse features do not fit"),
    "keys that are no hashes": (
        weights(wide__keys=lambda old: old.astype(np.float64)),
        "sparse features do not fit",
    ),
    "nested embedders": (nested_embedders, "fit its weights|no table|damaged"),
}


@pytest.mark.parametrize("damage", ONLY_SERVED)
def test_parts_that_do_not_fit_are_refused_when_they_are_loaded(damage: str, saved: Path) -> None:
    change, message = ONLY_SERVED[damage]
    change(saved)
    with pytest.raises(UserError, match=message) as refusal:
        Runtime.load(saved)
    assert "\n" not in str(refusal.value)
    assert str(saved) in str(refusal.value)


def test_a_network_reads_no_other_file(saved: Path) -> None:
    """It may lie outside of the folder or in it; what this package writes is one file."""
    network = onnx.load(saved / "network.onnx")
    weight = next(one for one in network.graph.initializer if one.name == "head.weight")
    for place in ("../secret", "secret"):
        (saved / place).write_bytes(weight.raw_data)
        moved = onnx.ModelProto()
        moved.CopyFrom(network)
        onnx.external_data_helper.set_external_data(
            next(one for one in moved.graph.initializer if one.name == "head.weight"), place
        )
        (saved / "network.onnx").write_bytes(moved.SerializeToString())
        with pytest.raises(UserError, match="another file, which is not read"):
            Runtime.load(saved)


@pytest.mark.parametrize(("name", "value"), [("sparse", None), ("dropout", float("nan"))])
def test_a_setting_of_another_type_is_named(name: str, value: float | None, saved: Path) -> None:
    found = config(saved)
    found["tagger"]["encoder"]["embedder"]["settings"][name] = value
    (saved / "config.json").write_text(json.dumps(found))
    with pytest.raises(UserError, match=f"its {name} is {value}, not") as refusal:
        skd_lightning.load(saved)
    assert str(saved) in str(refusal.value)


@pytest.mark.parametrize("damage", ["missing", "damaged"])
def test_a_network_that_cannot_be_read_is_refused_in_one_line(damage: str, saved: Path) -> None:
    network = saved / "network.onnx"
    network.unlink() if damage == "missing" else network.write_bytes(b"no network")
    with pytest.raises(UserError, match=r"network\.onnx") as refusal:
        Runtime.load(saved)
    assert "\n" not in str(refusal.value)


def test_a_hub_out_of_reach_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match="somebody/tagger: not uploaded") as refusal:
        KINDS["ngrams"]().push_to_hub("somebody/tagger")
    assert "\n" not in str(refusal.value)


def test_nothing_foreign_is_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(UserError, match="holds no saved tagger"):
        KINDS["ngrams"]().save(tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"
    assert "no trained tagger" in refused(capsys, "export", str(tmp_path / "nothing"), str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()
    tagger = KINDS["ngrams"]()
    with torch.no_grad():
        tagger.head.transitions[0, 0] = torch.nan
    with pytest.raises(UserError, match=r"not finite: head\.transitions"):
        tagger.save(tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("number", [0, 1, 2, 3, 40, 5000])
@pytest.mark.parametrize("spread", [0, 40])
def test_sparse_features_are_found_where_binary_search_finds_them(number: int, spread: int) -> None:
    """Also where keys are no hashes but crowd together."""
    draw = np.random.default_rng(number).integers(0, 2**64, number, dtype=np.uint64)
    keys = np.unique(draw >> np.uint64(spread))
    features = SparseFeatures(keys, PlainTable(np.ones((len(keys), 2), np.float32)), np.zeros(2, np.float32))
    one, edges = np.uint64(1), np.array([0, 2**64 - 1], dtype=np.uint64)
    asked = np.concatenate([keys, keys + one, keys - one, edges])
    expected = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
    assert features._places(asked).tolist() == expected.tolist()
