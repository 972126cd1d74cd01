"""The paper's own suites run to the end: their files as they are, small stand-ins for the models, made-up corpora."""

from __future__ import annotations

import contextlib
import csv
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import yaml
from small_paper import HAS_FLAIR, SIZES, STAND_IN, WRITERS, write_models

from skd_lightning.analysis import paper
from skd_lightning.cli import main
from skd_lightning.data import tasks
from skd_lightning.runs.configurations import experiments
from skd_lightning.runs.jobs import Job
from skd_lightning.runs.record import Results, ZeroshotResults
from skd_lightning.studies import suite
from skd_lightning.studies.suite_file import read_suite

PAPER = (experiments() / "paper").resolve()
SUITES = sorted(file.name for file in PAPER.glob("*.yaml") if "variants:" in file.read_text())
SMALLER = {
    "trainer.max_epochs": 1,
    "model.context.hidden_size": 8,
    "trainer.enable_progress_bar": False,
    "trainer.accelerator": "cpu",
}
"""Options of all runs, teachers and students, behind those of the suites."""

ROWS = {"softmax", "token", "none", "emission", "topk", "topwk", "posterior", "pos_topwk", "teachers"}
TRANSFERRED = {"none", "emission", "posterior", "pos_topwk", "best teacher"}
SHOWN = {
    ("tables_2_3_4.yaml", "conll"): {
        "paper": ("Table 2", "en nl es de", ROWS),
        "paper-zeroshot": ("Table 5", "ta eu he id fa sl fr", TRANSFERRED),
        "paper-zeroshot-2": (
            "Table 9",
            "ar be da el eo et fi gl hr hu hy kk ko lt ms no pl pt ro ru sk sv tr uk vi zh",
            TRANSFERRED,
        ),
    },
    ("tables_2_3_4.yaml", "absa"): {"paper": ("Table 2", "tr es nl en ru", ROWS)},
    ("tables_2_3_4.yaml", "wikiann"): {"paper": ("Table 3", "en ta eu he id fa sl fr", ROWS)},
    ("tables_2_3_4.yaml", "upos"): {
        "paper": ("Table 4", "en he ja sl fr id fa ta", ROWS),
        "paper-zeroshot": (
            "Table 10",
            "ar bg ca cs da de es eu fi hi hr it ko nl no pl pt ro ru sk sr sv tr zh",
            TRANSFERRED,
        ),
    },
    ("figure_2.yaml", "conll"): {"paper": ("Table 2", "en nl es de", {"none", "teachers"})},
    ("table_7.yaml", "conll"): {"paper": ("Table 7", "en nl es de", {"none", "posterior", "teachers"})},
    ("table_8.yaml", "conll"): {"paper-time": ("Table 8", "", {"emission", "topwk", "posterior"})},
}
"""The paper's tables beside the report of each suite and task: file, table, languages, systems at least."""


def run_here(phases: Sequence[Sequence[Job]], at_once: int) -> None:
    """Run the jobs of a suite in this process, which imports and compiles but once: a second for each."""
    for job in (job for phase in phases for job in phase):
        job.log.parent.mkdir(parents=True, exist_ok=True)
        with job.log.open("w") as log, contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
            main([*job.command])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A working folder in which the suites find all that they name; sizes and seeds alone are changed."""
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
            settings = yaml.safe_load((PAPER / name).read_text())
            for section in ("options", "teachers", "students"):
                settings[section] = {**settings.get(section, {}), **SMALLER}
            (folder / "paper" / name).write_text(yaml.safe_dump({**settings, "seeds": [1]}, sort_keys=False))
            for task, own in read_suite(PAPER / name).tasks.items():
                needed[task] |= {*(own.languages or ())}
                needed[own.zeroshot_task or task] |= {*own.zeroshot}
                taught |= {*(own.languages or ())}
        for task, languages in needed.items():
            for language in sorted(languages):
                WRITERS[task](folder / "data" / task, language, SIZES)
        write_models(folder, sorted(taught))
        yield folder
        if not HAS_FLAIR:  # other tests look for the library, and would find what stands in for it
            for imported in [name for name in sys.modules if name.partition(".")[0] == "flair"]:
                del sys.modules[imported]


@pytest.mark.slow
@pytest.mark.parametrize("name", SUITES)
def test_a_suite_of_the_paper_runs_to_the_end(
    home: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """All teachers, students and transfers of each task are there, and the report has the paper's tables."""
    main(["suite", f"paper/{name}", "--data", "data"])
    wanted = read_suite(Path("paper") / name)
    for task, own in wanted.tasks.items():
        assert own.languages
        runs = suite.planned_runs(wanted, task, "data")
        assert len(runs) == len(own.languages) + len(wanted.variants)
        for run in runs:
            results = Results.read_or_refuse(run.folder)
            assert results is not None
            assert list(results.languages) == (own.languages if run.role == "student" else [run.path.name])
            assert all(row.sentences for row in results.languages.values())
            found = ZeroshotResults.read(run.folder.zeroshot)
            assert set(found.languages if found else ()) == set(own.zeroshot) - set(results.languages)
        main(["report", "--runs", str(wanted.runs), "--task", task, "--out", f"{name}/{task}"])
        capsys.readouterr()
        page = (home / name / task / "table.md").read_text()
        for file, (table, languages, systems) in SHOWN[name, task].items():
            assert f"{table} of the paper" in page
            rows = list(csv.DictReader((home / name / task / f"{file}.csv").open()))
            assert {row["system"] for row in rows} >= systems
            assert {row["language"] for row in rows if languages} == {*languages.split()}
            assert all(row["ours"] and row["paper"] for row in rows)


@pytest.mark.parametrize("name", SUITES)
def test_a_suite_states_its_cost(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = read_suite(PAPER / name)
    count = sum(len(suite.planned_runs(wanted, task)) for task in wanted.tasks)
    assert re.search(rf"^# Cost: {count} trainings", (PAPER / name).read_text(), re.MULTILINE)


def test_the_papers_languages_are_all_there() -> None:
    """Some are trained, some are tested without training; of treebanks, the hub's names are known."""
    wanted, printed = read_suite(PAPER / "tables_2_3_4.yaml"), paper.load()
    for task, own in wanted.tasks.items():
        for kind, languages in (("scores", own.languages or []), ("zeroshot", own.zeroshot)):
            of_paper = {language for table in printed.find_all(task, kind) for language in table.rows["none"]}
            assert set(languages) == of_paper - {"average"}
    hub, own = tasks.entry("upos").hub, wanted.tasks["upos"]
    assert hub is not None
    assert {*(own.languages or ()), *own.zeroshot} <= {*hub.places}
