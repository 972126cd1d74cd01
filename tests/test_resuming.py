"""Stop anywhere, start again: the same weights, scores and schedules as without a stop."""

import functools
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from small_corpus import write_corpus
from small_runs import SMALL, Killed, refused

from skd_lightning.cli import main
from skd_lightning.metrics import TaggingScores
from skd_lightning.runs import lightning_cli, provenance
from skd_lightning.runs.resuming import LastState
from skd_lightning.taggers import Tagger

LANGUAGES = ("de", "en")
SIZES = {"train": 40, "dev": 10, "test": 10}
QUICK = [*SMALL, "--data.tokens", "60"]


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


def words(home: Path, command: str, *options: str) -> list[str]:
    return [command, "--runs", str(home / "runs"), "--task", "mine", "--data", str(home), *options, *QUICK]


def skd(home: Path, command: str, *options: str) -> None:
    main(words(home, command, *options))


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
    "sparse": ["--model.embedder.sparse", "true"],
    "workers": ["--data.workers", "2"],
    "steps": [
        *("--trainer.max_epochs", "-1", "--trainer.max_steps", "60", "--trainer.val_check_interval", "7"),
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
    # Where an epoch has just been scored, and in the middle: the state is that of some step before.
    for anew, (hook, call) in enumerate(
        (
            ("on_train_epoch_end", 1),
            ("on_train_batch_start", 4),
            ("on_train_batch_start", 9),
            ("on_validation_epoch_end", 1),
        )
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


def test_a_moved_folder_keeps_its_best_weights(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights that are worse than the best ones before the move do not take their place after it."""
    options = ["--loss", "none", "--trainer.max_epochs", "3", "--model.optimization.head_lr", "0.05"]
    options += ["--model.wide", "null"]  # its dev scores are asked for once a validation
    scores = iter((0.5, 0.9, 0.7, 0.6))
    compute = TaggingScores.compute
    monkeypatch.setattr(TaggingScores, "compute", lambda self: {**compute(self), "average": next(scores)})
    with monkeypatch.context() as patch:
        kill_at(patch, "on_train_batch_start", 40)  # in the third epoch
        with pytest.raises(Killed):
            skd(home, "distill", *options, "--name", "before")
    best = home / "runs/mine/before/seed1/checkpoints/best.ckpt"
    weights = torch.load(best, weights_only=True)["state_dict"]
    shutil.copytree(home, tmp_path / "moved", dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path / "moved")
    main(
        [
            "distill",
            "--runs",
            "runs",
            "--task",
            "mine",
            "--data",
            str(home),
            *options,
            "--name",
            "before",
            *QUICK,
        ]
    )
    again = torch.load("runs/mine/before/seed1/checkpoints/best.ckpt", weights_only=True)
    assert all(torch.equal(value, again["state_dict"][name]) for name, value in weights.items())
    assert best.is_file()


@pytest.mark.parametrize("kept", [True, False], ids=["best weights kept", "best weights lost"])
def test_better_weights_after_a_stop_are_kept(
    home: Path, tmp_path: Path, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a relative folder behind a link, which Lightning names by another path than the command does."""
    real = tmp_path / "disk"
    shutil.copytree(home, real)
    (tmp_path / "here").symlink_to(real, target_is_directory=True)
    monkeypatch.chdir(tmp_path / "here")
    command = ["distill", "--runs", "runs", "--task", "mine", "--data", str(home), "--loss", "none", *QUICK]
    command += ["--trainer.max_epochs", "3", "--model.wide", "null"]
    scores = iter((0.5, 0.7, 0.9, 0.6) if kept else (0.5, 0.7, 0.6, 0.6))
    compute = TaggingScores.compute
    monkeypatch.setattr(TaggingScores, "compute", lambda self: {**compute(self), "average": next(scores)})
    with monkeypatch.context() as patch:
        kill_at(patch, "on_train_batch_start", 40)  # in the third epoch
        with pytest.raises(Killed):
            main(command)
    best = Path("runs/mine/none/seed1/checkpoints/best.ckpt")
    before = torch.load(best, weights_only=True)["global_step"]
    if not kept:
        best.unlink()
    main(command)
    assert torch.load(best, weights_only=True)["global_step"] > before


def test_of_several_dev_scores_of_an_epoch_the_best_counts(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also with an interval of 1 step, which Lightning takes for the 1.0 of a whole epoch."""
    scores = iter([0.5, 0.9, *[0.7] * 40])
    compute = TaggingScores.compute
    monkeypatch.setattr(TaggingScores, "compute", lambda self: {**compute(self), "average": next(scores)})
    options = ["--loss", "none", "--name", "often", "--trainer.max_epochs", "1", "--model.wide", "null"]
    skd(home, "distill", *options, "--trainer.val_check_interval", "1")
    best = torch.load(home / "runs/mine/often/seed1/checkpoints/best.ckpt", weights_only=True)
    assert best["global_step"] == 2


def test_a_refused_command_leaves_a_stopped_training_where_it_was(
    home: Path, stopped: list[str], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "empty.jsonl").write_text('{"words": ["nobody"], "tags": ["O"]}\n')
    other = [*stopped, "--teachers", str(tmp_path / "empty.jsonl")]
    assert "empty.jsonl" in refused(capsys, *words(home, *other))
    skd(home, *stopped)
    assert "going on from" in " ".join(capsys.readouterr().out.split())


def test_a_job_that_slurm_runs_again_goes_on_with_what_was_to_begin_anew(
    home: Path, stopped: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    skd(home, *stopped, "--anew")
    assert "going on from" in " ".join(capsys.readouterr().out.split())


@pytest.fixture
def stopped(home: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> list[str]:
    """The command of a student that was killed in its second epoch."""
    command = [
        "distill",
        "--loss",
        "topk",
        "--trainer.max_epochs",
        "2",
        "--name",
        request.node.name.replace("/", "-"),
    ]
    with monkeypatch.context() as patch:
        kill_at(patch, "on_train_batch_start", 22)
        with pytest.raises(Killed):
            skd(home, *command)
    return command


def test_changed_corpora_are_noticed(home: Path, stopped: list[str], capsys: pytest.CaptureFixture) -> None:
    file = home / "mine/de/dev.tsv"
    before = file.read_text()
    file.write_text(before + before)
    try:
        line = refused(capsys, *words(home, *stopped))
        assert "since this training began, these changed: corpus de/dev.tsv;" in line
        assert "--anew" in line
        skd(home, *stopped, "--anew")
        assert "going on" not in capsys.readouterr().out
    finally:
        file.write_text(before)
    skd(home, *stopped)
    said = " ".join(capsys.readouterr().out.split())
    assert "already trained with this configuration" in said
    assert "changed since: corpus de/dev.tsv; --anew trains it again" in said


def test_a_changed_teacher_is_noticed(home: Path, stopped: list[str], capsys: pytest.CaptureFixture) -> None:
    checkpoint = home / "runs/mine/teachers/en/checkpoints/best.ckpt"
    before = checkpoint.read_bytes()
    other = torch.load(checkpoint, weights_only=True)
    other["state_dict"]["head.transitions"] += 1
    try:
        torch.save(other, checkpoint)
        assert "these changed: teacher en;" in refused(capsys, *words(home, *stopped))
    finally:
        checkpoint.write_bytes(before)
    skd(home, *stopped)
    assert "going on from" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["checkpoints/last.ckpt", "provenance.json"])
def test_a_damaged_state_is_named_with_the_way_out(
    home: Path, stopped: list[str], name: str, capsys: pytest.CaptureFixture
) -> None:
    file = home / "runs/mine" / stopped[-1] / "seed1" / name
    file.write_bytes(file.read_bytes()[:100])
    for _ in range(2):
        line = refused(capsys, *words(home, *stopped))
        assert f"{file}: damaged" in line
        assert "--anew" in line
    skd(home, *stopped, "--anew")
    assert "going on" not in capsys.readouterr().out


def test_changed_code_is_noticed(
    home: Path, stopped: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(provenance, "LEARNING", (*provenance.LEARNING, "errors.py"))
    assert "these changed: code of skd_lightning;" in refused(capsys, *words(home, *stopped))


def test_a_changed_teacher_configuration_is_another_student(
    home: Path, stopped: list[str], capsys: pytest.CaptureFixture
) -> None:
    """The settings that the user typed are trained; the stopped run is put aside."""
    skd(home, *stopped, "--model.objective.k", "2")
    assert "going on" not in capsys.readouterr().out
    folder = home / "runs/mine" / stopped[-1] / "seed1"
    assert json.loads((folder / "results.json").read_text())["objective"] == {"k": 2}
    assert (folder / "stopped/checkpoints/last.ckpt").is_file()


def test_a_run_that_is_being_trained_is_left_alone(
    home: Path, stopped: list[str], capsys: pytest.CaptureFixture
) -> None:
    folder = home / "runs/mine" / stopped[-1] / "seed1"
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "there\n"
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    assert "another process is at work there" in refused(capsys, *words(home, *stopped))
    assert {path: path.stat().st_mtime_ns for path in before} == before
    other.kill()
    other.wait()
    skd(home, *stopped)
    assert "going on from" in capsys.readouterr().out


HOLD = """
import sys
from pathlib import Path
from skd_lightning.storage import alone_in
with alone_in(Path(sys.argv[1])):
    print("there", flush=True)
    sys.stdin.read()
"""


def test_the_command_line_wins_over_the_checkpoint(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """--ckpt_path gives weights; the settings are those that were typed."""
    common = ["fit", "--config", "experiments/student.yaml", "--data.task", "mine", "--data.data", str(home)]
    common += ["--distillation.teachers", str(home / "runs/mine/teachers"), *QUICK]
    common += ["--distillation.cache", str(home / "runs/cache")]
    first = ["--trainer.default_root_dir", str(tmp_path / "first"), "--trainer.max_epochs", "1"]
    main([*common, *first, "--model.objective", "Posterior", "--model.optimization.weight_decay", "0.1"])
    last = tmp_path / "first/checkpoints/last.ckpt"
    second = ["--trainer.default_root_dir", str(tmp_path / "second"), "--trainer.max_epochs", "2"]
    second += ["--ckpt_path", str(last)]
    main([*common, *second, "--model.objective", "TopK", "--model.objective.k", "2"])
    config = yaml.safe_load((tmp_path / "second/config.yaml").read_text())
    topk = {"class_path": "skd_lightning.distillation.objectives.TopK", "init_args": {"k": 2}}
    assert config["model"]["init_args"]["objective"] == topk
    again = torch.load(tmp_path / "second/checkpoints/best.ckpt", weights_only=True)
    assert again["tagger"]["optimization"]["weight_decay"] == 1e-4
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        main([*common, *second, "--model.context.hidden_size", "16"])
    assert stop.value.code == 2
    assert "hidden_size" in capsys.readouterr().err.strip().splitlines()[-1]


@pytest.mark.parametrize("moment", ["on_train_batch_start", "predict_emissions", "on_test_epoch_end"])
def test_slurm_gets_its_job_back(
    home: Path, tmp_path: Path, moment: str, capsys: pytest.CaptureFixture
) -> None:
    """SIGUSR1 before the time limit: what is done is saved, the job is put back, the next attempt goes on."""
    scontrol = tmp_path / "bin/scontrol"
    scontrol.parent.mkdir()
    scontrol.write_text(f'#!/bin/sh\necho "$@" > "{tmp_path}/asked"\n')
    scontrol.chmod(0o755)
    slurm = {"SLURM_NTASKS": "1", "SLURM_JOB_ID": "77", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"}
    slurm |= {"SLURM_NODEID": "0", "SLURM_JOB_NAME": "distill", "SLURM_NTASKS_PER_NODE": "1"}
    environment = {**os.environ, **slurm, "PATH": f"{scontrol.parent}:{os.environ['PATH']}"}
    command = ["distill", "--runs", str(home / "runs"), "--task", "mine", "--data", str(home), *QUICK]
    command += ["--loss", "topk", "--name", f"slurm-{moment}", "--trainer.max_epochs", "1"]
    command += ["--trainer.accelerator", "cpu", "--trainer.devices", "1"]
    command += ["--distillation.cache", str(tmp_path / "cache")]
    call = 2 if moment == "predict_emissions" else 1  # one teacher has spoken, the other one is asked
    first = subprocess.run(
        [sys.executable, "-c", SIGNALLED.format(moment=moment, call=call), *command],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert first.returncode == 128 + signal.SIGUSR1, first.stderr[-2000:]
    assert "stopped by SIGUSR1" in first.stderr
    assert (tmp_path / "asked").read_text() == "requeue 77\n"
    said = {file: file.stat().st_mtime_ns for file in (tmp_path / "cache").rglob("*.npy")}
    assert said
    capsys.readouterr()
    skd(home, *command[:1], *command[7 + len(QUICK) :])
    assert ("going on from" in capsys.readouterr().out) == (moment != "predict_emissions")
    assert {file: file.stat().st_mtime_ns for file in said} == said  # no teacher is asked twice
    assert (home / f"runs/mine/slurm-{moment}/seed1/results.json").is_file()


def test_a_training_that_is_validated_after_each_step_obeys_a_signal(home: Path, tmp_path: Path) -> None:
    """No step can save its state; a signal is not forgotten for that."""
    command = ["distill", "--runs", str(tmp_path / "runs"), "--task", "mine", "--data", str(home), *SMALL]
    command += ["--loss", "none", "--data.tokens", "100000", "--trainer.max_epochs", "500"]
    code = SIGNALLED.format(moment="on_train_batch_start", call=1).replace("SIGUSR1", "SIGTERM")
    stopped = subprocess.run(
        [sys.executable, "-c", code, *command], capture_output=True, text=True, check=False
    )
    assert stopped.returncode == 128 + signal.SIGTERM, stopped.stderr[-2000:]
    metrics = (tmp_path / "runs/mine/none/seed1/metrics.csv").read_text()
    assert metrics.count("\n") < 10


SIGNALLED = """
import os, signal, sys
from skd_lightning.taggers import Tagger
original, calls = Tagger.{moment}, []
def signalled(self, *arguments):
    calls.append(1)
    if len(calls) == {call}:
        os.kill(os.getpid(), signal.SIGUSR1)
    return original(self, *arguments)
Tagger.{moment} = signalled
from skd_lightning.cli import main
main(sys.argv[1:])
"""
