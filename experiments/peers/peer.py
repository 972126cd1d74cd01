"""The parts that the peers share: sentences of a suite, time and speed, scores as taggers have them, and the record.

A peer is a tagger of another library, trained from scratch on exactly the annotated sentences that the students of a
suite learn from: the same sample, the same tags, the same dev sentences to stop on, the same test sentences. It is one
model a language; all of them together are one row of the report. Each script of this folder gives :func:`main` a
function that trains one model.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import shlex
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from confidence import Confidence, calibration

from skd_lightning.data.module import TaggingData
from skd_lightning.data.sentence import Sentence
from skd_lightning.errors import UserError
from skd_lightning.metrics import TaggingScores, split_types
from skd_lightning.report.write import print_scores
from skd_lightning.run_folder import RunFolder, peer_folder
from skd_lightning.runs import provenance, tagged_words
from skd_lightning.runs.calibration import Calibration
from skd_lightning.runs.record import PeerResults, surroundings
from skd_lightning.storage import alone_in, write_text
from skd_lightning.studies.suite import students_plan
from skd_lightning.studies.suite_file import Suite, read_suite
from skd_lightning.tags import TagSet

Texts = Sequence[Sequence[str]]


@dataclass(frozen=True)
class Lesson:
    """The sentences that one model learns from.

    Attributes:
        language: code.
        train: sentences with tags.
        dev: sentences with tags, to stop on.
        entities: the tags mark entities in BIOES; else they are parts of speech or the like.
        seed: of everything random.
    """

    language: str
    train: Sequence[Sentence]
    dev: Sequence[Sentence]
    entities: bool
    seed: int


@dataclass(frozen=True)
class Model:
    """A trained model.

    Attributes:
        tag: tags sentences that are lists of words, in the scheme of the lesson.
        parameters: number of its weights.
        save: writes it into a folder that exists, in the library's own way.
        confidences: says how sure the model is of annotated sentences that it has given these tags; None where the
            library offers no probabilities.
    """

    tag: Callable[[Texts], Sequence[Sequence[str]]]
    parameters: int
    save: Callable[[Path], object]
    confidences: Callable[[Sequence[Sentence], Sequence[Sequence[str]]], list[Confidence]] | None = None


@dataclass(frozen=True)
class Peer:
    """A library, and how one of its models is trained.

    Attributes:
        name: of the row in the report.
        package: name of the distribution.
        extra: of ``pyproject.toml`` that installs it.
        train: trains one model.
    """

    name: str
    package: str
    extra: str
    train: Callable[[Lesson], Model]


def main(peer: Peer, words: Sequence[str] | None = None) -> None:
    """Train, test and write down a peer on all tasks of a suite; what is finished with these settings is skipped."""
    parser = argparse.ArgumentParser(description=f"Train {peer.name} on the sentences of a suite.")
    parser.add_argument("suite", type=Path, help="such as experiments/suites/uner.yaml")
    parser.add_argument("--data", help="folder of the corpora")
    parser.add_argument("--runs", type=Path, help="folder of all runs (default: the suite's)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1], help="default: 1")
    parser.add_argument("--anew", action="store_true", help="train again what is finished")
    options = parser.parse_args(words)
    torch.set_num_threads(1)
    # Lightning takes the suite's options for a second command line.
    warnings.filterwarnings("ignore", ".*args parameter is intended.*")
    try:
        if importlib.util.find_spec(peer.package.replace("-", "_")) is None:
            raise UserError(f"{peer.package} is not installed; pip install 'skd-lightning[{peer.extra}]'")
        suite = read_suite(options.suite)
        suite = dataclasses.replace(suite, runs=options.runs or suite.runs)
        for own in suite.by_value().values():
            for task in own.tasks:
                for seed in options.seeds:
                    folder = peer_folder(own.runs, task, peer.name, seed)
                    run(peer, own, task, options.data, folder, seed, options.anew)
                print_scores(own.runs, task)
    except UserError as error:
        parser.error(str(error))


def run(
    peer: Peer, suite: Suite, task: str, data: str | None, folder: RunFolder, seed: int, anew: bool = False
) -> None:
    """Train and test one model for each language of a task, and write the results.

    Args:
        peer: what to train.
        suite: whose students' sentences it learns from.
        task: of the suite.
        data: folder of the corpora, or None for the default.
        folder: for the results.
        seed: of everything random.
        anew: train again what is finished with these settings.
    """
    settings = students_plan(suite, task, data).student("none", seed=1).parse()
    about = {"peer": peer.name, peer.package: version(peer.package), "seed": seed, "data": settings.data}
    config = yaml.safe_dump(about, allow_unicode=True, sort_keys=False)
    if folder.finished and not anew and folder.config.is_file() and folder.config.read_text() == config:
        print(f"{peer.name} {task} seed {seed}: finished, in {folder.path}")
        return
    # Before the training, since the code that lies there may be another one hours later.
    made_from = provenance.provenance(settings.data, settings.languages(), None)
    with alone_in(folder.path, wait=False):
        tested = _train_and_test(peer, TaggingData(**settings.data), seed)
        folder.results.unlink(missing_ok=True)  # until now, what was there before has stayed
        write_text(folder.config, config)
        provenance.write(folder, made_from)
        tagged_words.save(folder, tested.words)
        if tested.calibration:
            Calibration.model_validate({"languages": tested.calibration}).save(folder)
        else:
            folder.calibration.unlink(missing_ok=True)
        tested.results.save(folder, tested.counts, tested.confusion)


@dataclass(frozen=True)
class _Tested:
    """The content of a peer's folder; of each language where it is a dictionary.

    Attributes:
        results: the record.
        counts: (sentences, 9) of each test sentence.
        confusion: (tags, tags) words ``[gold, predicted]``.
        words: (words, 3), see ``runs.tagged_words``.
        calibration: see ``runs.calibration``; empty for a library without probabilities.
    """

    results: PeerResults
    counts: dict[str, np.ndarray]
    confusion: np.ndarray
    words: dict[str, np.ndarray]
    calibration: dict[str, Any]


def _train_and_test(peer: Peer, data: TaggingData, seed: int) -> _Tested:
    tag_set, languages = data.tag_set, data.train_languages
    scores = TaggingScores(tag_set, languages)
    confusion = np.zeros((len(tag_set), len(tag_set)), dtype=np.int64)
    counts: dict[str, np.ndarray] = {}
    tagged: dict[str, np.ndarray] = {}
    sure: dict[str, Any] = {}
    seconds, parameters = {"fit": 0.0, "tagging": 0.0}, 0
    for place, language in enumerate(languages):
        train, dev, test = (data.sentences[split][language] for split in ("train", "dev", "test"))
        began = time.process_time()
        model = peer.train(Lesson(language, train, dev, tag_set.scheme != "none", seed))
        trained = time.process_time()
        found = model.tag([sentence.words for sentence in test])
        fit, tagging = trained - began, time.process_time() - trained
        seconds["fit"] += fit
        seconds["tagging"] += tagging
        parameters += model.parameters
        predicted, gold, lengths = as_numbers(tag_set, found, test)
        scores.update(predicted, gold, lengths, torch.full_like(lengths, place))
        counts[language] = scores.count(predicted, gold, lengths).numpy()
        words = torch.arange(gold.shape[1]) < lengths.unsqueeze(1)
        numbers = predicted[words].numpy(), gold[words].numpy()
        np.add.at(confusion, numbers[::-1], 1)
        annotated = [place for place, sentence in enumerate(test) if sentence.tags]
        asked, tags = [test[i] for i in annotated], [found[i] for i in annotated]
        tagged[language] = tagged_words.tagged_words(*numbers, tagged_words.seen_words(asked, train))
        if model.confidences is not None:
            sure[language] = calibration(asked, tags, model.confidences(asked, tags), tag_set)
        speed = int(lengths.sum()) / max(tagging, 1e-9)
        print(f"{peer.name} {language} seed {seed}: {fit:.1f} CPU s, {speed:,.0f} words/s", flush=True)
    results = _record(peer, data, seed, scores.compute(), seconds, parameters)
    return _Tested(results, counts, confusion, tagged, sure)


def _record(
    peer: Peer,
    data: TaggingData,
    seed: int,
    found: dict[str, Any],
    seconds: dict[str, float],
    parameters: int,
) -> PeerResults:
    rows, types = split_types(found["languages"])
    about = surroundings(shlex.join(["python", *sys.argv]))
    about["versions"][peer.package] = version(peer.package)
    return PeerResults.model_validate(
        {
            "task": data.task,
            "role": "peer",
            "loss": "none",
            "variant": peer.name,
            "seed": seed,
            "metric": found["metric"],
            "languages": {language: row for language, row in rows.items() if row["sentences"]},
            "average": found["average"],
            "types": types,
            "tags": list(data.tag_set.names),
            "seconds": {name: round(value, 3) for name, value in seconds.items()},
            "parameters": parameters,
            **about,
        }
    )


def as_numbers(
    tag_set: TagSet, found: Sequence[Sequence[str]], test: Sequence[Sentence]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return (batch, words) predicted and gold tags, 0 at padding, and (batch,) lengths, 0 without gold tags.

    Raises:
        UserError: a sentence has not one tag a word, or a tag that the set lacks.
    """
    lengths = torch.tensor([len(sentence.words) if sentence.tags else 0 for sentence in test])
    predicted, gold = torch.zeros(2, len(test), int(lengths.max()), dtype=torch.int64)
    for i, (sentence, tags) in enumerate(zip(test, found, strict=True)):
        if len(tags) != len(sentence.words):
            raise UserError(f"{sentence.place(0)}: {len(tags)} tags for {len(sentence.words)} words")
        if sentence.tags:
            predicted[i, : len(tags)] = torch.tensor(tag_set.encode(tags))
            gold[i, : len(tags)] = torch.tensor(tag_set.encode(sentence.tags))
    return predicted, gold, lengths
