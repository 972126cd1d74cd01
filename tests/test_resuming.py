"""Stop anywhere, start again: the same weights, scores and schedules as without a stop."""

import functools
import json
from pathlib import Path

import pytest
import torch
from small_corpus import write_corpus

from skd_lightning import lightning_cli
from skd_lightning.cli import main
from skd_lightning.resuming import LastState
from skd_lightning.taggers import Tagger

LANGUAGES = ("de", "en")
SIZES = {"train": 40, "dev": 10, "test": 10}
QUICK = ["--trainer.enable_progress_bar", "false", "--model.encoder.hidden_size", "8"]
QUICK += ["--model.encoder.buckets", "512", "--data.tokens", "60"]


class Killed(BaseException):
    """Stands for the end of the process: nobody catches it."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a corpus and two trained teachers."""
    folder = tmp_path_factory.mktemp("resuming")
    write_corpus(folder / "mine", LANGUAGES, SIZES)
    skd(folder, "teachers", "--trainer.max_epochs", "1")
    return folder


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint wherever one is possible."""
    monkeypatch.setattr(lightning_cli, "LastState", functools.partial(LastState, minutes=0))


@pytest.fixture
def weights(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, torch.Tensor]]:
    """The final weights of each training."""
    found: list[dict[str, torch.Tensor]] = []

    def keep(tagger: Tagger) -> None:
        found.append({name: value.clone() for name, value in tagger.state_dict().items()})

    monkeypatch.setattr(Tagger, "on_train_end", keep)
    return found


def skd(home: Path, command: str, *options: str) -> None:
    main([command, "--runs", str(home / "runs"), "--task", "mine", "--data", str(home), *options, *QUICK])


def kill_at(monkeypatch: pytest.MonkeyPatch, hook: str, call: int) -> None:
    """Die at the beginning of the n-th call of a hook of the tagger."""
    original, calls = getattr(Tagger, hook), []

    def dying(tagger: Tagger, *arguments: object) -> None:
        calls.append(hook)
        if len(calls) == call:
            raise Killed
        original(tagger, *arguments)

    monkeypatch.setattr(Tagger, hook, dying)


SETTINGS = {
    "annealing by epochs": ["--model.annealing.kind", "epoch"],
    "annealing by steps": ["--model.annealing.kind", "step", "--model.optimization.warmup", "0.2"],
    "plateau": [
        *("--model.optimization.schedule", "plateau", "--model.optimization.plateau_patience", "0"),
        *(
            "--model.optimization.optimizer",
            "sgd",
            "--model.optimization.encoder_lr",
            "1e-9",
            "--patience",
            "9",
        ),
    ],
    "plateau of a score before the stop": [
        *("--model.optimization.schedule", "plateau", "--model.optimization.plateau_patience", "0"),
        *("--model.optimization.encoder_lr", "1e-9", "--trainer.val_check_interval", "5"),
    ],
    "accumulation": ["--trainer.accumulate_grad_batches", "3", "--model.annealing.kind", "step"],
    "sparse": ["--model.encoder.sparse", "true"],
    "workers": ["--data.workers", "2"],
    "steps": [
        *("--trainer.max_epochs", "-1", "--trainer.max_steps", "25", "--trainer.val_check_interval", "7"),
        *("--trainer.check_val_every_n_epoch", "null"),
    ],
}


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("setting", SETTINGS)
def test_a_resumed_training_ends_with_the_same_weights(
    home: Path,
    setting: str,
    weights: list[dict[str, torch.Tensor]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    options = ["--loss", "topwk", "--trainer.max_epochs", "3", "--name", setting.replace(" ", "-")]
    options += SETTINGS[setting]
    skd(home, "distill", *options)
    results = home / "runs/mine" / setting.replace(" ", "-") / "seed1/results.json"
    whole = json.loads(results.read_text())
    # In the first epoch, in the middle, and where one epoch has just ended: the state is that of some step before.
    for anew, (hook, call) in enumerate(
        (("on_train_batch_start", 4), ("on_train_batch_start", 9), ("on_validation_epoch_end", 2))
    ):
        with monkeypatch.context() as patch:
            kill_at(patch, hook, call)
            with pytest.raises(Killed):
                skd(home, "distill", *options, *([] if anew else ["--anew"]))
    capsys.readouterr()
    skd(home, "distill", *options)
    assert "going on from" in capsys.readouterr().out
    assert len(weights) == 2
    for name, value in weights[0].items():
        assert torch.equal(value, weights[1][name]), name
    again = json.loads(results.read_text())
    for name in ("languages", "average", "epochs", "steps"):
        assert again[name] == whole[name]
