"""Sweeps: their files are checked, and searched on this machine."""

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import yaml
from small_corpus import write_corpus
from small_runs import refused

from skd_lightning.cli import main
from skd_lightning.cli.distill import run_of
from skd_lightning.errors import UserError
from skd_lightning.studies.sweep.file import read_sweep, trial_name
from skd_lightning.studies.sweep.space import random_trials, read_parameter
from skd_lightning.studies.sweep.trial import as_trial

FILES = sorted(Path("experiments/sweeps").glob("*.yaml"))
SWEEP = """
program: skd
method: grid
metric: {{name: dev/average, goal: maximize}}
parameters:
  model.context.hidden_size: {{values: [8, 16]}}
  patience: {{value: null}}
command: ["${{program}}", distill, --loss, none, --runs, {home}/runs, --data, {home}, --task, mine,
  --trainer.max_epochs, "2", --trainer.enable_progress_bar, "false", --wandb, trial, "${{args}}"]
"""


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """A file of two trials, and their corpus."""
    write_corpus(tmp_path / "mine", ("de", "en"), {"train": 20, "dev": 10, "test": 10})
    (tmp_path / "size.yaml").write_text(SWEEP.format(home=tmp_path))
    return tmp_path / "size.yaml"


def test_every_sweep_of_the_repository_is_understood(capsys: pytest.CaptureFixture) -> None:
    assert len(FILES) == 3
    main(["sweep-check", *map(str, FILES)])
    told = capsys.readouterr().out
    assert "all 27 trials: all are understood" in told
    assert told.count("are understood") == 3


def test_one_trial_is_said_to_be_one(sweep: Path, capsys: pytest.CaptureFixture) -> None:
    sweep.write_text(sweep.read_text().replace("[8, 16]", "[8]"))
    main(["sweep-check", str(sweep)])
    assert "the only trial is understood" in capsys.readouterr().out


def test_a_grid_is_searched_once(sweep: Path, capsys: pytest.CaptureFixture) -> None:
    main(["sweep-local", str(sweep), "--jobs", "2"])
    folder = sweep.parent / "runs/mine/sweeps/size"
    with (folder / "trials.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["model.context.hidden_size"] for row in rows} == {"8", "16"}
    scores = [float(row["dev/average"]) for row in rows]
    assert scores == sorted(scores, reverse=True)
    for row, score in zip(rows, scores, strict=True):
        with (folder / row["trial"] / "metrics.csv").open() as file:
            epochs = [float(line["dev/average"]) for line in csv.DictReader(file) if line["dev/average"]]
        assert len(epochs) == 2
        assert score == pytest.approx(max(epochs))
        config = yaml.safe_load((folder / row["trial"] / "config.yaml").read_text())
        assert config["model"]["init_args"]["context"]["init_args"]["hidden_size"] == int(
            row["model.context.hidden_size"]
        )
        assert config["patience"] is None
        assert not (folder / row["trial"] / "wandb").exists()
    assert not list((sweep.parent / "runs/mine").glob("*/*/results.json"))  # no variants of a report
    before = {file: file.stat().st_mtime_ns for file in folder.glob("*/results.json")}
    assert len(before) == 2
    capsys.readouterr()
    sweep.write_text(sweep.read_text().replace("[8, 16]", "[8, 16, 0]"))
    with pytest.raises(SystemExit):
        main(["sweep-local", str(sweep)])
    assert "--model.context.hidden_size is 0" in " ".join(capsys.readouterr().out.split())
    assert {file: file.stat().st_mtime_ns for file in folder.glob("*/results.json")} == before
    with (folder / "trials.csv").open() as file:
        assert list(csv.DictReader(file)) == rows


@pytest.mark.parametrize("change", [("dev/average", "dev/f1"), (", goal: maximize", "")], ids=str)
def test_a_local_search_refuses_what_the_check_refuses(
    sweep: Path, change: tuple[str, str], capsys: pytest.CaptureFixture
) -> None:
    text = sweep.read_text()
    assert change[0] in text
    sweep.write_text(text.replace(*change))
    assert "metric" in refused(capsys, "sweep-local", str(sweep))
    assert not (sweep.parent / "runs").exists()


def test_bayes_is_random_search_here(sweep: Path, capsys: pytest.CaptureFixture) -> None:
    sweep.write_text(sweep.read_text().replace("method: grid", "method: bayes").replace("[8, 16]", "[0]"))
    with pytest.raises(SystemExit):
        main(["sweep-local", str(sweep), "--trials", "3"])
    told = capsys.readouterr()
    assert "method bayes needs W&B's server: random search here" in told.out
    assert "random search, 1 trial\n" in told.out  # there is no second that differs
    assert "--model.context.hidden_size is 0" in " ".join(told.out.split())
    assert "1 run failed: model.context.hidden_size=0" in told.err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("patience: {value: null}", "model.hidden: {value: 1}"), "parameter model.hidden: value 1: "),
        (("[8, 16]", "[8, big]"), "parameter model.context.hidden_size: value 'big': "),
        (("[8, 16]", "[8, 0]"), "value 0: --model.context.hidden_size is 0, it must be at least 1"),
        (("patience: {value: null}", "recipe: {values: [best, worst]}"), "recipe: value 'worst': argument --recipe"),
        (("dev/average", "dev/f1"), "metric dev/f1 is not logged; there are train/loss"),
        (("dev/average", "test/average"), "choices are made on dev data"),
        ((", goal: maximize", ""), "goal is minimize (W&B's default); write maximize"),
        (("{values: [8, 16]}", "{min: 8, max: 16.5}"), "a grid needs values, not uniform"),
        (("{values: [8, 16]}", "{distribution: beta}"), "distribution 'beta' is not known here"),
        (("{values: [8, 16]}", "{parameters: {a: {value: 1}}}"), "write model.context.hidden_size.… with dots"),
        (("{values: [8, 16]}", "{min: 1e-4, max: 1}"), "YAML reads 1e-4 as a word"),
        (("distill", "fit"), "is not one of skd distill"),
        ((', "${args}"', ""), "without ${args} no parameter reaches a trial"),
        (("method: grid", "method: all"), "method is 'all'; choose one of grid, random, bayes"),
        (("program:", "programme:"), "unknown setting 'programme'"),
        (("]}", "]"), "not YAML"),
    ],
)  # fmt: skip
def test_mistakes_are_named(
    sweep: Path, change: tuple[str, str], message: str, capsys: pytest.CaptureFixture
) -> None:
    text = sweep.read_text()
    assert change[0] in text
    sweep.write_text(text.replace(*change))
    line = refused(capsys, "sweep-check", str(sweep))
    assert message in line
    assert "size.yaml: " in line


