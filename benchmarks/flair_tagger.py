"""Training and prediction speed of our tagger and of flair's ``SequenceTagger``, on the same sentences, in one run.

``python benchmarks/flair_tagger.py --python-flair PATH`` where PATH is the Python of a virtual environment with
flair (``pip install flair``): the two want different versions of transformers, so each side runs in a process of
its own, and this one asks them in turn (ours, flair, ours, …), so that a drifting machine hits both alike.

Both sides: vectors of ``--width`` for each word, learned from scratch, dropout, one BiLSTM layer with ``--hidden``
units in each direction, a linear layer, a CRF; the same batches of ``--batch`` sentences, fused AdamW, gradients
clipped at 5. They differ in the vectors: ours are a bag of hashed character n-grams and one of hashed word forms,
half the width each, in tables of 32,768 rows, all of which the optimiser passes over at each step; flair's are one
row for each training word (``OneHotEmbeddings``), which knows nothing of unseen words, or (``--characters``) such a
row beside its character BiLSTM (``CharacterEmbeddings``). What is measured:

* ``train``: an epoch by hand, from featurised sentences: batches made, loss, backward, clipping, optimiser step.
* ``trainer``: an epoch of a new tagger by Lightning's ``Trainer`` or flair's ``ModelTrainer``, without
  evaluation and checkpoints, their preparations included.
* ``predict new``: the test sentences, given as lists of words, in one call; flair's ``Sentence`` objects are made
  within the time, and our featuriser has met none of the words. flair's batches have ``--batch`` sentences, ours
  the size that ``predict`` chooses. flair's ``predict`` clears the embeddings of *all* its sentences after each
  batch, so it gets slower with their number.
* ``predict again``: the same with prepared ``Sentence`` objects, and a featuriser that knows the words.
* ``predict in calls``: as ``predict new``, with ``--batch`` sentences a call on both sides.

Times are medians over rounds after one of warming up; the ratio is that of the medians. That both sides have learned
their task is seen from the share of the test words that are tagged right, after as many epochs on both sides.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, TypeAlias

MEASURED = {
    "train": "train",
    "trainer": "train",
    "predict_new": "test",
    "predict_again": "test",
    "predict_in_calls": "test",
}
"""What a side is asked to do, and the sentences that it does it with."""
PACKAGES = ("torch", "numpy", "transformers", "pytorch-lightning", "skd-lightning", "flair")
LEARNING_RATE, CLIP = 3e-3, 5.0
Operation: TypeAlias = Callable[[], object]


class Side:
    """A library in its own process, with data, tagger and optimiser ready.

    A subclass says with :meth:`make`, :meth:`loss` and the like how it is used; what is in :data:`MEASURED` is a
    method that prepares and returns what is to be timed.
    """

    tagger: Any

    def __init__(self, options: argparse.Namespace) -> None:
        import torch

        torch.manual_seed(options.seed)
        torch.set_num_threads(options.threads[0])
        self.options, self.epoch = options, 0
        self.folder: Path = options.folder
        self.gold = list(read(self.folder / "test.tsv"))
        self.texts = [list(words) for words, _ in self.gold]
        self.train_sentences: Sequence[Any] = self.prepare()
        self.tagger = self.make()
        self.optimizer = torch.optim.AdamW(self.tagger.parameters(), lr=LEARNING_RATE, fused=True)

    def describe(self) -> dict[str, Any]:
        """Sizes and versions."""
        from importlib.metadata import PackageNotFoundError

        versions = {}
        for package in PACKAGES:
            with contextlib.suppress(PackageNotFoundError):
                versions[package] = version(package)
        parameters = sum(parameter.numel() for parameter in self.tagger.parameters())
        embeddings = sum(p.numel() for module in self.embeddings() for p in module.parameters())
        sizes = {"train": self.count(), "test": [len(self.texts), sum(map(len, self.texts))]}
        return {**sizes, "parameters": parameters, "of_embeddings": embeddings, "versions": versions}

    def seconds(self, name: str) -> float:
        """How long one of :data:`MEASURED` takes."""
        operation: Operation = getattr(self, name)()
        began = time.perf_counter()
        operation()
        return time.perf_counter() - began

    def train(self) -> Operation:
        """An epoch by hand; its batches are the same on both sides."""
        import torch

        self.epoch += 1
        order = list(range(len(self.train_sentences)))
        random.Random(f"{self.options.seed} {self.epoch}").shuffle(order)
        batches = self.batches(order)
        self.tagger.train()

        def run() -> None:
            for batch in batches:
                self.optimizer.zero_grad()
                self.loss(batch).backward()
                torch.nn.utils.clip_grad_norm_(self.tagger.parameters(), CLIP)
                self.optimizer.step()

        return run

    def batches(self, items: Sequence[Any]) -> list[Any]:
        """Cut into batches of so many sentences."""
        return [items[i : i + self.options.batch] for i in range(0, len(items), self.options.batch)]

    def accuracy(self) -> float:
        """Share of the test words that are tagged right."""
        right = [
            found == tag
            for (_, tags), predicted in zip(self.gold, self.predicted(), strict=True)
            for tag, found in zip(tags, predicted, strict=True)
        ]
        return sum(right) / len(right)


class Ours(Side):
    """skd_lightning's ``Tagger`` with its ``NgramEncoder``."""

    def prepare(self) -> Sequence[Any]:
        from skd_lightning.data.readers import read as read_sentences
        from skd_lightning.tags import TagSet

        sentences = read_sentences(self.folder / "train.tsv", "xx")
        scheme: Any = "bioes" if self.options.tags == "ner" else "none"
        self.tag_set = TagSet.of({tag for sentence in sentences for tag in sentence.tags or ()}, scheme)
        return sentences

    def make(self) -> Any:
        from skd_lightning.data import SentenceDataset
        from skd_lightning.encoders import NgramEncoder
        from skd_lightning.taggers import Tagger

        encoder = NgramEncoder(embedding_size=self.options.width // 2, hidden_size=self.options.hidden)
        self.data = SentenceDataset(self.train_sentences, encoder.featurizer, ["xx"], self.tag_set)
        return Tagger(list(self.tag_set.names), self.tag_set.scheme, ["xx"], encoder)

    def embeddings(self) -> list[Any]:
        return [self.tagger.encoder.grams, self.tagger.encoder.forms]

    def count(self) -> list[int]:
        return [len(self.data), int(self.data.lengths.sum())]

    def loss(self, indices: list[int]) -> Any:
        batch = self.data.__getitems__(indices)
        return self.tagger.losses(self.tagger(batch), batch).mean()

    def trainer(self) -> Operation:
        import pytorch_lightning as pl
        from skd_lightning.data.batches import as_is
        from torch.utils.data import DataLoader

        tagger = self.make()  # and its data
        order = random.sample(range(len(self.data)), len(self.data))
        loader = DataLoader(self.data, batch_sampler=self.batches(order), collate_fn=as_is)
        off: Any = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar"), False)
        trainer = pl.Trainer(
            max_epochs=1, accelerator="cpu", gradient_clip_val=CLIP, enable_model_summary=False, **off
        )
        return lambda: trainer.fit(tagger, loader)

    def _forget(self) -> None:
        encoder = self.tagger.encoder
        encoder.featurizer = type(encoder.featurizer)(encoder.featurizer.buckets, encoder.vocabulary)

    def predict_new(self) -> Operation:
        self._forget()
        return self.predict_again()

    def predict_again(self) -> Operation:
        return lambda: self.tagger.predict(self.texts)

    def predict_in_calls(self) -> Operation:
        self._forget()
        return lambda: [self.tagger.predict(texts) for texts in self.batches(self.texts)]

    def predicted(self) -> list[Sequence[str]]:
        return [prediction.tags for prediction in self.tagger.predict(self.texts)]


class Flair(Side):
    """flair's ``SequenceTagger``, its arguments as they are by default but for those named here."""

    def prepare(self) -> Sequence[Any]:
        import flair
        import torch
        from flair.data import Corpus, Sentence
        from flair.datasets import ColumnDataset

        flair.device = torch.device("cpu")
        columns = {0: "text", 1: self.options.tags}
        data = ColumnDataset(self.folder / "train.tsv", columns, column_delimiter="\t")
        self.corpus: Any = Corpus(train=data, sample_missing_splits=False)
        self.prepared = [Sentence(words) for words in self.texts]
        return list(data)  # type: ignore[call-overload]

    def make(self) -> Any:
        from flair.data import Dictionary
        from flair.embeddings import CharacterEmbeddings, OneHotEmbeddings, StackedEmbeddings
        from flair.models import SequenceTagger

        parts: list[Any] = []
        if self.options.side == "flair+characters":
            characters = Dictionary()
            for text in sorted({char for sentence in self.train_sentences for t in sentence for char in t.text}):
                characters.add_item(text)
            parts.append(CharacterEmbeddings(characters))
        rest = self.options.width - sum(part.embedding_length for part in parts)
        parts.append(OneHotEmbeddings.from_corpus(self.corpus, min_freq=1, embedding_length=rest))
        return SequenceTagger(
            hidden_size=self.options.hidden,
            embeddings=StackedEmbeddings(parts),
            tag_dictionary=self.corpus.make_label_dictionary(self.options.tags, add_unk=False),
            tag_type=self.options.tags,
            use_crf=True,
            reproject_embeddings=False,  # a layer less: made for vectors that are not trained
        )

    def embeddings(self) -> list[Any]:
        return [self.tagger.embeddings]

    def count(self) -> list[int]:
        return [len(self.train_sentences), sum(map(len, self.train_sentences))]

    def loss(self, indices: list[int]) -> Any:
        batch = [self.train_sentences[i] for i in indices]
        loss, words = self.tagger.forward_loss(batch)
        for sentence in batch:  # as its trainer does; the graph does not need them
            sentence.clear_embeddings()
        return loss / words

    def trainer(self) -> Operation:
        import torch
        from flair.trainers import ModelTrainer

        trainer = ModelTrainer(self.make(), self.corpus)
        off: Any = dict.fromkeys(("save_final_model", "create_file_logs", "create_loss_file"), False)
        settings = {"optimizer": torch.optim.AdamW, "learning_rate": LEARNING_RATE, "fused": True, **off}
        size = self.options.batch
        return lambda: trainer.train(self.folder / "flair", max_epochs=1, mini_batch_size=size, **settings)

    def _predict(self, sentences: list[Any]) -> None:
        self.tagger.predict(sentences, mini_batch_size=self.options.batch)

    def predict_new(self) -> Operation:
        from flair.data import Sentence

        self.tagger.eval()
        return lambda: self._predict([Sentence(words) for words in self.texts])

    def predict_again(self) -> Operation:
        self.tagger.eval()
        return lambda: self._predict(self.prepared)

    def predict_in_calls(self) -> Operation:
        from flair.data import Sentence

        self.tagger.eval()
        return lambda: [self._predict([Sentence(words) for words in texts]) for texts in self.batches(self.texts)]

    def predicted(self) -> list[Sequence[str]]:
        self.predict_again()()
        return [self._tags(sentence) for sentence in self.prepared]

    def _tags(self, sentence: Any) -> list[str]:
        tags = ["O"] * len(sentence)
        for label in sentence.get_labels(self.options.tags):
            words = getattr(label.data_point, "tokens", [label.data_point])
            prefixes = ["B-", *["I-"] * (len(words) - 2), "E-"] if len(words) > 1 else ["S-"]
            for word, prefix in zip(words, prefixes, strict=True):
                tags[word.idx - 1] = prefix + label.value if self.options.tags == "ner" else label.value
        return tags


SIDES: dict[str, type[Side]] = {"ours": Ours, "flair": Flair, "flair+characters": Flair}


def serve(options: argparse.Namespace) -> None:
    """Be one side: a line of JSON for each request on standard input, which the libraries cannot write among."""
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    side = SIDES[options.side](options)
    for line in sys.stdin:
        name = line.strip()
        answer = side.seconds(name) if name in MEASURED else getattr(side, name)()
        print(json.dumps(answer), file=channel, flush=True)


class Process:
    """A side as the driver sees it."""

    def __init__(self, side: str, python: str, threads: int, folder: Path, options: argparse.Namespace) -> None:
        arguments = [python, __file__, "--side", side, "--folder", str(folder), "--threads", str(threads)]
        for name in ("tags", "batch", "width", "hidden", "seed"):
            arguments += [f"--{name}", str(getattr(options, name))]
        offline = {"HF_HUB_OFFLINE": "1", "FLAIR_CACHE_ROOT": str(folder), "CUDA_VISIBLE_DEVICES": ""}
        self.errors = folder / f"{side}.log"
        with self.errors.open("w") as errors:
            self._process = subprocess.Popen(
                arguments,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**os.environ, **offline, "OMP_NUM_THREADS": str(threads)},
            )

    def ask(self, request: str) -> Any:
        """Its answer; what it said last, if it has died."""
        assert self._process.stdin and self._process.stdout
        with contextlib.suppress(BrokenPipeError):
            print(request, file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit("\n".join(self.errors.read_text().splitlines()[-12:]))
        return json.loads(answer)

    def end(self) -> None:
        """Let it go."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


def read(path: Path) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Words and tags of a file as :func:`write_corpus` makes them."""
    for block in path.read_text().strip("\n").split("\n\n"):
        words, tags = zip(*(line.split("\t") for line in block.split("\n")), strict=True)
        yield words, tags


def write_corpus(folder: Path, data: Path | None, limit: int) -> str:
    """``train.tsv`` and ``test.tsv``, word and tag; returns the kind of the tags, ``ner`` (BIOES) or ``upos``."""
    from skd_lightning.data.demo import LANGUAGES, demo_corpus
    from skd_lightning.data.readers import read as read_sentences
    from skd_lightning.tags import convert, recognise

    if data is None:
        corpora = [demo_corpus(language) for language in LANGUAGES]
        splits = {name: [s for corpus in corpora for s in corpus[name]] for name in ("train", "test")}
    else:
        everything = [s for s in read_sentences(data, "xx") if s.tags][:limit]
        splits = {"train": everything[: -len(everything) // 5], "test": everything[-len(everything) // 5 :]}
    entities = recognise(splits["train"]).scheme != "none"
    for name, sentences in splits.items():
        with (folder / f"{name}.tsv").open("w") as file:
            for sentence in sentences:
                tags = sentence.tags or ()
                for word, tag in zip(sentence.words, convert(tags, "bioes") if entities else tags, strict=True):
                    file.write(f"{word}\t{tag}\n")
                file.write("\n")
    return "ner" if entities else "upos"


def measure(names: dict[str, str], threads: int, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """All sides in turn, with so many threads each."""
    load = os.getloadavg()[0]
    sides = {name: Process(name, python, threads, folder, options) for name, python in names.items()}
    about = {name: side.ask("describe") for name, side in sides.items()}
    if any(about["ours"][split] != said[split] for said in about.values() for split in ("train", "test")):
        raise SystemExit(f"the sides have read different sentences: {about}")
    times: dict[str, dict[str, list[float]]] = {what: {name: [] for name in sides} for what in MEASURED}
    for turn in range(options.rounds + 1):
        for what, spent in times.items():
            for name, side in sides.items():
                seconds = side.ask(what)
                if turn:
                    spent[name].append(seconds)
    accuracy = {name: side.ask("accuracy") for name, side in sides.items()}
    for side in sides.values():
        side.end()
    rates = {
        what: {name: about["ours"][MEASURED[what]][1] / median(seconds) for name, seconds in spent.items()}
        for what, spent in times.items()
    }
    ratios = {
        what: {name: rate["ours"] / rate[name] for name in rate if name != "ours"} for what, rate in rates.items()
    }
    found = {"words_per_second": rates, "ratios": ratios, "seconds": times, "accuracy": accuracy}
    return {"threads": threads, "load": [load, os.getloadavg()[0]], "sides": about, **found}


def main() -> None:
    """Measure, print, write ``benchmarks/results/flair.{md,json}``."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--python-flair", default=os.environ.get("FLAIR_PYTHON"), help="default: $FLAIR_PYTHON")
    parser.add_argument("--data", type=Path, help="a CoNLL-U or column file; its last fifth is predicted")
    parser.add_argument("--limit", type=int, default=3000, help="sentences of --data")
    parser.add_argument("--characters", action="store_true", help="also flair with its character BiLSTM")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--batch", type=int, default=32, help="sentences")
    parser.add_argument("--width", type=int, default=128, help="of a word's vector")
    parser.add_argument("--hidden", type=int, default=256, help="LSTM units in each direction")
    parser.add_argument("--seed", type=int, default=1)
    for name, kind in (("side", str), ("folder", Path), ("tags", str)):  # for the processes of the sides
        parser.add_argument(f"--{name}", type=kind, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        serve(options)
        return
    there = [options.python_flair or "", "-c", "from importlib.util import find_spec as f; exit(f('flair') is None)"]
    try:
        found = bool(options.python_flair) and subprocess.run(there, check=False).returncode == 0
    except OSError:
        found = False
    if not found:
        sys.stderr.write("flair is not there: name the Python that has it with --python-flair or $FLAIR_PYTHON\n")
        raise SystemExit(2)
    from common import report

    names = {"ours": sys.executable, "flair": options.python_flair}
    if options.characters:
        names["flair+characters"] = options.python_flair
    with tempfile.TemporaryDirectory() as folder:
        options.tags = write_corpus(Path(folder), options.data, options.limit)
        results = [measure(names, threads, Path(folder), options) for threads in options.threads]
    rivals = list(names)[1:]
    rows = [
        [
            f"{what.replace('_', ' ')}, {result['threads']} threads",
            *(f"{result['words_per_second'][what][name]:,.0f}" for name in names),
            *(f"{result['ratios'][what][name]:.2f}" for name in rivals),
        ]
        for result in results
        for what in MEASURED
    ]
    about = results[0]["sides"]
    rows.append(["parameters", *(f"{about[name]['parameters']:,}" for name in names), *[""] * len(rivals)])
    for result in results:
        shares = [f"{result['accuracy'][name]:.3f}" for name in names]
        rows.append([f"right tags, {result['threads']} threads", *shares, *[""] * len(rivals)])
    headings = ["words/s", *names, *(f"ours ÷ {name}" for name in rivals)]
    (train, words), (test, test_words) = about["ours"]["train"], about["ours"]["test"]
    title = f"{options.tags} tagging: {train:,} sentences ({words:,} words) trained on"
    report("flair", f"{title}, {test:,} ({test_words:,}) predicted", headings, rows, results)


if __name__ == "__main__":
    main()
