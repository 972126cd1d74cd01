"""Real offline runs of Weights & Biases, and what they have written."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from small_corpus import write_corpus
from test_experiment import QUICK, STOP_AFTER_ONE_EPOCH
from wandb_files import OfflineRun, offline_runs
from wandb_server import WandbServer

from skd_lightning.cli import main
from skd_lightning.display.confusion import confusion_figure
from skd_lightning.distillation.teachers import TeacherSet
from skd_lightning.run_folder import RunFolder
from skd_lightning.runs.lightning_cli import with_nulls
from skd_lightning.runs.record import Results
from skd_lightning.runs.tracking import confusion_matrices

LANGUAGES = ("de", "en")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with two teachers, a baseline and a student, all logged; German has no places."""
    folder = tmp_path_factory.mktemp("wandb")
    write_corpus(folder / "mine", LANGUAGES, {"train": 40, "dev": 20, "test": 20})
    for file in (folder / "mine/de").iterdir():
        lines = file.read_text().splitlines()
        file.write_text("\n".join(f"{line[:-5]}O" if line.endswith("-LOC") else line for line in lines))
    with pytest.MonkeyPatch.context() as patch, WandbServer("", {}) as server:
        patch.setenv("WANDB_BASE_URL", server.url)
        for name, value in {"WANDB_API_KEY": "", "WANDB_SILENT": "true", "HOME": str(folder)}.items():
            patch.setenv(name, value)
        patch.setenv("WANDB_MODE", "")  # so that it is unset again
        patch.delenv("WANDB_MODE")
        main(["teachers", *options(folder, "2")])
        main(["distill", "--loss", "none", *options(folder, "1")])
        main(["distill", "--loss", "topk", *options(folder, "2")])
        yield folder
        assert server.requests == 0  # nobody has asked for any


def options(home: Path, epochs: str) -> list[str]:
    where = ["--runs", str(home / "runs"), "--task", "mine", "--data", str(home)]
    return [*where, *QUICK, "--trainer.max_epochs", epochs, "--wandb", "trial"]


@pytest.fixture(scope="module")
def student(home: Path) -> OfflineRun:
    """The only run of the student."""
    (found,) = offline_runs(home / "runs/mine/topk/seed1")
    return found


def test_every_training_is_a_run_of_its_own(home: Path, student: OfflineRun) -> None:
    ids = set()
    for code in LANGUAGES:
        (teacher,) = offline_runs(home / "runs/mine/teachers" / code)
        told = teacher.run
        assert (told.display_name, told.run_group, told.job_type) == (code, "mine/teachers", "teacher")
        ids.add(told.run_id)
    told = student.run
    assert (told.display_name, told.run_group, told.job_type) == ("topk seed 1", "mine/topk", "student")
    assert told.project == "trial"
    assert len(ids | {told.run_id}) == 3


def test_the_configuration_is_complete(home: Path, student: OfflineRun) -> None:
    config = yaml.safe_load((home / "runs/mine/topk/seed1/config.yaml").read_text())
    assert {name: student.config[name] for name in config} == config
    assert config["model"]["init_args"]["annealing"]["start"] == 1.0


def test_curves_are_over_epochs(student: OfflineRun) -> None:
    assert student.x_axes["*"] == "epoch"
    for name in (
        "train/loss",
        "train/loss_kd",
        "train/loss_nll",
        "train/teacher_weight",
        "lr/head",
        "dev/average",
    ):
        epochs = [row["epoch"] for row in student.history if name in row]
        assert epochs == [0, 1], name
    weights = [row["train/teacher_weight"] for row in student.history if "train/teacher_weight" in row]
    assert weights == [1.0, 0.5]


def test_the_test_ends_in_scores_and_a_confusion_matrix(home: Path, student: OfflineRun) -> None:
    runs = home / "runs/mine"
    results = json.loads((runs / "topk/seed1/results.json").read_text())
    last = next(row for row in student.history if "scores.path" in row)
    table = json.loads((student.folder / "files" / last["scores.path"]).read_text())
    assert table["columns"] == ["language", "student f1", "teachers f1", "baseline f1"]
    baseline = json.loads((runs / "none/seed1/results.json").read_text())
    for row, code in zip(table["data"], LANGUAGES, strict=False):
        teacher = json.loads((runs / "teachers" / code / "results.json").read_text())
        expected = [found["languages"][code]["f1"] for found in (results, teacher, baseline)]
        assert row == [code, *map(pytest.approx, expected)]
    assert table["data"][-1][:2] == ["average", pytest.approx(results["average"])]
    with Image.open(student.folder / "files" / last["confusion.path"]) as image:
        assert image.width > 1.5 * image.height > 300  # two matrices
    dev = [row["dev/average"] for row in student.history if "dev/average" in row]
    assert student.summary["dev/average"] == pytest.approx(max(dev))
    assert any("test/average" in row for row in student.history)


