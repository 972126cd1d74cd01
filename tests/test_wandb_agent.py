"""The real agent of Weights & Biases runs a sweep's trials, against a stand-in for its server."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from small_corpus import write_corpus
from wandb_server import ENTITY, PROJECT, WandbServer

OPTIONS = [
    "--loss", "none", "--task", "mine", "--wandb", PROJECT, "--trainer.max_epochs", "2", "--trainer.accelerator", "cpu",
    "--trainer.enable_progress_bar", "false", "--model.embedder.buckets", "512",
]  # fmt: skip
TRIALS = {
    "trial1": {"model.context.hidden_size": 8, "patience": None},
    "trial2": {"model.context.hidden_size": 16, "patience": 5},
}


def test_the_agent_trains_and_reports_every_trial(tmp_path: Path) -> None:
    write_corpus(tmp_path / "mine", ("de", "en"), {"train": 20, "dev": 10, "test": 10})
    where = ["--runs", str(tmp_path / "runs"), "--data", str(tmp_path)]
    command = [sys.executable, "-m", "skd_lightning", "distill", *where, *OPTIONS, "${args}"]
    with WandbServer(json.dumps({"command": command, "method": "grid"}), TRIALS) as server:
        environment = {
            **os.environ,
            "WANDB_MODE": "online",
            "WANDB_BASE_URL": server.url,
            "WANDB_API_KEY": "0123456789" * 4,
            "WANDB_DIR": str(tmp_path),
            "HOME": str(tmp_path),
        }
        done = subprocess.run(
            [sys.executable, "-m", "wandb", "agent", f"{ENTITY}/{PROJECT}/sweep1"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    told = f"{server.unknown} {done.stdout[-3000:]} {done.stderr[-3000:]}"
    assert done.returncode == 0, told
    assert set(server.history) == set(TRIALS), told
    for name, values in TRIALS.items():
        folder = tmp_path / "runs/mine/sweeps/sweep1" / name
        assert (folder / "results.json").is_file()
        scores = [row["dev/average"] for row in server.history[name] if "dev/average" in row]
        assert len(scores) == 2
        assert server.summary[name]["dev/average"] == pytest.approx(max(scores))
        bucket = server.buckets[name]
        assert (bucket["sweep"], bucket["groupName"], bucket["jobType"]) == ("sweep1", "mine/none", "student")
        config = json.loads(bucket["config"])
        assert config["patience"]["value"] == values["patience"]
        size = config["model"]["value"]["init_args"]["context"]["init_args"]["hidden_size"]
        assert size == values["model.context.hidden_size"]
