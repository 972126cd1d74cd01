"""Compare a token classifier with the students that it taught: test score, size of the weights, words per second.

A tagger remembers words, so each round of the speed has one that was just loaded and has met a few other sentences.

python experiments/pretrained/compare.py --task wikiann --teacher runs/minilm-wikiann runs/wikiann/minilm/seed1 …
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from seqeval.metrics import f1_score

from skd_lightning.data.module import TaggingData
from skd_lightning.distillation.teachers.token_classifier import TokenClassifier
from skd_lightning.run_folder import RunFolder
from skd_lightning.runs.record import Results
from skd_lightning.taggers.checkpoints import load

SPEED_SENTENCES = 1000
OTHERS = 50
"""Sentences that come first and are not timed."""
ROUNDS = 3
"""The fastest counts: others work on the machine, too."""


Tag = Callable[[list[list[str]]], object]


def words_per_second(make: Callable[[], Tag], sentences: list[list[str]]) -> float:
    """Return the speed of the fastest round."""
    others, timed = sentences[:OTHERS], sentences[OTHERS:][:SPEED_SENTENCES]
    seconds = []
    for _ in range(ROUNDS):
        tag = make()
        tag(others)
        began = time.perf_counter()
        tag(timed)
        seconds.append(time.perf_counter() - began)
    return sum(map(len, timed)) / min(seconds)


def students_tags(name: str, language: str) -> Tag:
    """Return the tagger of a run, which remembers no word yet."""
    tagger = load(name)
    return lambda sentences: tagger.predict(sentences, language)


def main() -> None:
    """Print a row of Markdown for each tagger."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--task", required=True)
    parser.add_argument("--language", default="en")
    parser.add_argument("--teacher", required=True)
    parser.add_argument("students", nargs="*")
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = TaggingData(
        task=options.task, languages=[options.language], max_train_sentences=1000, remove_duplicates=True
    )
    test = [s for s in data.sentences["test"][options.language] if s.words]
    words = [list(sentence.words) for sentence in test]
    gold = [list(sentence.tags or ()) for sentence in test]

    teacher = TokenClassifier(options.teacher, data.tag_scheme, torch.device("cpu"))

    def tags(sentences: list[list[str]]) -> list[list[str]]:
        said = teacher.speak(sentences, lambda _: None, options.language)
        lengths = np.array([len(sentence) for sentence in sentences])
        found: list[list[str]] = []
        for first in range(0, len(sentences), 500):
            own = np.arange(first, min(first + 500, len(sentences)))
            best = said.chain(own, lengths, np.cumsum(lengths) - lengths).viterbi().tolist()
            found += [
                list(teacher.tag_set.decode(row[: lengths[i]])) for i, row in zip(own, best, strict=True)
            ]
        return found

    found = tags(words)
    if data.tag_scheme == "none":
        pairs = [(a, b) for x, y in zip(gold, found, strict=True) for a, b in zip(x, y, strict=True)]
        score = sum(a == b for a, b in pairs) / len(pairs)
    else:
        score = f1_score(gold, found)
    size = sum(file.stat().st_size for file in Path(options.teacher).glob("*.safetensors"))
    print("| tagger | score | MB | words/s |\n|---|---:|---:|---:|")
    print(
        f"| teacher | {score:.2%} | {size / 1e6:.1f} | {words_per_second(lambda: tags, words):,.0f} |",
        flush=True,
    )
    for name in options.students:
        tagger, results = load(name), Results.read(RunFolder(Path(name)))
        assert results is not None
        size = sum(value.numel() * value.element_size() for value in tagger.state_dict().values())
        speed = words_per_second(lambda: students_tags(name, options.language), words)  # noqa: B023
        print(
            f"| {name} | {results.score(options.language):.2%} | {size / 1e6:.1f} | {speed:,.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
