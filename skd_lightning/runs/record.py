"""What a finished run leaves: ``results.json``, and what its test counted in each sentence."""

from __future__ import annotations

import json
import os
import platform
import resource
import shlex
import shutil
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from skd_lightning.storage import new_folder, write_text

SCHEMA = 1
CONFUSION = "confusion.npy"
"""(tags, tags) int64 test words ``[gold, predicted]`` of a run; ``tags`` in its results names rows and columns."""
ZEROSHOT = "zeroshot"
"""Folder in a run's folder for what was found on languages that it was not trained on: the same files again."""


def surroundings() -> dict[str, Any]:
    """The command, the versions, and the peak memory of this process (MiB)."""
    return {
        "peak_memory_mib": peak_memory(),
        "command": shlex.join(["skd", *sys.argv[1:]]),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("skd-lightning", "torch", "pytorch-lightning")},
        },
    }


def write_results(
    folder: Path,
    results: Mapping[str, Any],
    counts: Mapping[str, np.ndarray],
    confusion: np.ndarray | None = None,
) -> None:
    """``results.json`` last: where it is, everything is.

    Args:
        folder: of the run.
        results: plain values.
        counts: {language: (sentences, 9)}, see ``metrics.COLUMNS``; one row a test sentence, in the corpus's order.
        confusion: (tags, tags) words, see ``CONFUSION``.
    """
    with new_folder(folder / "counts") as temporary:
        for language, rows in counts.items():
            np.save(temporary / f"{language}.npy", rows.astype(np.int32), allow_pickle=False)
    if confusion is not None:
        np.save(folder / CONFUSION, confusion.astype(np.int64), allow_pickle=False)
    write_text(folder / "results.json", json.dumps(results, indent=2, ensure_ascii=False) + "\n")


def read_results(folder: Path) -> dict[str, Any] | None:
    """What ``results.json`` of a run says, None where there is none."""
    file = folder / "results.json"
    return json.loads(file.read_text()) if file.is_file() else None


def peak_memory() -> int:
    """MiB: of the GPU where there is one, else of this process since it started."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() // 2**20
    status = Path("/proc/self/status")
    if status.exists():  # what getrusage says there includes the process that started this one
        peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(peak.split()[1]) // 2**10
    unit = 1 if platform.system() == "Darwin" else 1024  # bytes there, KiB on Linux
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit // 2**20


def put_aside(folder: Path, resumed: bool) -> None:
    """Make room for a run: an older one of another configuration moves to ``previous/`` and stays there until the
    next; the log of the first part of a resumed one keeps its own name, since a new logger starts a new file."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "metrics.csv"
    if resumed:
        if log.is_file():
            os.replace(log, folder / f"metrics-{len(list(folder.glob('metrics*.csv')))}.csv")
        return
    found = [path for path in folder.iterdir() if path.name not in ("previous", ".lock")]
    if found:
        shutil.rmtree(folder / "previous", ignore_errors=True)
        (folder / "previous").mkdir()
        for path in found:
            os.replace(path, folder / "previous" / path.name)
