"""Files that are not what they should be: one line that names the file, at once, and nothing is run."""

import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from bad_files import CONTENTS, HARMLESS, KEYS, READERS

from skd_lightning.data.run_settings import RunSettings, read_settings
from skd_lightning.distillation.cache.parts import Parts
from skd_lightning.encoders.fasttext import BinaryVectors, TextVectors
from skd_lightning.encoders.vector_store import VectorStore
from skd_lightning.errors import UserError
from skd_lightning.run_folder import RunFolder


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
        assert read_settings(RunFolder(tmp_path)) == RunSettings()
        return
    with pytest.raises(UserError, match=name):
        READERS[name](file)


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
