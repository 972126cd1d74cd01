"""Trains one model of another library on a student's sentences and keeps it, for ``benchmarks/serving.py``.

``python benchmarks/serving_models.py spacy uner sv FOLDER``, with a Python that has the library. Models are those of
``experiments/peers``; flair's is trained for one epoch alone, which serves for its speed.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).parents[1]
BRIEFLY = 1, 50
"""Epochs of flair, and dev sentences."""


def corpus(task: str, language: str, data: str | None) -> Any:
    """Return the sentences of the students of a task."""
    from skd_lightning.data.module import TaggingData
    from skd_lightning.studies.suite import students_plan
    from skd_lightning.studies.suite_file import read_suite

    suite = read_suite(ROOT / f"experiments/suites/{task}.yaml")
    settings = students_plan(suite, task, data).student("none", seed=1).parse().data
    return TaggingData(**{**settings, "languages": [language]})


def save_transformer(
    folder: Path, texts: list[str], tags: list[str], layers: int, size: int, pieces: int
) -> None:
    """Write a token classifier of random weights, whose WordPiece tokenizer comes from some texts."""
    from frozen import save_tokenizer  # here: the peers' environments lack what it imports
    from transformers import BertConfig, BertForTokenClassification

    save_tokenizer(folder, texts, pieces=10000)
    config = BertConfig(
        vocab_size=pieces,
        hidden_size=size,
        num_hidden_layers=layers,
        num_attention_heads=12,
        intermediate_size=4 * size,
        id2label=dict(enumerate(tags)),
        label2id={tag: number for number, tag in enumerate(tags)},
    )
    torch.manual_seed(1)
    BertForTokenClassification(config).save_pretrained(folder)


SHAPES = {"minilm": (6, 384, 250002), "mbert": (12, 768, 119547)}
"""Layers, units and pieces."""


def main() -> None:
    """Train and save."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("library", choices=["spacy", "crfsuite", "flair", *SHAPES])
    parser.add_argument("task")
    parser.add_argument("language")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data")
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = corpus(options.task, options.language, options.data)
    train, dev = (data.sentences[split][options.language] for split in ("train", "dev"))
    options.folder.mkdir(parents=True)
    if options.library in SHAPES:
        texts = [" ".join(sentence.words) for sentence in train]
        save_transformer(options.folder, texts, list(data.tag_set.names), *SHAPES[options.library])
        return
    sys.path.insert(0, str(ROOT / "experiments/peers"))
    library = importlib.import_module(f"{options.library}_peer")
    if options.library == "flair":
        library.MOST, dev = BRIEFLY[0], dev[: BRIEFLY[1]]
    peer = importlib.import_module("peer")
    lesson = peer.Lesson(options.language, train, dev, data.tag_set.scheme != "none", 1)
    library.train(lesson).save(options.folder)


if __name__ == "__main__":
    main()
