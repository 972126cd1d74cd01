"""Saved taggers and other files of weights: they load and tag, or are refused in one line; nothing else happens."""

from __future__ import annotations

import io
import json
import math
import shutil
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import torch
from fuzzing import attempt, changed, spoiled, tries
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load, save
from small_taggers import KINDS, SENTENCES
from test_bad_files import binary
from watching import watched

import skd_lightning
from skd_lightning.encoders.fasttext import BinaryVectors, TextVectors
from skd_lightning.encoders.subword_table import read_table
from skd_lightning.serving import Runtime

TABLES = {"wide": "int8", "words": "pq", "joined": "float16"}
"""Kinds of taggers that are saved small."""
LOADERS: tuple[Callable[[Path], Any], ...] = (Runtime.load, skd_lightning.load)
Files = dict[str, bytes]


@cache
def saved() -> dict[str, Files]:
    """Return the files of a saved tagger of each kind."""
    found = {}
    with TemporaryDirectory() as temporary:
        for kind, make in KINDS.items():
            folder = Path(temporary) / kind.replace(" ", "-")
            make().save(folder, TABLES.get(kind, "float32"))
            found[kind] = {
                path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.name != "README.md"
            }
    return found


def header(content: bytes) -> tuple[Any, bytes]:
    """Return the two parts of a safetensors file."""
    end = 8 + int.from_bytes(content[:8], "little")
    return json.loads(content[8:end]), content[end:]


def with_header(tree: Any, values: bytes) -> bytes:
    text = json.dumps(tree).encode()
    return len(text).to_bytes(8, "little") + text + values


