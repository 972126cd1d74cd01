"""Settings from anybody: files of YAML and JSON, options and command lines are understood, or refused in one line."""

from __future__ import annotations

import argparse
import inspect
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from bad_files import CONTENTS, KEYS, READERS
from fuzzing import ODD, attempt, changed, spoiled, tries
from hypothesis import example, given
from hypothesis import strategies as st
from made_up_runs import calibration, counts, results
from small_corpus import write_corpus

from skd_lightning.analysis.finished import read_run
from skd_lightning.cli.commands import COMMANDS
from skd_lightning.distillation.callback import DistillationCallback
from skd_lightning.distillation.teachers import TeacherSet
from skd_lightning.errors import UserError, one_line
from skd_lightning.run_folder import RunFolder
from skd_lightning.runs.lightning_cli import TaggingCLI
from skd_lightning.runs.option_ranges import RANGES
from skd_lightning.runs.record import PeerResults, Results, ZeroshotResults
from skd_lightning.runs.run import Run
from skd_lightning.runs.work_as_json import from_json, to_json
from skd_lightning.studies.suite import run_suite
from skd_lightning.studies.suite_file import read_suite
from skd_lightning.studies.sweep.file import read_sweep
from skd_lightning.studies.sweep.space import grid_size, random_trials
from skd_lightning.studies.zeroshot import ZeroshotTest

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
STUDENT = str(EXPERIMENTS / "student.yaml")


def plain(file: Path) -> Any:
    return yaml.safe_load(file.read_text())


TABLES = {"de": counts(np.random.default_rng(1), 9, 1.0, "f1", "de")}
RESULTS = results(TABLES, "f1", task="mine", role="student", loss="topk", seed=1)
SUITE = {
    "title": "t", "runs": "runs", "recipe": None, "seeds": [1], "options": {"data.tokens": 100},
    "tasks": {"mine": {"languages": ["de"], "zeroshot": ["en"], "options": {"data.eval_tokens": 9}}},
    "variants": {"topk2": {"loss": "topk", "recipe": None, "model.objective.k": 2}},
    "teachers": {"trainer.max_epochs": 1}, "students": {},
}  # fmt: skip
TREES: dict[str, list[Any]] = {
    "suite.yaml": [SUITE, plain(EXPERIMENTS / "suites/wikiann.yaml")],
    "sweep.yaml": [plain(file) for file in sorted((EXPERIMENTS / "sweeps").glob("*.yaml"))],
    "teachers.yaml": [
        {"en": "runs/a", "de": "en", "*": ["runs/b", "hf:x/y"], "tags": {"PERSON": "PER", "MISC": "O"}},
        {
            "en": {"product": ["runs/a", "de"], "weights": [0.5, 0.5]},
            "de": {"model": "hf:a/b", "pieces": "mean"},
        },
        {"en": {"folds": ["runs/a", "runs/b"], "unlabelled": "runs/c"}, "fr": "en", "*": {"mixture": ["en"]}},
    ],
    "config.yaml": [{"data": {"text_only": ["en"], "tokens": 1}}],
    "results.json": [RESULTS, {**RESULTS, "asked": ["en"]}, {**RESULTS, "role": "peer"}],
    "provenance.json": [{"torch": "2", "code": "0123"}],
    "calibration.json": [{"languages": {"de": calibration(TABLES["de"], "f1", 1.0)}}],
}
"""Well-formed contents of each file."""


def files_of(name: str) -> st.SearchStrategy[bytes]:
    """Draw contents: trees with other values, texts with other bytes, and those of the tables."""
    trees = st.one_of(*map(changed, TREES[name]))
    texts = [json.dumps(tree).encode() for tree in TREES[name]]
    rows = [text.encode() for other, text, _ in KEYS if other == name]
    if name.endswith(".yaml"):
        texts += [yaml.safe_dump(tree, allow_unicode=True).encode() for tree in TREES[name]]
    words = (
        b"&a ",
        b"*a",
        b"!!python/name:os.system ",
        b"!!binary ",
        b"<<: ",
        b"- ",
        b": ",
        b"? ",
        b"|\n",
        b"2024-01-01",
    )
    return (
        trees.map(lambda tree: json.dumps(tree).encode())
        | spoiled([*texts, *rows, *CONTENTS.values()], words)
        | st.binary(max_size=60)
    )


