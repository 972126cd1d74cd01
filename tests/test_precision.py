"""Mixed precision, compiled encoders: what they may change and what not."""

import json
from pathlib import Path

import pandas as pd
import pytest
import torch
from small_corpus import write_corpus

from skd_lightning.cli import main
from skd_lightning.crf import LinearChainCRF
from skd_lightning.taggers.head import ChainHead

QUICK = [
    "--trainer.enable_progress_bar",
    "false",
    "--trainer.max_epochs",
    "2",
    "--model.context.hidden_size",
    "16",
]
QUICK += [
    "--model.embedder.buckets",
    "512",
    "--model.embedder.dropout",
    "0",
    "--model.context.dropout",
    "0",
    "--model.embedder.form_dropout",
    "0",
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two teachers and a student in float32."""
    folder = tmp_path_factory.mktemp("precision")
    write_corpus(folder / "mine", ("de", "en"), {"train": 60, "dev": 20, "test": 20})
    skd(folder, "teachers")
    distill(folder, "plain")
    return folder


def skd(home: Path, command: str, *options: str) -> None:
    main([command, "--runs", str(home / "runs"), "--task", "mine", "--data", str(home), *options, *QUICK])


def distill(home: Path, name: str, *options: str) -> pd.Series:
    """The student's loss by epoch."""
    skd(home, "distill", "--loss", "posterior", "--name", name, *options)
    folder = home / "runs/mine" / name / "seed1"
    assert json.loads((folder / "results.json").read_text())["average"] >= 0
    return pd.read_csv(folder / "metrics.csv")["train/loss"].dropna()


def lstm_in_bfloat16() -> bool:
    """Torch's LSTM in bfloat16 needs instructions (AVX-512) that not every CPU has."""
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            torch.nn.LSTM(2, 2)(torch.zeros(1, 1, 2))
    except RuntimeError:
        return False
    return True


@pytest.mark.skipif(not lstm_in_bfloat16(), reason="this CPU has no LSTM in bfloat16")
def test_bf16_leaves_the_crf_in_float32(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dtypes = set()
    read = set()
    forward, chain = ChainHead.forward, ChainHead.chain

    def noted(head: ChainHead, states: torch.Tensor) -> torch.Tensor:
        read.add(states.dtype)
        return forward(head, states)

    def made(head: ChainHead, emissions: torch.Tensor, lengths: torch.Tensor) -> LinearChainCRF:
        crf = chain(head, emissions, lengths)
        dtypes.add((crf.emissions.dtype, crf.transitions.dtype, crf.log_partition.dtype))
        return crf

    monkeypatch.setattr(ChainHead, "forward", noted)
    monkeypatch.setattr(ChainHead, "chain", made)
    mixed = distill(home, "bf16", "--trainer.precision", "bf16-mixed")
    assert dtypes == {(torch.float32,) * 3}
    assert torch.bfloat16 in read  # and the encoder did run in bfloat16
    plain = pd.read_csv(home / "runs/mine/plain/seed1/metrics.csv")["train/loss"].dropna()
    assert mixed.tolist() == pytest.approx(plain.tolist(), rel=0.1)
    assert mixed.tolist() != plain.tolist()


@pytest.mark.slow
def test_a_compiled_encoder_learns_the_same(home: Path) -> None:
    compiled = distill(home, "compiled", "--compile", "true")
    plain = pd.read_csv(home / "runs/mine/plain/seed1/metrics.csv")["train/loss"].dropna()
    assert compiled.tolist() == pytest.approx(plain.tolist(), rel=1e-3)
    names = [
        torch.load(home / f"runs/mine/{name}/seed1/checkpoints/best.ckpt", weights_only=True)[
            "state_dict"
        ].keys()
        for name in ("plain", "compiled")
    ]
    assert names[0] == names[1]