CHANGES: dict[str, Callable[[np.ndarray], Any]] = {
    "not a number": lambda old: np.full_like(
        old, np.array(np.nan if old.dtype.kind == "f" else -1).astype(old.dtype)
    ),
    "large": lambda old: (
        np.full_like(old, np.inf if old.dtype.kind == "f" else np.iinfo(old.dtype).max)
        if old.dtype.kind in "fiu"
        else old
    ),
    "huge": lambda old: old * np.array(1e4).astype(old.dtype) if old.dtype.kind == "f" else old,
    "transposed": lambda old: np.ascontiguousarray(old.T),
    "half": lambda old: old[: len(old) // 2] if old.ndim else old,
    "no rows": lambda old: old[:0] if old.ndim else old,
    "no columns": lambda old: old[..., :0],
    "twice": lambda old: np.concatenate([old, old]) if old.ndim else old,
    "flat": lambda old: old.ravel(),
    "deeper": lambda old: old[None],
    "double": lambda old: old.astype(np.float64),
    "half precision": lambda old: old.astype(np.float16),
    "whole": lambda old: np.nan_to_num(old).astype(np.int64),
    "bytes": lambda old: np.nan_to_num(old).astype(np.uint8),
    "truth": lambda old: old.astype(bool),
    "backwards": lambda old: np.ascontiguousarray(old[::-1]) if old.ndim else old,
}


@st.composite
def damaged(draw: st.DrawFn) -> Files:
    """Draw the files of a saved tagger, of which one or two are not what they were."""
    kinds = saved()
    kind = draw(st.sampled_from([*kinds]))
    files = dict(kinds[kind])
    for _ in range(draw(st.integers(1, 2))):
        name = draw(st.sampled_from(["config.json", "model.safetensors", *files]))
        if name not in files:
            continue
        edit = draw(
            st.sampled_from(["inside", "inside", "inside", "inside", "bytes", "swap", "rename", "foreign"])
        )
        if edit == "inside" and name == "config.json":
            files[name] = json.dumps(draw(changed(json.loads(kinds[kind][name])))).encode()
        elif edit == "inside" and name == "model.safetensors":
            files[name] = draw(other_weights(kinds[kind][name]))
        elif edit in ("bytes", "inside"):
            files[name] = draw(spoiled([files[name]]))
        elif edit == "swap":
            other = draw(st.sampled_from([*kinds]))
            files[name] = kinds[other].get(name, b"")
        elif edit == "rename":
            files[draw(st.sampled_from(["config.json", "network.onnx", "transformer.onnx", "x"]))] = (
                files.pop(name)
            )
        else:
            files[name] = files[draw(st.sampled_from([*files]))]
    return files


@st.composite
def other_weights(draw: st.DrawFn, content: bytes) -> bytes:
    """Draw a well-formed file with other arrays, or one whose header lies."""
    if draw(st.booleans()):
        tree, values = header(content)
        return with_header(draw(changed(tree)), values)
    arrays = dict(sorted(load(content).items()))  # safetensors gives them in any order
    for name in draw(st.lists(st.sampled_from([*arrays]), min_size=1, max_size=2, unique=True)):
        edit = draw(st.sampled_from([*CHANGES, "missing", "another", "named"]))
        if edit == "missing":
            del arrays[name]
        elif edit == "another":
            arrays[name] = arrays[draw(st.sampled_from([*arrays]))]
        elif edit == "named":
            arrays[f"{name}.x"] = arrays.pop(name)
        else:
            with np.errstate(all="ignore"):
                arrays[name] = CHANGES[edit](arrays[name])
    return save({name: np.ascontiguousarray(values) for name, values in arrays.items()})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("folders") / "saved"
    for files in saved().values():  # kernels are compiled, and modules imported, before anybody watches
        write(files, folder)
        for loader in LOADERS:
            answers(loader(folder))
    return folder


def write(files: Files, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)


def check(load: Callable[[Path], Any], folder: Path) -> bool:
    """Load and tag; return True if that is possible."""
    with watched(folder) as seen:
        tagger = attempt(lambda: load(folder))
        found = None if tagger is None else attempt(lambda: answers(tagger))
    assert not seen
    return found is not None


def answers(tagger: Any) -> Sequence[Any]:
    language = tagger.languages[0] if tagger.languages else None
    found: Sequence[Any] = tagger.predict(SENTENCES, language, k=2)
    for words, one in zip(SENTENCES, found, strict=True):
        assert len(one.tags) == len(one.confidences) == len(words)
        assert set(one.tags) <= set(tagger.tag_set.names)
        shares = [one.probability, *one.confidences, *(entity.probability for entity in one.entities)]
        shares += [alternative.probability for alternative in one.alternatives]
        assert all(math.isfinite(share) and -1e-6 <= share <= 1 + 1e-4 for share in shares), shares
    tagger.tag("Anna Berg lives in Lincoln.", language)
    return found


@pytest.mark.parametrize("load", LOADERS)
def test_the_samples_load(load: Callable[[Path], Any], folder: Path) -> None:
    for files in saved().values():
        write(files, folder)
        assert check(load, folder)


@tries(60)
@given(files=damaged())
def test_a_saved_folder_with_the_runtime(files: Files, folder: Path) -> None:
    write(files, folder)
    check(Runtime.load, folder)


@tries(60)
@given(files=damaged())
def test_a_saved_folder_with_pytorch(files: Files, folder: Path) -> None:
    write(files, folder)
    check(skd_lightning.load, folder)


@cache
def checkpoints() -> list[dict[str, Any]]:
    found = []
    for kind in ("wide", "softmax", "joined"):
        tagger = KINDS[kind]()
        found.append({"tagger": tagger.description(), "state_dict": tagger.state_dict()})
    return found


def as_bytes(checkpoint: Any) -> bytes:
    file = io.BytesIO()
    torch.save(checkpoint, file)
    return file.getvalue()


@st.composite
def damaged_checkpoint(draw: st.DrawFn) -> bytes:
    checkpoint = dict(draw(st.sampled_from(checkpoints())))
    if draw(st.booleans()):
        return draw(spoiled([as_bytes(checkpoint)]))
    if draw(st.booleans()):
        checkpoint["tagger"] = draw(changed(checkpoint["tagger"]))
    else:
        weights = dict(checkpoint["state_dict"])
        name = draw(st.sampled_from([*weights]))
        with np.errstate(all="ignore"):
            made = CHANGES[draw(st.sampled_from([*CHANGES]))](weights[name].numpy())
        weights[name] = torch.from_numpy(np.ascontiguousarray(made))
        checkpoint["state_dict"] = weights
    return as_bytes(checkpoint)


@tries(40)
@given(content=damaged_checkpoint())
def test_a_checkpoint(content: bytes, folder: Path) -> None:
    write({"best.ckpt": content}, folder)
    with watched(folder) as seen:
        tagger = attempt(lambda: skd_lightning.load(folder / "best.ckpt"))
        if tagger is not None:
            attempt(lambda: answers(tagger))
    assert not seen


PIECES = save({"table": np.ones((3, 2), np.float16)}, {"skd": "x"})
VECTORS: dict[str, tuple[Callable[[Path], Any], list[bytes]]] = {
    "vectors.vec": (TextVectors, [b"2 2\na 1 2\nb 3 4\n", b"a 1 2\nb 3 4\n"]),
    "vectors.bin": (BinaryVectors, [binary(), binary(buckets=3)]),
    "pieces.safetensors": (read_table, [PIECES]),
}


@tries(200)
@given(
    file=st.one_of(*(st.tuples(st.just(name), spoiled(samples)) for name, (_, samples) in VECTORS.items())),
)
def test_a_file_of_vectors(file: tuple[str, bytes], folder: Path) -> None:
    name, content = file
    write({name: content}, folder)
    with watched(folder) as seen:
        read = attempt(lambda: VECTORS[name][0](folder / name))
        if isinstance(read, BinaryVectors | TextVectors):
            found = attempt(lambda: read.vectors(["a", "b", "unknown", ""]))
            assert found is None or np.isfinite(found).all()
    assert not seen
