"""From the command line to results: the whole way, on small data of our own."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from small_corpus import write_corpus
from small_runs import refused

import skd_lightning
from skd_lightning.cli import main
from skd_lightning.crf import LinearChainCRF
from skd_lightning.data.demo import demo_corpus

LANGUAGES = ("de", "en")
SIZES = {"train": 40, "dev": 20, "test": 20}
QUICK = [
    "--trainer.enable_progress_bar",
    "false",
    "--model.context.hidden_size",
    "16",
    "--model.embedder.buckets",
    "2048",
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a corpus and two trained teachers."""
    folder = tmp_path_factory.mktemp("home")
    write_corpus(folder / "mine", LANGUAGES, SIZES)
    skd(folder, "teachers", "--trainer.max_epochs", "3")
    return folder


def skd(home: Path, command: str, *options: str, quick: bool = True) -> None:
    arguments = [command, "--runs", str(home / "runs"), "--task", "mine"]
    if command != "report":
        arguments += ["--data", str(home), *options, *(QUICK if quick else [])]
    main(arguments)


@pytest.mark.parametrize("loss", ["none", "token", "emission", "topk", "topwk", "posterior", "pos_topwk"])
def test_every_objective_trains_a_student(home: Path, loss: str) -> None:
    has_k = loss in ("topk", "topwk", "pos_topwk")
    options = ["--model.objective.k", "3"] if has_k else []
    skd(home, "distill", "--loss", loss, "--trainer.max_epochs", "2", *options)
    folder = home / "runs/mine" / loss / "seed1"
    results = json.loads((folder / "results.json").read_text())
    assert results["schema"] == 1
    assert (results["role"], results["loss"], results["seed"], results["metric"]) == (
        "student",
        loss,
        1,
        "f1",
    )
    assert results["objective"].get("k") == (3 if has_k else None)
    assert set(results["languages"]) == set(LANGUAGES)
    for row in results["languages"].values():
        assert {"f1", "f1_strict", "accuracy", "sentences", "words"} <= set(row)
        assert row["sentences"] == 20
    assert results["average"] == pytest.approx(np.mean([row["f1"] for row in results["languages"].values()]))
    assert results["seconds"].keys() == {"teacher_predictions", "fit"}
    assert (folder / "metrics.csv").is_file()
    assert (folder / "config.yaml").is_file()


def test_finished_work_is_not_done_twice(home: Path, capsys: pytest.CaptureFixture) -> None:
    best = home / "runs/mine/teachers/de/checkpoints/best.ckpt"
    before = best.stat().st_mtime_ns
    skd(home, "teachers", "--trainer.max_epochs", "3")
    assert best.stat().st_mtime_ns == before
    assert capsys.readouterr().out.count("already trained") == 2


def test_a_second_objective_finds_the_cache(home: Path, capsys: pytest.CaptureFixture) -> None:
    skd(home, "distill", "--loss", "topk", "--seed", "2", "--trainer.max_epochs", "1")
    skd(home, "distill", "--loss", "posterior", "--seed", "2", "--trainer.max_epochs", "1")
    assert "2 hits, 0 misses" in capsys.readouterr().out


