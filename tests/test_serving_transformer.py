"""Taggers on transformers run without PyTorch, too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_bert import save_bert

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


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_bert(tmp_path_factory.mktemp("bert"))


@pytest.mark.parametrize(
    ("kind", "pooling", "context", "wide"),
    [
        (FineTunedTransformerEmbedder, "first", NoContext(), None),
        (FrozenTransformerEmbedder, "mean", BiLSTM(5), Wide()),
    ],
)
def test_the_runtime_answers_as_pytorch_does(
    kind: type[Embedder], pooling: str, context: Any, wide: Wide | None, bert: str, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    own = {"cache": str(tmp_path / "vectors")} if kind is FrozenTransformerEmbedder else {}
    embedder: Any = kind(bert, pooling=pooling, hidden_states=[-1, -2], **own)  # type: ignore[call-arg]
    tagger = Teacher(["O", "B-X", "I-X"], "iob2", ["en"], embedder, context, wide)
    tagger.learn_vocabulary(SENTENCES, ["en"] * len(SENTENCES))
    tagger.eval().save(tmp_path / "saved")
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
