"""Whatever a command dies of, and wherever: the same command goes on to the same weights, scores and report."""

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from small_corpus import write_corpus
from small_runs import SMALL

from skd_lightning.storage import LOCK

pytestmark = pytest.mark.slow

LANGUAGES = ("de", "en")
SIZES = {"train": 40, "dev": 10, "test": 10}
QUICK = [*SMALL, "--trainer.max_epochs", "2", "--data.tokens", "100"]

TAGGER = "skd_lightning.taggers.tagger:Tagger."
CACHE = "skd_lightning.distillation.cache.answers:"
TEACHERS: dict[str, list[Any]] = {
    "before the first step": [TAGGER + "on_train_batch_start", 1, "SIGKILL"],
    "first epoch": [TAGGER + "on_train_batch_start", 3, "SIGKILL"],
    "second epoch": [TAGGER + "on_train_batch_start", 9, "SIGKILL"],
    "asked to stop": [TAGGER + "on_train_batch_start", 9, "SIGTERM"],
    "interrupted": [TAGGER + "on_train_batch_start", 3, "SIGINT"],
    "dev scores": [TAGGER + "on_validation_epoch_end", 2, "SIGKILL"],
    "a checkpoint that is half there": ["os:fsync", 4, "SIGKILL"],
    "provenance": ["skd_lightning.runs.provenance:write", 1, "SIGKILL"],
    "test": [TAGGER + "test_step", 1, "SIGKILL"],
    "test, asked to stop": [TAGGER + "on_test_epoch_end", 1, "SIGTERM"],
    "results": ["skd_lightning.runs.record:write_text", 1, "SIGKILL"],
    "between teachers": ["skd_lightning.runs.execution:train", 2, "SIGKILL"],
    "second teacher": [TAGGER + "on_validation_epoch_end", 3, "SIGKILL"],
    "full disk": ["os:fsync", 5, "full disk"],
    "files that must not grow": ["file size", 100_000],
}
STUDENT: dict[str, list[Any]] = {
    "first prediction": [TAGGER + "predict_emissions", 1, "SIGKILL"],
    "second prediction": [TAGGER + "predict_emissions", 2, "SIGKILL"],
    "prediction, asked to stop": [TAGGER + "predict_emissions", 2, "SIGTERM"],
    "emissions half written": ["numpy:save", 2, "SIGKILL"],
    "emissions written, not in place": ["skd_lightning.storage:os.replace", 4, "SIGKILL"],
    "paths": [CACHE + "_best_of_mixture", 1, "SIGKILL"],
    "paths half written": ["numpy:save", 6, "SIGKILL"],
    "no room for the cache": ["numpy:save", 3, "full disk"],
    "first epoch": [TAGGER + "on_train_batch_start", 5, "SIGKILL"],
    "second epoch": [TAGGER + "on_train_batch_start", 14, "SIGKILL"],
    "asked to stop": [TAGGER + "on_train_batch_start", 14, "SIGTERM"],
    "dev scores": [TAGGER + "on_validation_epoch_end", 1, "SIGKILL"],
    "no room for a checkpoint": ["os:fsync", 6, "full disk"],
    "counts": ["skd_lightning.runs.record:new_folder", 1, "SIGKILL"],
    "the table": ["skd_lightning.report.write:print_scores", 1, "SIGKILL"],
    "the report": ["skd_lightning.report.write:make_sections", 1, "SIGKILL"],
    "a file of the report": ["skd_lightning.report.write:new_file", 3, "SIGKILL"],
    "a file of the report that is half there": ["os:fsync", 14, "SIGKILL"],
}
RARE = {
    "teachers: first epoch", "teachers: dev scores", "teachers: provenance", "teachers: test",
    "teachers: test, asked to stop", "teachers: second teacher", "teachers: files that must not grow",
    "student: first prediction", "student: paths", "student: first epoch", "student: dev scores",
    "student: no room for a checkpoint", "student: the table", "student: the report", "student: a file of the report",
}  # fmt: skip
"""Points that are like another one: make test-all tries them too."""
POINTS = {
    f"{phase}: {name}": trap
    for phase, all in (("teachers", TEACHERS), ("student", STUDENT))
    for name, trap in all.items()
}
GRACEFUL = {"teachers: asked to stop": 143, "student: asked to stop": 143, "teachers: interrupted": 130}


def commands(home: Path, runs: Path) -> list[list[str]]:
    where = ["--runs", str(runs), "--task", "mine"]
    return [
        ["demo", *where, "--data", str(home), "--losses", "topwk", *QUICK],
        ["report", *where],
    ]


@pytest.fixture(scope="module")
def outcome(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, tuple[int, int]]]:
    """The folder of all runs, and how the killed command and the next one ended at each point that is to be tried."""
    home = tmp_path_factory.mktemp("killed")
    write_corpus(home / "mine", LANGUAGES, SIZES)
    _run([["whole", None, commands(home, home / "whole"), str(home / "whole.txt")]])
    jobs = []
    mine = (item for item in request.session.items if isinstance(item, pytest.Function))
    for point in (item.callspec.params["point"] for item in mine if item.module is request.module):
        if point.startswith("student"):  # the teachers are there
            shutil.copytree(home / "whole/mine/teachers", home / point / "mine/teachers")
        jobs.append([point, POINTS[point], commands(home, home / point), str(home / f"{point}.txt")])
    with ThreadPoolExecutor(2) as pool:
        ends = [end for half in pool.map(_run, (jobs[::2], jobs[1::2])) for end in half]
    return home, {name: (first, second) for name, first, second in ends}


def _run(jobs: list[list[Any]]) -> list[list[Any]]:
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("killed_runs.py"))],
        input=json.dumps(jobs),
        env={**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def _weights(run: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = torch.load(run / "checkpoints/best.ckpt", weights_only=True)[
        "state_dict"
    ]
    return found


@pytest.mark.parametrize(
    "point",
    [pytest.param(point, marks=[pytest.mark.exhaustive] if point in RARE else []) for point in POINTS],
)
def test_the_same_command_goes_on(outcome: tuple[Path, dict[str, tuple[int, int]]], point: str) -> None:
    home, ends = outcome
    first, second = ends[point]
    log = (home / f"{point}.txt").read_text()
    if point in GRACEFUL:
        assert first == GRACEFUL[point], log
        assert "the same command goes on from here" in log
        assert "going on from" in log
    elif "room" in point or "disk" in point or "grow" in point:
        assert first == 2, log
        assert "make room, and the same command goes on" in log
        assert "Traceback" not in log
    else:
        assert first in (-9, -15), log  # the signal was what ended it
    assert second == 0, log
    for run in ("teachers/de", "teachers/en", "topwk/seed1"):
        whole, again = home / "whole/mine" / run, home / point / "mine" / run
        expected, found = _weights(whole), _weights(again)
        assert all(torch.equal(value, found[name]) for name, value in expected.items()), run
        scores = [json.loads((folder / "results.json").read_text()) for folder in (whole, again)]
        assert scores[0]["languages"] == scores[1]["languages"]
        assert (scores[0]["epochs"], scores[0]["steps"]) == (scores[1]["epochs"], scores[1]["steps"])
    report = [(folder / "mine/report/table.csv").read_text() for folder in (home / "whole", home / point)]
    assert report[0] == report[1]
    left_over = [path for path in (home / point).rglob(".*") if path.name != LOCK]
    assert not left_over
