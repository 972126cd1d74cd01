"""The same numbers from one process and from two, on one node and on two."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from small_corpus import write_corpus

from skd_lightning.cli import main
from skd_lightning.metrics import COLUMNS
from skd_lightning.storage import LOCK

LANGUAGES = ("de", "en", "es")
SIZES = {"train": 41, "dev": 17, "test": 15}
DROPOUT = ["--trainer.enable_progress_bar", "false", "--model.context.hidden_size", "8"]
DROPOUT += ["--model.embedder.buckets", "512", "--data.tokens", "60", "--data.eval_tokens", "100"]
QUICK = [*DROPOUT, "--model.embedder.dropout", "0", "--model.embedder.form_dropout", "0"]
QUICK += ["--model.context.dropout", "0"]
STUDENT = ["--loss", "pos_topwk", "--trainer.max_epochs", "3", "--model.annealing.kind", "step"]
CPU = ["--trainer.accelerator", "cpu"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a corpus, its teachers, and a student that one process trained."""
    folder = tmp_path_factory.mktemp("distributed")
    write_corpus(folder / "mine", LANGUAGES, SIZES)
    main(["teachers", *where(folder), "--trainer.max_epochs", "4", *QUICK])
    alone = ["--name", "alone", "--trainer.accumulate_grad_batches", "2", *STUDENT, *QUICK]
    main(["distill", *where(folder), *alone])
    return folder


@pytest.fixture(scope="module")
def together(home: Path) -> Path:
    """The run folder of the same student, trained by two processes, its teachers asked anew by both."""
    options = [*STUDENT, *QUICK, *CPU, "--trainer.devices", "2", "--distillation.cache", str(home / "cache2")]
    done = run(["distill", *where(home), "--name", "together", *options])
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("together seed 1: test") == 1  # the first process alone speaks
    assert "0 hits, 3 misses" in done.stdout  # of both processes
    return home / "runs/mine/together/seed1"


def where(home: Path) -> list[str]:
    return ["--runs", str(home / "runs"), "--task", "mine", "--data", str(home)]


def run(arguments: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "skd_lightning", *arguments]
    surroundings = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    return subprocess.run(command, env=surroundings, capture_output=True, text=True, check=False)


def same_training(one: Path, other: Path) -> None:
    """Loss curves, dev scores and weights agree to what another order of additions changes."""
    first, second = (pd.read_csv(folder / "metrics.csv") for folder in (one, other))
    columns = ["epoch", "step", "train/loss", "train/loss_kd", "train/loss_nll", "train/teacher_weight"]
    pd.testing.assert_frame_equal(first[columns], second[columns], rtol=1e-5)
    assert first["train/loss"].notna().sum() == 3
    weights = [
        torch.load(folder / "checkpoints/best.ckpt", weights_only=True)["state_dict"]
        for folder in (one, other)
    ]
    for name, value in weights[0].items():
        torch.testing.assert_close(value, weights[1][name], rtol=1e-3, atol=1e-4, msg=name)


def test_two_processes_learn_what_one_learns_from_the_same_batches(home: Path, together: Path) -> None:
    same_training(home / "runs/mine/alone/seed1", together)


def test_the_cache_is_the_same_however_many_processes_made_it(home: Path, together: Path) -> None:
    caches = [
        {
            path.relative_to(folder): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file() and path.name != LOCK
        }
        for folder in (home / "runs/cache", home / "cache2")
    ]
    assert len(caches[0]) >= 3 * len(LANGUAGES)
    assert caches[0] == caches[1]


@pytest.mark.parametrize(("command", "split"), [("validate", "dev"), ("test", "test")])
def test_scores_are_the_same_to_the_last_digit(home: Path, together: Path, command: str, split: str) -> None:
    """One process finds in the weights that two processes chose what they found in them."""
    options = ["--config", "experiments/student.yaml", "--data.task", "mine", "--data.data", str(home)]
    options += ["--ckpt_path", str(together / "checkpoints/best.ckpt"), *QUICK]
    options += (
        ["--model.decoding", "viterbi"] if command == "validate" else []
    )  # as dev sentences are in a training
    main([command, *options, "--trainer.default_root_dir", str(home / command)])
    of_one, of_two = (pd.read_csv(folder / "metrics.csv", dtype=str) for folder in (home / command, together))
    columns = [column for column in of_one if column.startswith(f"{split}/")]
    assert len(columns) == 1 + len(LANGUAGES)
    scores = of_two[columns].dropna()
    best = scores.loc[scores[f"{split}/average"].astype(float).idxmax()]
    assert of_one[columns].dropna().iloc[-1].tolist() == best.tolist()


