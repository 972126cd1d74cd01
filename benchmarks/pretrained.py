"""A fine-tuned token classifier beside the taggers that it taught: test score, size of the weights, words per second.

``python benchmarks/pretrained.py runs/evidence-pretrained/wikiann NAME … --teacher models/minilm-wikiann`` tags the
test sentences with the teacher, and takes the scores of all seeds of the variants from their records. Speed is that of
up to 1,000 test sentences: one thread, in turn, seconds of its processor, medians of the rounds. A tagger remembers
words, so each round has one that was just loaded and has met a few other sentences. It writes
``experiments/results/pretrained/<task>.csv``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np
import torch
from common import EXPERIMENTS, write_rows
from finished_runs import corpora_of, scores_of_seeds
from seqeval.metrics import f1_score

import skd_lightning
from skd_lightning.cli.main import quiet
from skd_lightning.data.module import TaggingData
from skd_lightning.distillation.teachers.token_classifier import TokenClassifier
from skd_lightning.tags import convert

TIMED = 1000
OTHERS = 50
"""Sentences that come first and are not timed."""

Texts = Sequence[list[str]]


class Classifier:
    """A token classifier that answers with the best tag sequences that its scheme allows."""

    def __init__(self, folder: Path, data: TaggingData) -> None:
        self.teacher = TokenClassifier(str(folder), data.tag_scheme, torch.device("cpu"))
        self.language = data.train_languages[0]

    def tag(self, texts: Texts) -> list[list[str]]:
        """Return the tags of each sentence."""
        said = self.teacher.speak(texts, lambda _: None, self.language)
        lengths = np.array([len(words) for words in texts])
        starts = np.cumsum(lengths) - lengths
        found: list[list[str]] = []
        for some in np.array_split(np.arange(len(texts)), -(-len(texts) // 500)):
            best = said.chain(some, lengths, starts).viterbi().tolist()
            for row, length in zip(best, lengths[some], strict=True):
                found.append(list(self.teacher.tag_set.decode(row[:length])))
        return found

    def score(self, data: TaggingData) -> float:
        """Return accuracy, or entity F1, on the test sentences, in per cent."""
        test = [sentence for sentence in data.sentences["test"][self.language] if sentence.words]
        gold, found = [list(s.tags or ()) for s in test], self.tag([list(s.words) for s in test])
        if data.tag_scheme != "none":
            return 100 * float(f1_score(gold, [list(convert(tags, data.tag_scheme)) for tags in found]))
        right = [a == b for x, y in zip(gold, found, strict=True) for a, b in zip(x, y, strict=True)]
        return 100 * fmean(right)


def seconds(tag: Callable[[Texts], object], others: Texts, timed: Texts) -> float:
    """Return the seconds of the thread's processor that the timed sentences take after the others."""
    tag(others)
    began = time.thread_time()
    tag(timed)
    return time.thread_time() - began


def student_row(folder: Path) -> dict[str, Any]:
    """Return score and size of a variant."""
    weights = skd_lightning.load(folder / "seed1", True).state_dict().values()
    size = sum(value.numel() * value.element_size() for value in weights)
    return {"name": folder.name, **scores_of_seeds(folder), "mb": round(size / 1e6, 1)}


def measure(task: Path, names: Sequence[str], teacher: Path, rounds: int) -> list[dict[str, Any]]:
    """Return a row for the teacher, then one for each variant."""
    torch.set_num_threads(1)
    data = corpora_of(task / names[0] / "seed1")
    classifier, language = Classifier(teacher, data), data.train_languages[0]
    size = sum(file.stat().st_size for file in teacher.glob("*.safetensors"))
    score = {"average": round(classifier.score(data), 2), "deviation": "", "seeds": 1}
    rows: list[dict[str, Any]] = [{"name": "teacher", **score, "mb": round(size / 1e6, 1)}]
    rows += [student_row(task / name) for name in names]

    words = [list(sentence.words) for sentence in data.sentences["test"][language] if sentence.words]
    others, timed = words[:OTHERS], words[OTHERS:][:TIMED]
    times: dict[str, list[float]] = {row["name"]: [] for row in rows}
    for _ in range(rounds):
        times["teacher"].append(seconds(classifier.tag, others, timed))
        for name in names:
            student = partial(skd_lightning.load(task / name / "seed1", True).predict, language=language)
            times[name].append(seconds(student, others, timed))
    number = sum(map(len, timed))
    return [{**row, "words_per_second": round(number / median(times[row["name"]]))} for row in rows]


def main() -> None:
    """Measure, print, and write the CSV."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", type=Path, help="RUNS/TASK, of one language")
    parser.add_argument("names", nargs="+", help="variants")
    parser.add_argument("--teacher", type=Path, required=True, help="folder made by save_pretrained")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    quiet()
    rows = measure(options.task, options.names, options.teacher, options.rounds)
    for row in rows:
        print(row)
    write_rows(EXPERIMENTS / "pretrained" / f"{options.task.name}.csv", rows)


if __name__ == "__main__":
    main()
