"""Taggers on transformers run without PyTorch, too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import skd_lightning
from skd_lightning.encoders import (
    BiLSTM,
    Embedder,
    FineTunedTransformerEmbedder,
    FrozenTransformerEmbedder,
    NoContext,
)
from skd_lightning.errors import UserError
from skd_lightning.serving import Runtime
from skd_lightning.taggers import Teacher, Wide

SENTENCES = [
    ["Anna", "Berg", "lives", "in", "Lincoln", "."],
    [],
    ["東京", "\u200b", "", "unbelievable"],
    ["more", "words", "than", "it", "can", "read"] * 12,
]


@pytest.mark.parametrize(
    ("kind", "pooling", "context", "wide", "precision"),
    [
        (FineTunedTransformerEmbedder, "first", NoContext(), None, None),
        (FrozenTransformerEmbedder, "mean", BiLSTM(5), Wide(), "float16"),
        (FrozenTransformerEmbedder, "mean", NoContext(), None, "bfloat16"),
    ],
)
def test_the_runtime_answers_as_pytorch_does(
    kind: type[Embedder],
    pooling: str,
    context: Any,
    wide: Wide | None,
    precision: str | None,
    bert: str,
    tmp_path: Path,
) -> None:
    torch.manual_seed(0)
    own = {"cache": str(tmp_path / "vectors"), "precision": precision} if precision else {}
    embedder: Any = kind(bert, pooling=pooling, hidden_states=[-1, -2], **own)  # type: ignore[call-arg]
    tagger = Teacher(["O", "B-X", "I-X"], "iob2", ["en"], embedder, context, wide)
    tagger.learn_vocabulary(SENTENCES, ["en"] * len(SENTENCES))
    with torch.no_grad():
        tagger.head.emissions.weight *= 20  # so that a rounding is seen
    tagger.eval().save(tmp_path / "saved")
    content = (tmp_path / "saved/transformer.onnx").read_bytes()
    assert str(Path(skd_lightning.__file__).parent).encode() not in content  # no place of this machine
    assert b"stack_trace" not in content
    runtime = Runtime.load(tmp_path / "saved")
    for found, expected in zip(runtime.predict(SENTENCES), tagger.predict(SENTENCES), strict=True):
        assert found.tags == expected.tags
        np.testing.assert_allclose(found.confidences, expected.confidences, atol=1e-4)
    for words in SENTENCES[2:]:
        np.testing.assert_allclose(
            runtime.emissions([words])[0], tagger.predict_emissions([words]), atol=1e-3
        )
    assert tagger.device.type == "cpu"
    assert not tagger.training
    (tmp_path / "saved" / "transformer.onnx").unlink()
    with pytest.raises(UserError, match=r"transformer\.onnx is missing"):
        Runtime.load(tmp_path / "saved")


def test_a_transformer_that_cannot_be_exported_is_one_line(
    bert: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise torch.onnx.OnnxExporterError("no operator\nfor this")

    monkeypatch.setattr(torch.onnx, "export", fail)
    tagger = Teacher(["O", "B-X"], "iob2", ["en"], FineTunedTransformerEmbedder(bert), NoContext())
    with pytest.raises(
        UserError, match=r"cannot write this transformer \(no operator\); serve it with PyTorch"
    ):
        tagger.save(tmp_path / "saved")
    assert not (tmp_path / "saved").exists()
