"""Files that are not what they should be: one line that names the file, at once, and nothing is run."""

import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import skd_lightning
from skd_lightning.distillation.cache.parts import Parts
from skd_lightning.distillation.teachers import TeacherSet
from skd_lightning.encoders.fasttext import BinaryVectors, TextVectors
from skd_lightning.encoders.subword_table import read_table
from skd_lightning.encoders.vector_store import VectorStore
from skd_lightning.errors import UserError
from skd_lightning.run_folder import RunFolder
from skd_lightning.runs import provenance
from skd_lightning.runs.calibration import Calibration
from skd_lightning.runs.record import Results
from skd_lightning.studies.suite import read_suite
from skd_lightning.studies.sweep.file import read_sweep
from skd_lightning.studies.zeroshot import text_only


def read_calibration(file: Path) -> None:
    """Read it as reports do, which note the message instead of stopping."""
    try:
        Calibration.read(RunFolder(file.parent))
    except (OSError, ValueError) as error:
        raise UserError(f"{file}: {error}") from None


READERS: dict[str, Callable[[Path], Any]] = {
    "suite.yaml": read_suite,
    "sweep.yaml": read_sweep,
    "teachers.yaml": lambda file: TeacherSet.named(str(file)).pool("en"),
    "config.yaml": lambda file: text_only(RunFolder(file.parent)),
    "results.json": lambda file: Results.require(RunFolder(file.parent)),
    "provenance.json": lambda file: provenance.changed(RunFolder(file.parent), {}),
    "calibration.json": read_calibration,
    "vectors.bin": BinaryVectors,
    "vectors.vec": TextVectors,
    "pieces.safetensors": read_table,
    "best.ckpt": skd_lightning.load,
}
CONTENTS = {
    "empty": b"",
    "every byte": bytes(range(256)),
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "Latin-1": '{"é": 1}'.encode("latin-1"),
    "a list": b"[1, 2]",
    "a list of lists": b"[[1, 2], [3]]",
    "a number": b"7",
    "a word": b'"x"',
    "null": b"null",
    "no keys": b"{}",
    "a cut": b'{"schema": 1, "task": "mi',
    "lists 100,000 deep": b"[" * 100_000,
    "keys 100,000 deep": b'{"a":' * 100_000,
    "10,000 digits": b'{"schema": ' + b"9" * 10_000 + b"}",
    "NaN": b'{"schema": NaN, "languages": NaN, "data": NaN}',
    "other types": b'{"title": [1], "tasks": 7, "languages": 7, "data": [1], "schema": 1, "variants": "x"}',
    "a surrogate": b'{"\\ud800": ["\\ud800"], "data": "\\ud800"}',
    "a circle": b"&a {data: *a, title: *a}",
    "aliases that multiply": b"a0: &a0 [x, x]\n"
    + b"".join(b"a%d: &a%d [%s]\n" % (n, n, b", ".join([b"*a%d" % (n - 1)] * 9)) for n in range(1, 12)),
    "a python tag": b'data: !!python/object/apply:os.system ["touch run-by-yaml"]',
    "zeros": bytes(1000),
    "no such day": b"data: 2024-13-45",
}
HARMLESS = {
    ("config.yaml", "no keys"),
    ("provenance.json", "no keys"),
    *(("teachers.yaml", content) for content in ("NaN", "other types")),  # other languages
}
"""Contents that a reader may take, since nothing in them is wrong for it."""


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_is_one_line(
    name: str, content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(CONTENTS[content])
    if (name, content) in HARMLESS:
        READERS[name](tmp_path / name)
        return
    with pytest.raises(UserError) as error:
        READERS[name](tmp_path / name)
    said = str(error.value)
    assert said.startswith(str(tmp_path / name))
    assert len(said.splitlines()) == 1
    assert len(said) < len(str(tmp_path)) + 500
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("kind", ["folder", "pipe", "dangling link", "circular link", "device"])
@pytest.mark.parametrize("name", [name for name in READERS if not name.endswith(".json")])
def test_what_is_no_file_is_not_opened(name: str, kind: str, tmp_path: Path) -> None:
    file = tmp_path / name
    if kind == "folder":
        file.mkdir()
    elif kind == "pipe":
        os.mkfifo(file)
    else:
        file.symlink_to({"dangling link": "nowhere", "circular link": name, "device": "/dev/zero"}[kind])
    if name == "config.yaml":  # as if it were not there
        assert text_only(RunFolder(tmp_path)) == []
        return
    with pytest.raises(UserError, match=name):
        READERS[name](file)


SUITE = "{title: t, tasks: {demo: {}}, variants: {topk: {}}"
SWEEP = (
    "program: skd\nmethod: random\nmetric: {name: dev/average, goal: maximize}\n"
    "command: [skd, distill, '${args}']\nparameters: {a: {value: 1}, b: "
)
KEYS = [
    ("suite.yaml", SUITE + ", seeds: [1, x]}", "seeds.1: "),
    ("suite.yaml", SUITE + ", seeds: [-1]}", "seeds.0: "),
    ("suite.yaml", SUITE + ", seeds: 3}", "seeds: "),
    ("suite.yaml", SUITE + ", seeds: [.nan]}", "seeds.0: "),
    ("suite.yaml", SUITE + ", runs: 7}", "runs: "),
    ("suite.yaml", SUITE + ", options: [1]}", "options: Input should be a valid dictionary"),
    ("suite.yaml", SUITE + ", options: {1: 2}}", "options: "),
    ("suite.yaml", SUITE + ", options: {a: 2024-01-01}}", "options: a: "),
    ("suite.yaml", SUITE + ", teachers: {a: !!binary aGk=}}", "teachers: a: "),
    ("suite.yaml", SUITE + ", recipe: [1]}", "recipe is '[1]'"),
    ("suite.yaml", "{title: [1], tasks: {demo: {}}, variants: {topk: {}}}", "title: "),
    ("suite.yaml", "{title: t, tasks: [demo], variants: {topk: {}}}", "tasks: "),
    ("suite.yaml", "{title: t, tasks: {7: {}}, variants: {topk: {}}}", "tasks: 7"),
    ("suite.yaml", "{title: t, tasks: {demo: {languages: en}}, variants: {topk: {}}}", "languages: "),
    ("suite.yaml", "{title: t, tasks: {demo: {zeroshot: 7}}, variants: {topk: {}}}", "zeroshot: "),
    ("suite.yaml", "{title: t, tasks: {demo: {languages: [no]}}, variants: {topk: {}}}", "write Norwegian"),
    ("suite.yaml", "{title: t, tasks: {demo: x}, variants: {topk: {}}}", "task demo: expected settings"),
    ("suite.yaml", "{title: t, tasks: {demo: {}}, variants: {topk: [1]}}", "variant topk: "),
    ("suite.yaml", "{title: t, tasks: {demo: {}}, variants: {x: {loss: [1]}}}", "variant x: loss is"),
    ("suite.yaml", "{title: t, tasks: {demo: {}}, variants: {topk: {a: 2024-01-01}}}", "variant topk: a: "),
    ("sweep.yaml", SWEEP.replace("random", "[1]") + "{value: 1}}", "method: "),
    ("sweep.yaml", SWEEP.replace("{name: dev/average, goal: maximize}", "x") + "{value: 1}}", "metric: "),
    ("sweep.yaml", SWEEP.replace("name: dev/average, ", "") + "{value: 1}}", "metric.name: "),
    ("sweep.yaml", SWEEP.replace("[skd,", "[[1],") + "{value: 1}}", "command.0: "),
    ("sweep.yaml", SWEEP.replace("program: skd", "program: [1]") + "{value: 1}}", "program: "),
    ("sweep.yaml", SWEEP + "{value: 1}}\nrun_cap: -1", "run_cap: "),
    ("sweep.yaml", SWEEP + "{value: 1}}\nrun_cap: many", "run_cap: "),
    ("sweep.yaml", SWEEP + "{value: 1}, 7: {value: 1}}", "parameters.7"),
    ("sweep.yaml", SWEEP + "7}", "parameter b: expected value"),
    ("sweep.yaml", SWEEP + "{values: 7}}", "parameter b: values is 7"),
    ("sweep.yaml", SWEEP + "{values: [1, 2], probabilities: 1}}", "parameter b: probabilities: "),
    ("sweep.yaml", SWEEP + "{values: [1, 2], probabilities: [a, b]}}", "parameter b: probabilities: 0: "),
    ("sweep.yaml", SWEEP + "{values: [1, 2], probabilities: [2, -1]}}", "parameter b: probabilities: 1: "),
    ("sweep.yaml", SWEEP + "{values: [1, 2], probabilities: [.nan, 1]}}", "parameter b: probabilities"),
    ("sweep.yaml", SWEEP + "{min: .nan, max: 1}}", "parameter b: nan is not a number"),
    ("sweep.yaml", SWEEP + "{min: 0, max: .inf}}", "parameter b: inf is not a number"),
    ("sweep.yaml", SWEEP + "{min: 0, max: 1" + "0" * 4000 + "}}", "is not a number that can be tried"),
    ("sweep.yaml", SWEEP + "{min: 0, max: 100000000000}}", "take uniform"),
    ("sweep.yaml", SWEEP + "{distribution: q_uniform, min: 0, max: 9.5, q: 0}}", "q must be above 0"),
    ("sweep.yaml", SWEEP + "{distribution: q_uniform, min: 0, max: 9.5, q: -1}}", "q must be above 0"),
    ("sweep.yaml", SWEEP + "{distribution: normal, mu: 0, sigma: -1}}", "sigma not below"),
    ("sweep.yaml", SWEEP + "{distribution: log_uniform, min: 0, max: 1000}}", "natural logarithms"),
    ("sweep.yaml", SWEEP + "{distribution: [1]}}", "distribution '[1]' is not known"),
    ("config.yaml", "data: {text_only: en}", "data.text_only: "),
    ("config.yaml", "data: {text_only: [1]}", "data.text_only.0: "),
    ("config.yaml", "data: []", "data: "),
    ("provenance.json", '{"torch": 2.1}', "torch: "),
    ("provenance.json", '{"torch": ["2"]}', "torch: "),
    ("teachers.yaml", "{en: 7}", "the teachers of 'en' are 7"),
    ("teachers.yaml", "{en: en}", "its own"),
    ("teachers.yaml", "{en: {mixture: 7}}", "expected a folder"),
    ("teachers.yaml", "{en: x, tags: {PER: 1}}", "'tags' must map"),
    ("calibration.json", '{"languages": {"en": {"log_loss": NaN}}}', "languages.en.log_loss: "),
    ("calibration.json", '{"languages": {"en": {"log_loss": -1}}}', "languages.en.log_loss: "),
    ("vectors.vec", "1 0\na\n", "line 1"),
    ("vectors.vec", "1 -3\na 1\n", "line 1"),
    ("vectors.vec", "1 1000000000000\na 1\n", "line 1"),
    ("vectors.vec", "1 " + "9" * 10_000 + "\n", "line 1"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "expected"), KEYS)
def test_the_wrong_key_is_named(name: str, text: str, expected: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError) as error:
        READERS[name](tmp_path / name)
    said = str(error.value)
    assert expected in said
    assert said.startswith(str(tmp_path / name))
    assert len(said.splitlines()) == 1
    assert len(said) < len(str(tmp_path)) + 500


def binary(
    entries: int = 1, words: int = 1, rows: int = 3, size: int = 2, buckets: int = 2, value: float = 0.5
) -> bytes:
    """Return fastText's binary file of the word "a" and two buckets of n-grams."""
    arguments = [size, 5, 5, 1, 5, 1, 2, 2, buckets, 1, 2, 0]
    header = struct.pack("<ii", 793712314, 12) + struct.pack("<12id", *arguments, 1e-4)
    dictionary = struct.pack("<iiiqq", entries, words, 0, 1, -1) + b"a\0" + struct.pack("<qb", 1, 0)
    matrix = struct.pack("<qq", rows, size) + struct.pack(f"<{3 * 2}f", *[value] * 6)
    return header + dictionary + b"\0" + matrix


def test_a_binary_file_of_vectors_is_read(tmp_path: Path) -> None:
    (tmp_path / "vectors.bin").write_bytes(binary())
    np.testing.assert_array_equal(BinaryVectors(tmp_path / "vectors.bin").vectors(["a"]), [[0.5, 0.5]])


@pytest.mark.parametrize(
    "wrong",
    [
        {"entries": 2**31 - 1},
        {"entries": -1},
        {"words": 2**31 - 1},
        {"words": -1},
        {"rows": -1},
        {"rows": 2**62},
        {"rows": 1},
        {"size": 0},
        {"size": -2},
        {"size": 2**31 - 1},
        {"buckets": 0},
        {"buckets": -1},
        {"buckets": 2**31 - 1},
    ],
    ids=str,
)
def test_a_header_that_cannot_be_is_refused(wrong: dict[str, int], tmp_path: Path) -> None:
    (tmp_path / "vectors.bin").write_bytes(binary(**wrong))
    with pytest.raises(UserError, match=r"vectors\.bin: damaged"):
        BinaryVectors(tmp_path / "vectors.bin").vectors(["a", "b"])


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_vectors_that_are_not_finite_are_refused(value: str, tmp_path: Path) -> None:
    (tmp_path / "vectors.vec").write_text(f"2 2\na 1 2\nb 1 {value}\n")
    text = TextVectors(tmp_path / "vectors.vec")
    assert text.vectors(["a"]).tolist() == [[1, 2]]
    with pytest.raises(UserError, match=r"vectors\.vec: the vector of 'b' is not finite"):
        text.vectors(["a", "b"])
    (tmp_path / "vectors.bin").write_bytes(binary(value=float(value)))
    with pytest.raises(UserError, match=r"vectors\.bin: the vector of 'a' is not finite"):
        BinaryVectors(tmp_path / "vectors.bin").vectors(["a"])


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
@pytest.mark.parametrize(
    "damage", [*CONTENTS, "NaN inside", "infinity", "another type", "objects", "one row"]
)
def test_stored_vectors_that_are_damaged_are_made_again(precision: Any, damage: str, tmp_path: Path) -> None:
    sentences, expected = [["a", "b"], ["c"]], [np.ones((2, 3), np.float32), np.full((1, 3), 2, np.float32)]
    first = VectorStore(tmp_path / "store", precision).get(sentences, lambda _: expected, keep=True)
    before = [vectors.copy() for vectors in first]
    (made,) = (tmp_path / "store").glob("[!.]*")
    vectors = np.load(made / "vectors.npy")
    if damage in CONTENTS:
        (made / "lengths.json").write_bytes(CONTENTS[damage])
    elif damage == "objects":
        np.save(made / "vectors.npy", np.array([[{}] * 3] * 3, dtype=object), allow_pickle=True)
    elif damage == "another type":
        np.save(made / "vectors.npy", vectors.astype(np.float64))
    elif damage == "one row":
        np.save(made / "vectors.npy", vectors[:, 0])
    else:
        value = np.float32("nan" if damage == "NaN inside" else "inf")
        broken = torch.full((1,), float(value), dtype=getattr(torch, precision)).view(torch.uint16).numpy()[0]
        vectors.view(np.uint16)[1, 1] = broken
        np.save(made / "vectors.npy", vectors)
    asked: list[Any] = []

    def make(missing: list[Any]) -> list[np.ndarray]:
        asked.extend(missing)
        return expected

    again = VectorStore(tmp_path / "store", precision).get(sentences, make, keep=True)
    assert asked == sentences
    for own, other in zip(again, before, strict=True):
        np.testing.assert_array_equal(own, other)


@pytest.mark.parametrize("content", [*CONTENTS, "a path", "numbers"])
def test_a_part_of_the_cache_without_its_checksums_is_made_again(content: str, tmp_path: Path) -> None:
    own = {"a path": b'{"sha256": {"../../outside": "00"}}', "numbers": b'{"sha256": {"x": 7}}'}
    parts = Parts(tmp_path / "cache/entry")
    parts.write("emissions", {"x": np.arange(3)})
    (tmp_path / "cache/entry/emissions/meta.json").write_bytes({**CONTENTS, **own}[content])
    again = Parts(tmp_path / "cache/entry")
    found, hit = again.find_or_make("emissions", lambda: {"x": np.arange(3)})
    assert found["x"].tolist() == [0, 1, 2]
    assert not hit
    assert again.rebuilt == [str(tmp_path / "cache/entry/emissions")]