def test_an_interrupted_run_goes_on(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Stopped after its first epoch and started again, a run takes the steps that were left, and no more."""
    options = ("--loss", "topwk", "--seed", "3", "--trainer.max_epochs", "3")
    skd(home, "distill", *options)
    folder = home / "runs/mine/topwk/seed3"
    whole = json.loads((folder / "results.json").read_text())
    config = (folder / "config.yaml").read_text()
    shutil.rmtree(folder)
    stop = [
        sys.executable,
        "-c",
        STOP_AFTER_ONE_EPOCH,
        "distill",
        "--runs",
        str(home / "runs"),
        "--task",
        "mine",
    ]
    done = subprocess.run(
        [*stop, "--data", str(home), *options, *QUICK], capture_output=True, text=True, check=False
    )
    assert done.returncode == 9, done.stderr
    assert not (folder / "results.json").exists()
    assert (folder / "config.yaml").read_text() == config
    capsys.readouterr()
    skd(home, "distill", *options)
    assert "going on from" in capsys.readouterr().out
    again = json.loads((folder / "results.json").read_text())
    assert (again["epochs"], again["steps"]) == (whole["epochs"], whole["steps"]) != (0, 0)
    assert not (folder / "checkpoints/last.ckpt").exists()  # nothing goes on from a finished run
    first = (folder / "metrics-1.csv").read_text().count("\n")
    assert 0 < first < (folder / "metrics.csv").read_text().count("\n")  # two epochs after one


STOP_AFTER_ONE_EPOCH = """
import os, sys
from skd_lightning.taggers import Student
Student.on_train_epoch_start = lambda self: os._exit(9) if self.current_epoch == 1 else None
from skd_lightning.cli import main
main(sys.argv[1:])
"""


def test_a_loaded_tagger_predicts_with_true_confidences(home: Path) -> None:
    tagger = skd_lightning.load(home / "runs/mine/teachers/en")
    sentences = [["Anna", "met", "Leo", "in", "Lincoln", "."], [], ["Hi"]]
    predictions = tagger.predict(sentences)
    assert [len(p.tags) for p in predictions] == [6, 0, 1]
    assert all(0 < c <= 1 for p in predictions for c in p.confidences)
    assert predictions[1].probability == pytest.approx(1.0)
    transitions, start, end = tagger.scores()
    emissions = torch.from_numpy(tagger.predict_emissions(sentences[:1]))[None]
    crf = LinearChainCRF(emissions, transitions, torch.tensor([6]), start, end)
    assert predictions[0].tags == tagger.tag_set.decode(crf.viterbi()[0].tolist())
    expected = crf.marginals.gather(2, crf.viterbi()[..., None])[0, :, 0]
    assert predictions[0].confidences == pytest.approx(expected.tolist(), rel=1e-4)
    assert not tagger.training


def test_report_has_all_runs(home: Path, capsys: pytest.CaptureFixture) -> None:
    skd(home, "distill", "--loss", "none", "--seed", "4", "--trainer.max_epochs", "1")
    skd(home, "report")
    folder = home / "runs/mine/report"
    written = {path.name for path in folder.iterdir()}
    assert {
        "index.html",
        "table.md",
        "table.csv",
        "runs.csv",
        "cost.csv",
        "scores.png",
        "dev-epochs.png",
    } <= written
    assert "| none (baseline) |" in (folder / "table.md").read_text()
    assert "teachers" in capsys.readouterr().out


def test_mistakes_end_in_one_line(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    common = ["--runs", str(tmp_path / "runs"), "--task", "mine", "--data", str(home)]
    assert "no teacher for language 'de'" in refused(capsys, "distill", "--loss", "topk", *common, *QUICK)
    assert "dd" in refused(capsys, "teachers", *common, "--langs", "dd")
    assert "--model.objective.k is 0" in refused(capsys, "distill", *common, "--model.objective.k", "0")
    assert "softmax" in refused(capsys, "distill", "--loss", "token", *common, "--model.decoder", "crf")
    assert "nothing_such" in refused(capsys, "distill", *common, "--model.nothing_such", "1")
    assert "unknown command" in refused(capsys, "dance")
    assert "no finished runs" in refused(capsys, "report", "--runs", str(tmp_path), "--task", "mine")


def test_a_wrong_file_is_named_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    write_corpus(tmp_path / "mine", LANGUAGES, SIZES)
    train = tmp_path / "mine/de/train.tsv"
    good = train.read_text()
    common = [
        "teachers",
        "--runs",
        str(tmp_path / "runs"),
        "--task",
        "mine",
        "--data",
        str(tmp_path),
        "--langs",
        "de",
    ]
    for text, message in (
        (good.replace("B-LOC", "X-LOC", 1), "X-LOC"),
        ("one\n" + good, "train.tsv:1"),
        ("", "train.tsv"),
    ):
        train.write_text(text)
        assert message in refused(capsys, *common, *QUICK)
    train.write_bytes(good.encode() + b"\xff\xfe O\n")
    assert "is not utf-8" in refused(capsys, *common, *QUICK)
    assert not (tmp_path / "runs").exists()


def test_a_mistake_in_the_last_corpus_is_found_before_the_first_teacher_trains(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    write_corpus(tmp_path / "mine", LANGUAGES, SIZES)
    file = tmp_path / "mine/en/test.tsv"
    file.write_text(file.read_text() + "alone\n\n")
    place = ["--runs", str(tmp_path / "runs"), "--task", "mine", "--data", str(tmp_path)]
    assert f"{file}:" in refused(capsys, "teachers", *place, *QUICK)
    assert not (tmp_path / "runs").exists()


def test_a_damaged_teacher_is_named(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    shutil.copytree(home / "runs/mine/teachers", tmp_path / "runs/mine/teachers")
    checkpoint = tmp_path / "runs/mine/teachers/de/checkpoints/best.ckpt"
    os.truncate(checkpoint, 1000)
    common = ["distill", "--runs", str(tmp_path / "runs"), "--task", "mine", "--data", str(home), *QUICK]
    assert "best.ckpt: not a readable tagger checkpoint" in refused(capsys, *common)


def test_a_checkpoint_of_other_tags_is_refused(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    checkpoint = home / "runs/mine/teachers/de/checkpoints/best.ckpt"
    line = refused(
        capsys, "test", "--config", "experiments/teacher.yaml", "--ckpt_path", str(checkpoint),
        "--data.task", "mine", "--data.data", str(home), "--data.scheme", "iob2", "--data.languages", '["de"]',
        "--trainer.default_root_dir", str(tmp_path), *QUICK,
    )  # fmt: skip
    assert "the checkpoint was trained on the tags" in line


def test_help_of_every_command() -> None:
    for arguments in ([], ["--help"], ["--version"]):
        main(arguments)
    for command in ("demo", "teachers", "distill", "report", "fit"):
        with pytest.raises(SystemExit) as stop:
            main([command, "--help"])
        assert stop.value.code == 0


def run_skd(*arguments: str, **environment: str) -> str:
    """The command in a process of its own; its output."""
    command = [sys.executable, "-m", "skd_lightning", *arguments]
    done = subprocess.run(
        command,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout + done.stderr


def test_two_processes_share_the_work(home: Path) -> None:
    """DDP: scores count every sentence once, and the run folder is that of one process."""
    options = [
        "--loss",
        "pos_topwk",
        "--seed",
        "7",
        "--trainer.max_epochs",
        "1",
        "--runs",
        str(home / "runs"),
    ]
    options += ["--task", "mine", "--data", str(home), *QUICK]
    run_skd(
        "distill",
        *options,
        "--trainer.accelerator",
        "cpu",
        "--trainer.devices",
        "2",
        "--trainer.strategy",
        "ddp",
    )
    results = json.loads((home / "runs/mine/pos_topwk/seed7/results.json").read_text())
    corpus = {language: demo_corpus(language, SIZES)["test"] for language in LANGUAGES}
    for language, sentences in corpus.items():
        assert results["languages"][language]["sentences"] == len(sentences)
        assert results["languages"][language]["words"] == sum(len(s.words) for s in sentences)


def test_weights_and_biases_without_a_key_is_offline(home: Path, tmp_path: Path) -> None:
    options = ["--loss", "none", "--seed", "8", "--trainer.max_epochs", "1", "--runs", str(home / "runs")]
    options += ["--task", "mine", "--data", str(home), "--wandb", "trial", *QUICK]
    environment = {"HOME": str(tmp_path), "WANDB_API_KEY": "", "WANDB_SILENT": "true"}
    run_skd("distill", *options, **environment)
    assert list((home / "runs/mine/none/seed8/wandb").glob("offline-run-*"))
    assert (home / "runs/mine/none/seed8/metrics.csv").is_file()


def test_every_epoch_is_validated(home: Path) -> None:
    """Budgets cut each epoch's sentences differently; the number of batches must stay what Lightning expects."""
    skd(home, "distill", "--loss", "none", "--seed", "5", "--trainer.max_epochs", "6", "--data.tokens", "60")
    lines = (home / "runs/mine/none/seed5/metrics.csv").read_text().splitlines()
    column = lines[0].split(",").index("dev/average")
    assert sum(line.split(",")[column] != "" for line in lines[1:]) == 6


def test_a_training_ends_where_its_loss_is_no_number(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--runs", str(home / "runs"), "--task", "mine", "--data", str(home), *QUICK]
    rates = ["--model.optimization.encoder_lr", "1e38", "--model.wide", "null", "--trainer.max_epochs", "9"]
    line = refused(capsys, "distill", "--loss", "none", "--name", "exploded", *arguments, *rates)
    assert "the loss of step" in line
    assert "learning rates are encoder" in line
    assert not (home / "runs/mine/exploded/seed1/results.json").exists()


def test_a_teacher_whose_weights_are_no_numbers_teaches_nobody(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(home / "runs/mine/teachers", tmp_path / "teachers")
    file = tmp_path / "teachers/de/checkpoints/best.ckpt"
    checkpoint = torch.load(file, weights_only=True)
    checkpoint["state_dict"]["head.transitions"][0, 0] = torch.nan
    torch.save(checkpoint, file)
    arguments = ["--runs", str(tmp_path / "runs"), "--task", "mine", "--data", str(home), *QUICK]
    line = refused(capsys, "distill", "--loss", "topk", "--teachers", str(tmp_path / "teachers"), *arguments)
    assert "best.ckpt" in line
    assert "not finite: head.transitions" in line