def test_each_sentence_is_counted_where_it_stands(home: Path, together: Path) -> None:
    """Two processes tested one half each; what they counted in each sentence is what one process counts."""
    results = json.loads((together / "results.json").read_text())
    for language in LANGUAGES:
        counts = np.load(together / f"counts/{language}.npy")
        assert counts[:, 0].tolist() == [1] * SIZES["test"]
        assert counts[:, 1].sum() == results["languages"][language]["words"]
        predicted, gold, seen = np.load(together / f"predictions/{language}.npy").T
        starts = np.cumsum(counts[:, 1]) - counts[:, 1]
        assert np.add.reduceat(predicted == gold, starts, dtype=int).tolist() == counts[:, 2].tolist()
        assert set(seen) == {0, 1}
        types = results["types"][language].values()
        for name, found in (("gold", "support"), ("predicted", "predicted")):
            assert counts[:, COLUMNS.index(name)].sum() == sum(row[found] for row in types)


def test_confidences_of_all_processes_are_counted(together: Path) -> None:
    """Words, those that are right, and entities: as many as one process would count."""
    results = json.loads((together / "results.json").read_text())
    found = json.loads((together / "calibration.json").read_text())["languages"]
    assert list(found) == list(LANGUAGES)
    for language, row in results["languages"].items():
        words, entities = (found[language][unit] for unit in ("words", "entities"))
        assert (sum(words["count"]), sum(words["correct"])) == (
            row["words"],
            round(row["accuracy"] * row["words"]),
        )
        assert 0 < sum(words["confidence"]) <= row["words"]
        counts = np.load(together / f"counts/{language}.npy").sum(0).tolist()
        assert sum(entities["count"]) == counts[COLUMNS.index("predicted")]
        assert sum(entities["correct"]) == counts[COLUMNS.index("found")]


@pytest.fixture(scope="module")
def nodes(home: Path) -> Path:
    """The run folder of a student with dropout, trained by two nodes: both on this machine, started by torchrun."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = [
        "--name",
        "nodes",
        *STUDENT,
        *DROPOUT,
        *CPU,
        "--trainer.num_nodes",
        "2",
        "--trainer.devices",
        "1",
    ]
    started = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--node-rank", str(node)),
                *("--nproc-per-node", "1", "--master-addr", "127.0.0.1", "--master-port", str(port)),
                *("-m", "skd_lightning", "distill", *where(home), *options),
            ],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for node in (0, 1)
    ]
    for node in started:
        _, errors = node.communicate(timeout=300)
        assert node.returncode == 0, errors[-3000:]
    return home / "runs/mine/nodes/seed1"


def test_two_stopped_processes_go_on_like_two_nodes_that_were_not(home: Path, nodes: Path) -> None:
    """A signal that reaches one process only stops both after the same step; all that is random goes on."""
    script = home / "signalled.py"
    script.write_text(SIGNALLED)
    options = ["--name", "stopped", *STUDENT, *DROPOUT, *CPU, "--trainer.devices", "2"]
    command = ["distill", *where(home), *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    first = subprocess.run(
        [sys.executable, str(script), *command], env=environment, capture_output=True, text=True, check=False
    )
    assert first.returncode == 128 + signal.SIGTERM, first.stderr[-3000:]
    second = run(command)
    assert second.returncode == 0, second.stderr[-3000:]
    assert "going on from" in second.stdout
    folder = home / "runs/mine/stopped/seed1"
    expected, found = (
        torch.load(run_folder / "checkpoints/best.ckpt", weights_only=True)["state_dict"]
        for run_folder in (nodes, folder)
    )
    for name, value in expected.items():
        assert torch.equal(value, found[name]), name
    results = [json.loads((run_folder / "results.json").read_text()) for run_folder in (nodes, folder)]
    assert results[0]["languages"] == results[1]["languages"]


SIGNALLED = """
import os, signal, sys
from skd_lightning.taggers import Student
start = Student.on_train_batch_start
def signalled(self, batch, batch_idx):
    if self.global_step == 8 and self.global_rank == 1:
        os.kill(os.getpid(), signal.SIGTERM)
    start(self, batch, batch_idx)
Student.on_train_batch_start = signalled
from skd_lightning.cli import main
from skd_lightning.metrics import COLUMNS
main(sys.argv[1:])
"""
