"""The key of a run holds everything that changes what is learned, and nothing else."""

from pathlib import Path

import pytest

from skd_lightning.errors import UserError
from skd_lightning.run_folder import KEY, RunFolder
from skd_lightning.runs.plan import Plan
from skd_lightning.runs.run import Run
from skd_lightning.runs.work_as_json import from_json, to_json


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A folder with teachers of two languages, and another set of them made with other settings."""
    for name in ("runs/demo/teachers", "runs/demo/same", "runs/demo/other"):
        for language in ("de", "en"):
            folder = RunFolder(tmp_path / name / language)
            folder.path.mkdir(parents=True)
            folder.config.write_text(f"{KEY}{'other' if 'other' in name else language}\n")
    return tmp_path / "runs"


def student(runs: Path, *options: str, loss: str = "topk") -> Run:
    return Plan(runs, "demo", languages=["de", "en"], options=options).student(loss, seed=1)


@pytest.mark.parametrize(
    "options",
    [
        ["--trainer.enable_progress_bar", "false"],
        ["--data.workers", "2"],
        ["--threads", "1"],
        ["--wandb", "project"],
        ["--distillation.cache", "elsewhere"],
        ["--distillation.outside", "true"],
        [
            "--trainer.gradient_clip_val",
            "5.0",
            "--data.exponent",
            "1.0",
            "--model.constrain",
            "true",
        ],  # defaults
        ["--model.objective.k", "5", "--model.context.hidden_size", "128"],  # those of classes, too
    ],
)
def test_what_changes_nothing(runs: Path, options: list[str]) -> None:
    assert student(runs, *options).parse().key() == student(runs).parse().key()


@pytest.mark.parametrize(
    "options",
    [
        ["--distillation.precision", "float32"],
        ["--distillation.teachers", "{runs}/demo/other"],
        ["--model.objective.k", "4"],
        ["--model.context.hidden_size", "64"],
        ["--model.context", "NoContext"],
        ["--trainer.max_epochs", "7"],
        ["--data.seed", "2"],
        ["--compile", "true"],
    ],
)
def test_what_changes_the_training(runs: Path, options: list[str]) -> None:
    words = [word.format(runs=runs) for word in options]
    assert student(runs, *words).parse().key() != student(runs).parse().key()


def test_files_of_settings_do_not_change_what_the_folder_says(runs: Path, tmp_path: Path) -> None:
    """Language, seed and task are in the run's name; other options count more than a file wherever they stand."""
    file = tmp_path / "settings.yaml"
    file.write_text(
        "seed_everything: 7\ndata: {languages: [fi], seed: 7, exponent: 0.5}\ntrainer: {max_epochs: 9}\n"
    )
    words = ("--trainer.max_epochs", "3", "--config", str(file))
    for run, languages in (
        (Plan(runs, "demo", languages=["de", "en"], options=words).student("none", seed=2), ["de", "en"]),
        (Plan(runs, "demo", options=words).teacher("de"), ["de"]),
        (Plan(runs, "demo", options=words).student("none", seed=2), ["fi"]),
    ):
        config = run.parse().cli.config
        assert config.data.languages == languages
        assert (config.trainer.max_epochs, config.data.exponent) == (3, 0.5)
        if run.role == "student":
            assert (config.seed_everything, config.data.seed) == (2, 2)
    file.write_text("data: {task: uner}\n")
    with pytest.raises(UserError, match=r"--config sets the task uner, the command demo: give --task uner"):
        Plan(runs, "demo", options=words).student("none", seed=2).parse()


def test_teachers_count_by_their_own_settings(runs: Path) -> None:
    """The same teachers in another folder are the same; the baseline has none."""
    moved = ("--distillation.teachers", str(runs / "demo/same"))
    other = ("--distillation.teachers", str(runs / "demo/other"))
    assert student(runs, *moved).parse().key() == student(runs).parse().key()
    assert student(runs, *other, loss="none").parse().key() == student(runs, loss="none").parse().key()
    assert student(runs, loss="none").parse().key() != student(runs).parse().key()


def test_a_run_survives_being_written_down(runs: Path) -> None:
    run = student(runs, "--data.sample", '{"de": 20}')
    assert from_json(Run, to_json(run)) == run


OWN = """
from skd_lightning.distillation.objectives import TopK

class Reverse(TopK):
    pass
"""


def test_a_run_is_not_recorded_under_the_name_of_another_objective(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for loss, other in (("topk", "Posterior"), ("structural", "TopK"), ("none", "TopK"), ("topk", "null")):
        with pytest.raises(UserError, match=f"and --loss {loss}: give --loss (posterior|topk|none) alone"):
            student(runs, "--model.objective", other, loss=loss).parse()
    student(runs, "--model.objective", "TopK", "--model.objective.k", "3").parse()

    for module in ("reverse_loss", "skd_lightning_reverse"):
        (tmp_path / f"{module}.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    own = ("--model.objective", "reverse_loss.Reverse")
    for loss in ("topk", "none"):
        with pytest.raises(UserError, match="a class of your own: give its run a --name"):
            student(runs, *own, loss=loss).parse()
    for module in ("reverse_loss", "skd_lightning_reverse"):  # the latter only begins like the package
        options = ("--model.objective", f"{module}.Reverse")
        named = Plan(runs, "demo", languages=["de", "en"], options=options).student("topk", 1, "reverse")
        assert f"{module}.Reverse" in named.parse().text