def test_an_objectives_setting_out_of_range_is_named(sweep: Path, capsys: pytest.CaptureFixture) -> None:
    text = sweep.read_text().replace("--loss, none", "--loss, topk")
    sweep.write_text(text.replace("patience: {value: null}", "model.objective.k: {min: 0, max: 3}"))
    line = refused(capsys, "sweep-check", str(sweep))
    assert "size.yaml: parameter model.objective.k: value 0: --model.objective.k is 0, it must be" in line


def test_metrics_that_a_search_may_go_by_are_logged(sweep: Path) -> None:
    from skd_lightning.studies.sweep.check import LOGGED

    home = sweep.parent
    write_corpus(home / "other", ("de",), {"train": 20, "dev": 10, "test": 10})
    where = ["--runs", str(home / "runs"), "--data", str(home), "--task", "other"]
    quick = ["--trainer.max_epochs", "1", "--trainer.enable_progress_bar", "false"]
    main(["teachers", *where, *quick])
    main(["distill", *where, *quick])
    header = (home / "runs/other/topk/seed1/metrics.csv").read_text().splitlines()[0].split(",")
    assert {*LOGGED, "dev/de/f1"} <= set(header)


def test_trials_of_the_agent_lie_apart(tmp_path: Path) -> None:
    run = run_of(["--runs", str(tmp_path), "--loss", "none"])
    assert as_trial(run, {}) is run
    folders = {as_trial(run, {"WANDB_SWEEP_ID": "s", "WANDB_RUN_ID": name}).path for name in ("a", "b")}
    assert folders == {tmp_path / "demo/sweeps/s/a", tmp_path / "demo/sweeps/s/b"}