def test_words_are_counted_by_gold_and_predicted_tag(home: Path) -> None:
    folder = home / "runs/mine/topk/seed1"
    results = json.loads((folder / "results.json").read_text())
    counts = np.load(RunFolder(folder).confusion)
    rows = results["languages"].values()
    assert counts.dtype == np.int64
    assert counts.sum() == sum(row["words"] for row in rows)
    assert np.trace(counts) == round(sum(row["words"] * row["accuracy"] for row in rows))
    lines = [
        line for code in LANGUAGES for line in (home / "mine" / code / "test.tsv").read_text().splitlines()
    ]
    outside = sum(line.endswith("\tO") for line in lines)
    assert counts[results["tags"].index("O")].sum() == outside  # gold on rows


def test_teachers_may_know_fewer_tags(home: Path) -> None:
    runs = home / "runs/mine"
    folder = RunFolder(runs / "topk/seed1")
    results = Results.read(folder)
    assert results is not None
    found = confusion_matrices(folder, results, TeacherSet.named(str(runs / "teachers")))
    assert list(found) == ["teachers (de en)", "student"]
    own = {code: Results.read(RunFolder(runs / "teachers" / code)).tags for code in LANGUAGES}
    assert len(own["de"]) < len(own["en"]) == len(results.tags)
    expected = np.zeros_like(found["student"])
    for code, tags in own.items():
        counts = np.load(RunFolder(runs / "teachers" / code).confusion)
        for i, gold in enumerate(tags):
            for j, predicted in enumerate(tags):
                expected[results.tags.index(gold), results.tags.index(predicted)] += counts[i, j]
    np.testing.assert_array_equal(found["teachers (de en)"], expected)
    np.testing.assert_array_equal(expected.sum(1), found["student"].sum(1))  # the same test words


def skd(home: Path, *arguments: str, code: str | None = None) -> subprocess.CompletedProcess:
    """The command in a process of its own, or ``code`` with its arguments."""
    command = [sys.executable, *(["-c", code] if code else ["-m", "skd_lightning"]), *arguments]
    environment = {**os.environ, "HOME": str(home), "WANDB_API_KEY": "", "WANDB_SILENT": "true"}
    environment.pop("WANDB_SERVICE", None)  # else it would report through this process
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )


def test_a_resumed_training_goes_on_in_its_run(home: Path) -> None:
    arguments = ["distill", "--loss", "none", "--seed", "2", *options(home, "2")]
    done = skd(home, *arguments, code=STOP_AFTER_ONE_EPOCH)
    assert done.returncode == 9, done.stderr
    folder = home / "runs/mine/none/seed2"
    stored = torch.load(folder / "checkpoints/last.ckpt", weights_only=True)["wandb_run_id"]
    done = skd(home, *arguments)
    assert done.returncode == 0, done.stderr
    assert "going on from" in done.stdout
    first, second = offline_runs(folder)
    assert first.folder.name.endswith(f"-{stored}")  # killed before its file was written
    assert second.run.run_id == stored
    assert [row["epoch"] for row in second.history if "dev/average" in row] == [0, 1]


def test_two_processes_are_one_run(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ddp = ["--trainer.accelerator", "cpu", "--trainer.devices", "2", "--trainer.strategy", "ddp"]
    done = skd(home, "distill", "--loss", "none", "--seed", "3", *options(home, "1"), *ddp)
    assert done.returncode == 0, done.stderr
    folder = home / "runs/mine/none/seed3"
    (found,) = offline_runs(folder)
    assert found.run.display_name == "none seed 3"
    assert not list(tmp_path.iterdir())
    results = json.loads((folder / "results.json").read_text())
    assert np.load(RunFolder(folder).confusion).sum() == sum(
        row["words"] for row in results["languages"].values()
    )


def test_a_single_small_matrix_can_be_drawn() -> None:
    picture = confusion_figure(["O", "B-A"], {"student": np.array([[5, 0], [0, 0]])})
    assert picture.startswith(b"\x89PNG")


def test_none_is_null_wherever_it_stands() -> None:
    arguments = ["--a.b=None", "--c", "None", "--d=3", "--e.f", "null", "--g", "Nonesuch", "None"]
    expected = ['--config={"a": {"b": null}}', '--config={"c": null}', "--d=3", '--config={"e": {"f": null}}']
    assert with_nulls(arguments) == [*expected, "--g", "Nonesuch", "None"]
