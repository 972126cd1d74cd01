"""Score and size of saved taggers: how their tables are written, and which sparse features are left out.

``python benchmarks/compressed_tables.py runs/uner/none/seed1 runs/upos/none/seed1``. Each tagger is saved in several
ways, and answers through the runtime that serves it. Choose on dev; test is there to be looked at once.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import yaml
from common import report

import skd_lightning
from skd_lightning.data.module import TaggingData
from skd_lightning.data.sentence import Sentence
from skd_lightning.metrics import TaggingScores
from skd_lightning.serving import Runtime
from skd_lightning.serving.tables import Compression
from skd_lightning.tags import TagSet

sys.path.append(str(Path(__file__).parents[1] / "experiments/peers"))
as_numbers = importlib.import_module("peer").as_numbers

WAYS: list[tuple[Compression, float]] = [
    ("float32", 0.0),
    ("float16", 0.0),
    *(("int8", least) for least in (0.0, 0.01, 0.03, 0.1)),
    *(("pq", least) for least in (0.0, 0.03, 0.1)),
]


def score(runtime: Runtime, sentences: dict[str, list[Sentence]]) -> float:
    """Return the macro mean over languages, in points."""
    scores = TaggingScores(runtime.tag_set, list(sentences))
    for number, (language, own) in enumerate(sentences.items()):
        found = runtime.predict([sentence.words for sentence in own], language)
        count(scores, runtime.tag_set, number, own, [prediction.tags for prediction in found])
    return 100 * float(scores.compute()["average"])


def count(
    scores: TaggingScores,
    tag_set: TagSet,
    language: int,
    sentences: Sequence[Sentence],
    found: Sequence[Sequence[str]],
) -> None:
    """Add the tags of a language's sentences."""
    predicted, gold, lengths = as_numbers(tag_set, found, sentences)
    scores.update(predicted, gold, lengths, torch.full_like(lengths, language))


def measure(run: Path, data: str | None, most: int | None, known: Path) -> list[dict[str, Any]]:
    """Return score and size of each way in which a run's tagger is saved; what is known is not measured again."""
    settings = yaml.safe_load((run / "config.yaml").read_text())["data"]
    lines = known.read_text().splitlines() if known.exists() else []
    rows = {(row["run"], row["tables"], row["least_weight"]): row for row in map(json.loads, lines)}
    missing = [way for way in WAYS if (str(run), *way) not in rows]
    if missing:
        corpora = TaggingData(**{**settings, "data": data or settings["data"]})
        tagger = skd_lightning.load(run).eval()
    for tables, least in missing:
        row: dict[str, Any] = {
            "run": str(run),
            "task": settings["task"],
            "tables": tables,
            "least_weight": least,
        }
        with tempfile.TemporaryDirectory() as folder:
            saved = Path(folder, "saved")
            tagger.save(saved, tables, least)
            row["mb"] = sum(file.stat().st_size for file in saved.iterdir()) / 1e6
            runtime = Runtime.load(saved)
            for split in ("dev", "test"):
                sentences = {code: corpora.sentences[split][code][:most] for code in tagger.languages}
                row[split], row[f"{split}_sentences"] = (
                    score(runtime, sentences),
                    sum(map(len, sentences.values())),
                )
        rows[(str(run), tables, least)] = row
        with known.open("a") as file:
            print(json.dumps(row), file=file)
    return [rows[(str(run), *way)] for way in WAYS]


def main() -> None:
    """Measure, print, write ``benchmarks/results/compression.{md,json}``."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("runs", type=Path, nargs="+", help="folders of runs")
    parser.add_argument("--data", help="folder of the corpora")
    parser.add_argument("--most", type=int, help="dev and test sentences of a language")
    parser.add_argument("--known", type=Path, default=Path("compression.jsonl"), help="rows measured so far")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = [row for run in options.runs for row in measure(run, options.data, options.most, options.known)]
    table = []
    for row in rows:
        whole = next(other for other in rows if other["run"] == row["run"])
        change = [f"{row[split]:.2f}" for split in ("dev", "test")]
        change += [f"{row[split] - whole[split]:+.2f}" for split in ("dev", "test")]
        number = f"{row['test_sentences']:,}"
        table.append(
            [row["task"], number, row["tables"], f"{row['least_weight']:g}", f"{row['mb']:.1f}", *change]
        )
    title = "Saved taggers: size in MB, and scores in points (F1 of entities, accuracy of parts of speech)"
    headings = [
        "task",
        "test sentences",
        "tables",
        "least weight",
        "MB",
        "dev",
        "test",
        "dev, change",
        "test, change",
    ]
    report("compression", title, headings, table, rows)


if __name__ == "__main__":
    main()