@pytest.mark.parametrize(
    ("settings", "low", "high", "quantiles"),
    [
        ({"min": 1.0, "max": 3}, 1, 3, (1.2, 2, 2.8)),
        ({"distribution": "log_uniform_values", "min": 0.01, "max": 1}, 0.01, 1, (0.0158, 0.1, 0.631)),
        ({"distribution": "log_uniform", "min": -2, "max": 2}, *np.exp([-2, 2]), np.exp([-1.6, 0, 1.6])),
        ({"distribution": "normal", "mu": 4, "sigma": 1}, -4, 12, (2.718, 4, 5.282)),
        ({"distribution": "normal", "mu": 4, "sigma": 0.5}, -4, 12, (3.359, 4, 4.641)),
        ({"distribution": "log_normal", "mu": 0, "sigma": 1}, 0, 1e4, np.exp([-1.282, 0, 1.282])),
        ({"distribution": "log_normal", "mu": 1, "sigma": 0.5}, 0, 1e4, np.exp([0.359, 1, 1.641])),
    ],
)
def test_continuous_distributions_are_those_of_wandb(
    settings: dict, low: float, high: float, quantiles: Sequence[float]
) -> None:
    values = drawn(settings)
    assert low <= min(values) <= max(values) <= high
    assert len(set(values)) == len(values)
    np.testing.assert_allclose(np.quantile(values, (0.1, 0.5, 0.9)), quantiles, rtol=0.1)


@pytest.mark.parametrize(
    ("settings", "shares"),
    [
        ({"min": 1, "max": 9}, dict.fromkeys(range(1, 10), 1 / 9)),
        ({"distribution": "q_uniform", "min": 0, "max": 10, "q": 5}, {0: 0.25, 5: 0.5, 10: 0.25}),
        ({"distribution": "q_uniform", "min": 0, "max": 1, "q": 0.5}, {0.0: 0.25, 0.5: 0.5, 1.0: 0.25}),
        ({"distribution": "q_int_uniform", "min": 1, "max": 10, "q": 5}, {5: 0.5, 10: 0.5}),
        ({"distribution": "int_uniform", "min": -1.5, "max": 1.5}, dict.fromkeys((-1, 0, 1), 1 / 3)),
        ({"values": [1, 2, 3], "probabilities": [0.1, 0.1, 0.8]}, {1: 0.1, 2: 0.1, 3: 0.8}),
    ],
)
def test_distributions_of_few_values_are_those_of_wandb(settings: dict, shares: dict[float, float]) -> None:
    values = drawn(settings)
    assert {type(value) for value in values} == {type(value) for value in shares}
    assert {value: count / len(values) for value, count in Counter(values).items()} == pytest.approx(
        shares, abs=0.02
    )


def drawn(settings: dict) -> list[float]:
    parameter, generator = read_parameter("x", settings, "file"), np.random.default_rng(1)
    return [parameter.sample(generator) for _ in range(10_000)]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"distribution": "q_int_uniform", "min": 1, "max": 4, "q": 5},
            "no multiple of 5 lies between 1 and 4",
        ),
        ({"min": 0, "max": 10**20}, "100000000000000000001 values; take uniform for so many"),
    ],
)
def test_whole_numbers_that_cannot_be_listed_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(UserError, match=f"file: parameter x: {message}"):
        read_parameter("x", settings, "file")


def test_random_trials_differ_and_more_of_them_begin_alike() -> None:
    parameters = [
        read_parameter("x", {"values": [1, 2, 3]}, "file"),
        read_parameter("y", {"min": 0, "max": 1}, "file"),
    ]
    few, all_of_them = random_trials(parameters, 3, seed=2), random_trials(parameters, 99, seed=2)
    assert all_of_them[:3] == few
    assert len({trial_name(trial) for trial in all_of_them}) == len(all_of_them) == 6


def test_commands_are_what_the_agent_makes() -> None:
    found = read_sweep(Path("experiments/sweeps/distillation.yaml"))
    words = found.words({"model.objective.k": 5, "model.annealing.epochs": None})
    assert words[:2] == ["skd", "distill"]
    assert words[-2:] == ["--model.objective.k=5", "--model.annealing.epochs=None"]
    with pytest.raises(
        UserError, match=r"no such sweep; give a file of yours, or one of .*learning_rates\.yaml"
    ):
        read_sweep(Path("experiments/sweeps/none.yaml"))


def test_sweeps_of_the_package_are_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = read_sweep(Path("experiments/sweeps/distillation.yaml")).parameters
    monkeypatch.chdir(tmp_path)
    assert read_sweep(Path("distillation.yaml")).parameters == expected
