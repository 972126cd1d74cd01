"""Scores of finished students against their size and speed: what a smaller student costs.

``python benchmarks/capacity.py runs/evidence/uner NAME …`` takes the test scores of all seeds of these variants from
their records. It saves the first seed of each as ``skd export`` does, with tables of whole bytes, and measures
``Runtime.predict`` on 500 test sentences of each language: one thread, in turn, seconds of its processor. A runtime
remembers words, so each round loads it anew, lets it tag a few dev sentences, and takes the test sentences twice: they
are new, then all their words are known. It writes ``experiments/results/capacity/capacity.{csv,png}``.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from common import write_students
from finished_runs import scores_of_seeds
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

import skd_lightning
from skd_lightning.cli.main import quiet
from skd_lightning.data.sentence import Sentence
from skd_lightning.display.style import Plot, draw, legend, looks
from skd_lightning.report.labels import METRICS
from skd_lightning.runs.lightning_cli import TaggingCLI
from skd_lightning.serving import Runtime

MIB = 2**20


Texts = dict[str, list[Sentence]]
"""Sentences of each language."""


def some_sentences(run: Path) -> tuple[Texts, Texts]:
    """Return a few dev sentences and 500 test sentences of each language, of the corpora of a run's configuration."""
    arguments = ["--config", str(run / "config.yaml"), "--trainer.default_root_dir", "unused"]
    splits = TaggingCLI(arguments, run=False).datamodule.sentences
    few, many = (
        {language: found[:number] for language, found in splits[split].items()}
        for split, number in (("dev", 20), ("test", 500))
    )
    return few, many


def seconds(runtime: Runtime, sentences: Texts) -> float:
    """Return the seconds of the thread's processor that all sentences take."""
    began = time.thread_time()
    for language, found in sentences.items():
        runtime.predict([list(each.words) for each in found], language=language)
    return time.thread_time() - began


def measure(task: Path, names: list[str], rounds: int) -> list[dict[str, Any]]:
    """Return a row for each student: score, size of the saved folder, words a second (medians of the rounds).

    ``new_`` stands for sentences that the runtime has not seen, ``known_`` for the same ones once more.
    """
    few, sentences = some_sentences(task / names[0] / "seed1")
    words = sum(len(each.words) for found in sentences.values() for each in found)
    rows: list[dict[str, Any]] = []
    with TemporaryDirectory() as place:
        for name in names:
            folder = Path(place) / name
            skd_lightning.load(task / name / "seed1").save(folder, tables="int8")
            size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
            rows.append({"name": name, **scores_of_seeds(task / name), "mib": round(size / MIB, 2)})
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
        for _ in range(rounds):
            for name in names:
                runtime = Runtime.load(Path(place) / name)
                seconds(runtime, few)
                times[name].append((seconds(runtime, sentences), seconds(runtime, sentences)))
    for row in rows:
        own = times[row["name"]]
        for i, words_are in enumerate(("new", "known")):
            row[f"{words_are}_words_per_second"] = round(words / median(taken[i] for taken in own))
            ratios = (a[i] / b[i] for a, b in zip(times[names[0]], own, strict=True))
            row[f"{words_are}_relative"] = round(median(ratios), 2)
    return rows


def picture(rows: list[dict[str, Any]], metric: str) -> Plot:
    """Return the scores against the size, and against words of new sentences a second.

    A student without teachers (``<name>-none``) has the look of the taught one, and is hollow.
    """
    taught = [row["name"] for row in rows if not row["name"].endswith("-none")]
    found = looks(taught)

    def paint(figure: Figure, axes: Axes) -> None:
        axes.remove()
        panels = figure.subplots(1, 2, sharey=True)
        for panel, column, title in zip(
            panels,
            ("mib", "new_words_per_second"),
            ("MiB on disk", "words a second"),
            strict=True,
        ):
            for row in rows:
                look, hollow = found[row["name"].removesuffix("-none")], row["name"] not in taught
                style: dict[str, Any] = {"fmt": look.marker, "color": look.colour, "markersize": 7}
                style |= {"markerfacecolor": "white"} if hollow else {"label": row["name"]}
                panel.errorbar(row[column], row["average"], row["deviation"] or 0.0, **style)
            panel.set_xscale("log")
            panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            panel.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
            panel.xaxis.set_minor_formatter(NullFormatter())
            panel.set_xlabel(title)
            panel.grid()
        panels[0].set_ylabel(f"test {metric} in per cent, average")
        legend(figure, panels[0])

    caption = (
        "Up is better, left on the first panel, right on the second. Hollow: without teachers. "
        "One thread, tables saved as int8."
    )
    return draw("capacity", "Score against size and speed", caption, 3.4, paint, width=7.2)


def main() -> None:
    """Measure, print, write CSV and picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", type=Path, help="RUNS/TASK")
    parser.add_argument(
        "names", nargs="+", help="variants, the first being the one that others are set beside"
    )
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    quiet()
    rows = measure(options.task, options.names, options.rounds)
    record = json.loads((options.task / options.names[0] / "seed1" / "results.json").read_text())
    write_students("capacity", rows, picture(rows, METRICS[record["metric"]]))


if __name__ == "__main__":
    main()
