"""Saved taggers beside other libraries: start, size, memory and speed on one thread, and scores.

``python benchmarks/serving.py uner sv MODELS --ours NAME=KIND:FOLDER …``: the folder MODELS holds ``uner-spacy``,
``uner-crfsuite`` and so on, from ``benchmarks/serving_models.py``; a system whose model is not there is left out. Each
measurement is a process of its own, and the systems take turns. Seconds of wall time suffer from whatever else runs on
a machine; CPU seconds suffer less, and start with the interpreter. A saved folder does not tell how it was exported, so
each NAME should: ``"ours, Runtime, int8, least weight 0.01=runtime:uner-int8"``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from common import report
from compressed_tables import count
from serving_models import corpus

from skd_lightning.metrics import TaggingScores
from skd_lightning.tags import convert

SIDES = Path(__file__).with_name("serving_sides.py")
SLOW = ["--single", "20", "--most", "60"]
"""Sentences one by one and at once for a transformer."""
HEAVY = ("torch_tagger", "flair", "transformer")
"""Sides that start for seconds: the first round is enough for them."""


@dataclass(frozen=True)
class System:
    """One row of the table: its name, the function of ``serving_sides.py``, a Python that has it, and its model."""

    name: str
    side: str
    python: str
    folder: str


def systems(options: argparse.Namespace) -> list[System]:
    """Return ours, then the others whose models are there."""
    ours = []
    for given in options.ours:
        name, _, where = given.partition("=")
        kind, _, folder = where.partition(":")
        side = "torch_tagger" if kind == "torch" else "runtime"
        ours.append(System(name, side, sys.executable, str(Path(folder).absolute())))
    others = [
        System("spaCy, trained on the same sentences", "spacy", options.peers, "spacy"),
        System("CRFsuite, trained on the same sentences", "crfsuite", options.peers, "crfsuite"),
        System("Flair SequenceTagger, trained for one epoch", "flair", options.flair, "flair"),
        System(
            "transformers pipeline, 6 layers of 384 (MiniLM's shape)", "transformer", sys.executable, "minilm"
        ),
        System(
            "transformers pipeline, 12 layers of 768 (M-BERT's shape)", "transformer", sys.executable, "mbert"
        ),
    ]
    found = [
        System(other.name, other.side, other.python, str(folder.absolute()))
        for other in others
        if (folder := options.models / f"{options.task}-{other.folder}").exists()
    ]
    packages = [System(name, "spacy", options.peers, name) for name in options.spacy_packages]
    return [*ours, *found[:1], *packages, *found[1:]]


def size(system: System) -> float:
    """Return megabytes on disk: of a folder, of a run's best checkpoint, or of an installed package."""
    folder = Path(system.folder)
    if not folder.exists():
        code = f"import {system.folder} as package; print(package.__path__[0])"
        folder = Path(subprocess.check_output([system.python, "-c", code], text=True).strip())
    if (folder / "checkpoints").is_dir():
        folder = folder / "checkpoints" / "best.ckpt"
    files = [folder] if folder.is_file() else [file for file in folder.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files if file.suffix != ".pyc") / 1e6


def measure(system: System, language: str, sentences: Path) -> dict[str, Any]:
    """Return what the system's process prints."""
    words = [
        system.python,
        SIDES,
        system.side,
        system.folder,
        language,
        sentences,
        "--began",
        str(time.monotonic()),
    ]
    words += SLOW if system.side == "transformer" else []
    root = str(Path(__file__).parents[1])
    alone = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    environment = {
        **os.environ,
        **alone,
        "PYTHONPATH": root,
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": "1",
    }
    done = subprocess.run([*map(str, words)], env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{system.name}: {done.stderr.strip()[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Measure, print, write ``benchmarks/results/serving-<task>.{md,json}``."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("task")
    parser.add_argument("language")
    parser.add_argument("models", type=Path)
    parser.add_argument(
        "--ours",
        nargs="+",
        default=[],
        metavar="NAME=KIND:FOLDER",
        help="NAME says how it was exported, KIND is torch or runtime",
    )
    parser.add_argument("--spacy-packages", nargs="*", default=[], help="such as fr_core_news_sm")
    parser.add_argument("--peers", default=sys.executable, help="a Python with spaCy and CRFsuite")
    parser.add_argument("--flair", default=sys.executable, help="a Python with Flair")
    parser.add_argument("--data", help="folder of the corpora")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    data = corpus(options.task, options.language, options.data)
    test = data.sentences["test"][options.language]
    sides = systems(options)
    rounds: dict[str, list[dict[str, Any]]] = {system.name: [] for system in sides}
    with tempfile.TemporaryDirectory() as folder:
        sentences = Path(folder, "sentences.json")
        sentences.write_text(json.dumps([sentence.words for sentence in test]))
        for number in range(options.rounds):
            for system in (own for own in sides if not number or own.side not in HEAVY):
                rounds[system.name].append(measure(system, options.language, sentences))
                print(number, system.name, {**rounds[system.name][-1], "tags": ...}, flush=True)
    rows, results = [], {}
    for system in sides:
        found = summary(rounds[system.name])
        found["mb"] = size(system)
        tags = rounds[system.name][0]["tags"]
        if len(tags) == len(test):
            if data.tag_set.scheme != "none":
                tags = [convert(own, "bioes") for own in tags]
            known = set(data.tag_set.names)
            tags = [[tag if tag in known else data.tag_set.names[0] for tag in own] for own in tags]
            scores = TaggingScores(data.tag_set, [options.language])
            count(scores, data.tag_set, 0, test, tags)
            found["score"] = 100 * float(scores.compute()["average"])
        results[system.name] = found
        rows.append(row(system.name, found))
    words = sum(len(sentence.words) for sentence in test)
    title = (
        f"Serving {options.task}, {options.language}: {len(test):,} test sentences, {words:,} words; one thread, "
        f"medians of {options.rounds} processes, but one of PyTorch, Flair and transformers"
    )
    headings = [
        "system", "score", "start, CPU s", "start, s", "MB on disk", "peak memory, MiB",
        "words per CPU s", "words/s", "CPU ms a sentence", "ms a sentence", "sentences one by one", "at once",
    ]  # fmt: skip
    name = {"none": "upos"}.get(data.tag_set.scheme, "ner")
    report(f"serving-{name}", title, headings, rows, results)


def summary(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the medians of some rounds."""
    found: dict[str, Any] = {
        name: median(own[name] for own in rounds) for name in ("memory_mib", "memory_started_mib")
    }
    found["sentences"] = rounds[0]["sentences"]
    for clock in ("wall", "cpu"):
        found[clock] = {name: median(own[clock][name] for own in rounds) for name in rounds[0][clock]}
    return found


def row(name: str, found: dict[str, Any]) -> list[str]:
    """Return the cells of a system."""
    wall, cpu = found["wall"], found["cpu"]
    return [
        name,
        f"{found['score']:.2f}" if "score" in found else "–",
        f"{cpu['start_s']:.2f}",
        f"{wall['start_s']:.2f}",
        f"{found['mb']:.1f}",
        f"{found['memory_mib']:.0f}",
        f"{cpu['words_per_s']:,.0f}",
        f"{wall['words_per_s']:,.0f}",
        f"{cpu['sentence_ms']:.2f}",
        f"{wall['sentence_ms']:.2f}",
        *(f"{number:,}" for number in found["sentences"]),
    ]


if __name__ == "__main__":
    main()
