"""Tables of ``docs/speed.md`` from the files in ``benchmarks/results``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from evidence_results import NOTHING, Cells, signed

RESULTS = Path(__file__).parent / "results"
SHAPE = [32, 50, 17]
"""Sentences, words and tags of the table of the CRF."""


def measured(name: str) -> Any:
    """Return what a benchmark wrote."""
    return json.loads((RESULTS / f"{name}.json").read_text())["results"]


def two_digits(number: float) -> str:
    """Return a number with two digits that count, or with all of those before the point."""
    return f"{number:.0f}" if number >= 9.95 else f"{number:#.2g}"


def crf() -> list[Cells]:
    """Operations of the CRF beside other libraries."""
    found = {row["operation"]: row for row in measured("crf") if row["shape"] == SHAPE}
    rows: list[Cells] = [["operation", "skd_lightning", "best correct other library", "ratio"]]
    for label, operation in (
        ("log Z and its gradient", "log Z + gradient"),
        ("the same, transitions by sentence", "log Z + gradient, transitions by sentence"),
        ("posterior marginals", "marginals"),
        ("gradient through marginals", "gradient through marginals"),
        ("Viterbi", "Viterbi"),
        ("5 best sequences, exact", "5 best"),
        ("10 best sequences, exact", "10 best"),
        ("KL from a teacher and its gradient", "KL + gradient"),
        ("Rényi's divergence and its gradient", "Rényi + gradient"),
    ):
        own = found[operation]
        times, best = own["milliseconds"], own.get("best")
        other, ratio = NOTHING, NOTHING
        if best:
            other, ratio = f"{two_digits(times[best])} ({best})", two_digits(own["ratio"])
        rows.append([label, two_digits(times["skd_lightning"]), other, ratio])
    return rows


def serving(task: str, score: str) -> list[Cells]:
    """A saved tagger beside other libraries."""
    labels = {
        "spaCy, trained on the same sentences": "spaCy",
        "CRFsuite, trained on the same sentences": "CRFsuite",
        "Flair SequenceTagger, trained for one epoch": "Flair",
        "transformers pipeline, 6 layers of 384 (MiniLM's shape)": "transformers, MiniLM's shape",
        "transformers pipeline, 12 layers of 768 (M-BERT's shape)": "transformers, M-BERT's shape",
    }
    rows: list[Cells] = [
        ["system", score, "start, s", "MB on disk", "peak memory, MiB", "words/s", "ms a sentence"]
    ]
    for name, own in measured(f"serving-{task}").items():
        score_of_trained = None if name.startswith("Flair") else own.get("score")
        wall = own["wall"]
        rows.append(
            [
                labels.get(name, name.replace("Runtime", "`Runtime`")),
                NOTHING if score_of_trained is None else f"{score_of_trained:.2f}",
                f"{wall['start_s']:.2f}",
                f"{own['mb']:.1f}",
                f"{own['memory_mib']:.0f}",
                f"{wall['words_per_s']:,.0f}",
                f"{wall['sentence_ms']:.2f}",
            ]
        )
    return rows


def compression() -> list[Cells]:
    """Size of saved taggers, and what their scores change."""
    tasks = ("uner", "upos", "wikiann")
    found = {(row["task"], row["tables"], row["least_weight"]): row for row in measured("compression")}
    ways = list(dict.fromkeys((tables, least) for _, tables, least in found))
    rows: list[Cells] = [["tables", "least weight"]]
    for label in ("UNER", "UPOS", "WikiAnn"):
        rows[0] = [*rows[0], f"{label}, MB", "dev", "test"]
    for tables, least in ways:
        cells = [tables, f"{least:g}"]
        for task in tasks:
            own, whole = found[task, tables, least], found[task, "float32", 0.0]
            cells += [f"{own['mb']:.1f}", *(signed(own[split] - whole[split]) for split in ("dev", "test"))]
        rows.append(cells)
    return rows