FILES = st.one_of(*(st.tuples(st.just(name), files_of(name)) for name in TREES))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a corpus; the working folder, for names that lead nowhere."""
    folder = tmp_path_factory.mktemp("settings")
    write_corpus(folder / "mine", ("de", "en"), {"train": 5, "dev": 2, "test": 2})
    return folder


@pytest.fixture(autouse=True)
def _offline(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@tries(200)
@given(file=FILES)
def test_a_file_that_is_read_back(file: tuple[str, bytes], home: Path) -> None:
    name, content = file
    (home / name).write_bytes(content)
    if attempt(lambda: READERS[name](home / name)) is None:
        return
    if name == "sweep.yaml":
        sweep = read_sweep(home / name)
        assert grid_size(sweep.parameters) != 0
        for trial in random_trials(sweep.parameters, 3, 1):
            attempt(lambda trial=trial: sweep.arguments(trial))  # type: ignore[misc]
    elif name == "teachers.yaml":
        teachers = TeacherSet.named(str(home / name))
        for language in ("en", "de", "fr", "*"):
            attempt(lambda language=language: teachers.pools(language))  # type: ignore[misc]
        attempt(lambda: teachers.require(["en", "de", "fr"]))
    elif name == "results.json":
        notes: list[str] = []
        read_run(home / name, home, notes)
        for kind in (Results, PeerResults, ZeroshotResults):
            attempt(lambda kind=kind: kind.read_or_refuse(RunFolder(home)))  # type: ignore[misc]
        assert all(note and len(note.splitlines()) == 1 for note in notes)


@tries(6)
@given(content=changed(SUITE).map(lambda tree: json.dumps(tree).encode()))
def test_a_suite_is_planned(content: bytes, home: Path) -> None:
    (home / "suite.yaml").write_bytes(content)
    attempt(lambda: run_suite(read_suite(home / "suite.yaml"), str(home), 1, dry_run=True))


VALUES = (
    st.sampled_from(ODD).map(json.dumps)
    | st.text(st.characters(codec=None), max_size=9)
    | st.sampled_from(
        ["None", ".nan", "1e5", "[", "{", "[1, 'a']", "{a: b}", "!!python/name:os.system", "no", "0x1F"]
    )
    | st.sampled_from(
        ["skd_lightning.encoders.NgramEmbedder", "TopK", "Student", "--data.tokens", "a=b", "{a"]
    )
)
OPTIONS = sorted(
    {f"--{name}" for name in RANGES}
    | {f"--data.{name}" for name in "task data languages encoding scheme sample text_only unlabelled".split()}
    | {f"--model.{name}" for name in "embedder context objective wide optimization annealing decoder".split()}
    | {
        f"--trainer.{name}"
        for name in "accelerator devices precision max_time callbacks logger plugins".split()
    }
    | {f"--distillation.{name}" for name in [*inspect.signature(DistillationCallback).parameters]}
    | {
        "--seed_everything",
        "--threads",
        "--patience",
        "--wandb",
        "--compile",
        "--data",
        "--model",
        "--trainer",
        "--x",
    }
)


@tries(25)
@given(
    options=st.lists(st.tuples(st.sampled_from(OPTIONS), VALUES), min_size=1, max_size=2),
    sign=st.sampled_from(" ="),
)
@example(options=[("--data.tokens", "\ud800")], sign="=")
def test_an_option(options: list[tuple[str, str]], sign: str) -> None:
    words = [w for name, value in options for w in ([name, value] if sign == " " else [f"{name}={value}"])]
    attempt(lambda: TaggingCLI(["--config", STUDENT, *words], run=False, instantiate=False))


CONFIG = plain(EXPERIMENTS / "student.yaml") | {
    "data": {"task": "mine", "tokens": 100},
    "trainer": {"max_epochs": 1},
}


@tries(20)
@example(content=b"trainer:\n")
@given(
    content=changed(CONFIG).map(lambda tree: json.dumps(tree).encode())
    | spoiled(
        [yaml.safe_dump(CONFIG).encode(), *CONTENTS.values()], (b"class_path: ", b"init_args:", b"&a ", b"*a")
    )
)
def test_a_configuration(content: bytes, home: Path) -> None:
    (home / "some.yaml").write_bytes(content)
    attempt(lambda: TaggingCLI(["--config", str(home / "some.yaml")], run=False, instantiate=False))


def words_of(name: str) -> st.SearchStrategy[list[str]]:
    own = [option for action in COMMANDS[name].parser()._actions for option in action.option_strings]
    own = [option for option in own if option not in ("-h", "--help")]
    return st.lists(st.sampled_from([*own, "--", "-1", "x", "/", "..", "mine"]) | VALUES, max_size=6)


def parse(name: str, words: list[str]) -> None:
    try:
        COMMANDS[name].parse(words)
    except argparse.ArgumentError as error:  # main makes one line of it
        raise UserError(one_line(error)) from None


@tries(150)
@given(command=st.one_of(*(st.tuples(st.just(name), words_of(name)) for name in COMMANDS)))
def test_a_command_line(command: tuple[str, list[str]]) -> None:
    attempt(lambda: parse(*command))


RUN = Run(Path("runs/x"), ("--data.tokens", "1"), "mine", "student", "topk", "topk", "x")
TRANSFER = ZeroshotTest(Path("runs"), "mine", "mine", None, ("en",), (Path("runs/a"),))


@tries(100)
@given(
    text=st.text(st.characters(codec=None), max_size=20)
    | st.one_of(*(changed(json.loads(to_json(made))) for made in (RUN, TRANSFER))).map(json.dumps)
)
def test_work_that_one_process_gives_another(text: str) -> None:
    assert from_json(Run, to_json(RUN)) == RUN
    assert from_json(ZeroshotTest, to_json(TRANSFER)) == TRANSFER
    for kind in (Run, ZeroshotTest):
        attempt(lambda kind=kind: from_json(kind, text))  # type: ignore[misc]
