"""The paper's own suites run to the end: their files as they are, small stand-ins for the models, made-up corpora."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import pytest
import yaml
from small_paper import HAS_FLAIR, SIZES, STAND_IN, WRITERS, write_models

from skd_lightning.analysis import paper
from skd_lightning.cli import main
from skd_lightning.runs.configurations import experiments
from skd_lightning.runs.jobs import Job
from skd_lightning.studies import suite
from skd_lightning.studies.suite import Suite, planned_runs, read_suite

PAPER = (experiments() / "paper").resolve()
SETTINGS = ("student.yaml", "teacher.yaml")
SUITES = sorted(file.stem for file in PAPER.glob("*.yaml") if file.name not in SETTINGS)
SMALLER = {"trainer.max_epochs": 1, "trainer.enable_progress_bar": False, "trainer.accelerator": "cpu"}


def run_here(phases: Sequence[Sequence[Job]], at_once: int) -> None:
    """Run the jobs of a suite in this process, which has imported and compiled everything: a second for each."""
    for job in (job for phase in phases for job in phase):
        if not job.finished():
            job.log.parent.mkdir(parents=True, exist_ok=True)
            with job.log.open("w") as log, contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
                main([*job.command])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A working folder in which the suites find all that they name."""
    folder = tmp_path_factory.mktemp("paper")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("FLAIR_CACHE_ROOT", str(folder / "flair-models"))
        patch.setattr(suite, "run_jobs", run_here)
        if not HAS_FLAIR:
            patch.syspath_prepend(STAND_IN)
        shutil.copytree(PAPER, folder / "paper")
        needed: dict[str, set[str]] = {task: set() for task in WRITERS}
        taught: set[str] = set()
        for name in SUITES:
            settings = yaml.safe_load((PAPER / f"{name}.yaml").read_text())
            settings["seeds"] = [1]
            settings["options"] = {**settings.get("options", {}), **SMALLER}
            (folder / f"paper/{name}.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
            wanted = suite.read_suite(PAPER / f"{name}.yaml")
            for task, own in wanted.tasks.items():
                needed[task] |= {*(own.languages or ())}
                needed[own.zeroshot_task or task] |= {*own.zeroshot}
                taught |= {*(own.languages or ())}
        for task, languages in needed.items():
            for language in sorted(languages):
                WRITERS[task](folder / "data" / task, language, SIZES)
        write_models(folder, sorted(taught))
        yield folder


@pytest.mark.slow
@pytest.mark.parametrize("name", SUITES)
def test_a_suite_of_the_paper_runs_to_the_end(home: Path, name: str, capsys: Any) -> None:
    main(["suite", f"paper/{name}.yaml", "--data", "data"])
