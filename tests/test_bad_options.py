"""Bad options, names, configurations and trainings: one line each, exit status 2, nothing written, nothing trained."""

import inspect
import re
import typing
from pathlib import Path

import pytest
from bad_options import QUICK, cases, make_home
from small_runs import SMALL, refused

from skd_lightning.cli import main
from skd_lightning.cli.main import BUG
from skd_lightning.data.module import TaggingData
from skd_lightning.distillation.annealing import Annealing
from skd_lightning.distillation.callback import DistillationCallback
from skd_lightning.distillation.objectives import Objective
from skd_lightning.encoders import Context, Embedder
from skd_lightning.errors import UserError
from skd_lightning.parsing import read_yaml
from skd_lightning.run_folder import RunFolder
from skd_lightning.runs import execution
from skd_lightning.runs.option_ranges import RANGES, refuse_out_of_range
from skd_lightning.runs.preconditions import refuse_before_first_score
from skd_lightning.runs.record import Results
from skd_lightning.taggers.optimization import Optimization
from skd_lightning.taggers.wide import Wide


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_home(tmp_path_factory.mktemp("bad") / "home")


def written(home: Path) -> list[Path]:
    """Everything that a command wrote beside the corpora, in the folder of runs or above it."""
    return [path for path in home.parent.rglob("*") if "lock" not in path.name]


def test_each_is_refused_with_one_line(
    home: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table rather than a test each: collecting and setting up hundreds of tests takes longer than they do."""

    def trained(*_: object) -> None:
        raise AssertionError("a training began")

    monkeypatch.setattr(execution, "_fit_and_test", trained)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("SKD_DATA", raising=False)
    before, short = written(home), []
    for words, expected in cases(home):
        try:
            line = refused(capsys, *words)
            if expected not in line or not line.isprintable():
                short.append(f"{words}: said '{line}', expected '{expected}'")
        except BaseException as error:
            short.append(f"{words}: {type(error).__name__} {str(error)[:200]}")
    assert not short, "\n".join(short)
    assert written(home) == before


def test_every_number_that_an_option_takes_has_a_range() -> None:
    """So that a new option is not forgotten; those of Lightning's trainer are looked at by name."""
    parts: list[tuple[str, type]] = [("data", TaggingData), ("distillation", DistillationCallback)]
    bases = (Embedder, Context, Objective, Wide, Optimization, Annealing)
    parts += [
        ("model", made)
        for base in bases
        for made in [base, *subclasses(base)]
        if not inspect.isabstract(made)
    ]
    missing = []
    for section, made in parts:
        for name, hint in typing.get_type_hints(made.__init__).items():
            if re.search(r"\b(int|float)\b", str(hint)) and f"{section}.{name}" not in RANGES:
                missing.append(f"{made.__name__}: {section}.{name}")
    assert not missing


def subclasses(base: type) -> list[type]:
    inside = [child for child in base.__subclasses__() if child.__module__.startswith("skd_lightning")]
    return [found for child in inside for found in (child, *subclasses(child))]


@pytest.mark.parametrize("settings", [{"data": {"tokens": 1}}, {"trainer": {"limit_val_batches": 1.0}}])
def test_what_is_in_range_stays(settings: dict) -> None:
    refuse_out_of_range(settings)


TRAINER = {
    "limit_train_batches": None,
    "val_check_interval": None,
    "check_val_every_n_epoch": 1,
    "max_steps": -1,
    "accumulate_grad_batches": 1,
}


@pytest.mark.parametrize(
    ("settings", "first"),
    [
        ({}, 12),
        ({"accumulate_grad_batches": 5}, 3),
        ({"check_val_every_n_epoch": 3}, 36),
        ({"limit_train_batches": 5}, 5),
        ({"limit_train_batches": 0.5}, 6),
        ({"val_check_interval": 5}, 5),
        ({"val_check_interval": 0.25}, 3),
        ({"val_check_interval": 5, "accumulate_grad_batches": 2}, 3),
    ],
)
def test_a_training_ends_after_its_first_validation(settings: dict, first: int) -> None:
    """An epoch has 12 batches."""
    refuse_before_first_score({**TRAINER, **settings, "max_steps": first}, 12)
    with pytest.raises(UserError, match=f"after step {first}: give at least {first}"):
        refuse_before_first_score({**TRAINER, **settings, "max_steps": first - 1}, 12)


def test_yaml_as_people_write_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "some.yaml"
    file.write_bytes("\ufeffa: &a [1, {b: é}]\nc: *a\n".encode())
    assert read_yaml(file) == {"a": [1, {"b": "é"}], "c": [1, {"b": "é"}]}


def test_more_paths_than_memory_holds(home: Path, capsys: pytest.CaptureFixture) -> None:
    words = "fit --config experiments/student.yaml --model.objective TopK --model.objective.k 100000 --data.task mine"
    line = refused(
        capsys, *words.split(), "--data.data", str(home), "--trainer.default_root_dir", str(home / "out")
    )
    assert re.search(r"k is 100000: the best sequences of .* take [\d,]+ GiB, this machine has [\d,]+", line)


def test_what_stops_after_training_began_is_a_bug(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise IndexError("7")

    monkeypatch.setattr(execution, "_fit_and_test", broken)
    words = f"distill --loss none --task mine --data {home} --runs {tmp_path}"
    with pytest.raises(SystemExit) as stop:
        main([*words.split(), *QUICK.split()])
    assert stop.value.code == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[-2:] == ["IndexError: 7", BUG.strip()]


def test_steps_alone_bound_a_training_and_a_language_without_test_sentences_is_trained(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "few/de").mkdir(parents=True)
    (tmp_path / "few/de/train.tsv").write_text("Anna\tB-PER\n\nBerlin\tB-LOC\n")
    options = f"--data {tmp_path} --task few --runs {tmp_path}/runs {' '.join(SMALL)}"
    main([*"distill --loss none --trainer.max_epochs -1 --trainer.max_steps 3".split(), *options.split()])
    said = " ".join(capsys.readouterr().out.split())
    assert "de: no test sentences; it is not tested" in said
    assert "baseline seed 1: not tested" in said or "none seed 1: not tested" in said
    results = Results.read(RunFolder(tmp_path / "runs/few/none/seed1"))
    assert results is not None
    assert (results.steps, results.languages["de"].sentences) == (3, 0)
