"""Training and prediction speed of our tagger and of flair's ``SequenceTagger``, same sentences, one run.

``python benchmarks/flair_tagger.py --python-flair PATH``: the Python of an environment with flair. It and
ours want different versions of transformers, so each side is a process of its own, and they are asked in turn
(ours, flair, ours, …), so that a drifting machine hits both alike.

Both: vectors of ``--width`` for each word, learned from scratch; dropout; one BiLSTM layer, ``--hidden``
units in each direction; linear layer; CRF; fused AdamW, gradients clipped at 5; batches of ``--batch``
sentences. The vectors differ. Ours are a bag of hashed character n-grams beside one of hashed word forms,
half the width each, in tables of 32,768 rows, all of which the optimiser passes over at each step. flair's
are a row for each training word (``OneHotEmbeddings``; unseen words share one), or that beside a character
BiLSTM (``--characters``).

* train: an epoch by hand, the same batches for both, from featurised sentences: loss, backward, clipping,
  step. The batches are random, so half of what stands in them is padding, which flair's packed LSTM skips and
  ours does not: ours is meant for sentences of similar length.
* trainer: an epoch of a new tagger by Lightning's ``Trainer`` or flair's ``ModelTrainer``, no evaluation,
  nothing saved; ours in batches of similar lengths, as it is used, with about as many steps.
* predict new: the test sentences in one call, from lists of words: flair's ``Sentence`` objects are made
  within the time, our featuriser has met no word. flair's ``mini_batch_size`` is ``--batch``, ours chooses
  its own. (flair clears the embeddings of all sentences after each batch, so it gets slower with their
  number.)
* predict again: flair's ``Sentence`` objects are there already, our featuriser knows the words.
* predict in calls: as predict new, ``--batch`` sentences a call on both sides.

Figures are medians over rounds after one of warming up, ratios are those of medians. That both have learned
is seen from the share of test words that are tagged right after the epochs by hand.
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
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, TypeAlias

MEASURED = ("train", "trainer", "predict_new", "predict_again", "predict_in_calls")
"""Methods of a side that prepare what is to be timed and return it."""
RATE, CLIP = 3e-3, 5.0
Timed: TypeAlias = Callable[[], object]


class Side:
    """A library in its own process, with data, tagger and optimiser ready."""

    tagger: Any
    sentences: list[Any]
    texts: list[list[str]]

    def __init__(self, options: argparse.Namespace) -> None:
        import torch

        torch.manual_seed(options.seed)
        torch.set_num_threads(options.threads[0])
        self.options, self.epoch = options, 0
        self.prepare(options.folder)
        self.tagger = self.make()
        self.optimizer = torch.optim.AdamW(self.tagger.parameters(), lr=RATE, fused=True)

    def about(self) -> dict[str, Any]:
        """Sizes and versions."""
        packages = (
            "torch",
            "numpy",
            "transformers",
            "flair" if isinstance(self, Flair) else "pytorch-lightning",
        )
        return {
            "sentences": [len(self.sentences), len(self.texts)],
            "words": [sum(map(self.length, self.sentences)), sum(map(len, self.texts))],
            "parameters": sum(parameter.numel() for parameter in self.tagger.parameters()),
            "versions": {package: version(package) for package in packages},
        }

    def cut(self, items: Sequence[Any]) -> list[Any]:
        """Into batches of so many sentences."""
        return [items[i : i + self.options.batch] for i in range(0, len(items), self.options.batch)]

    def train(self) -> Timed:
        import torch

        self.epoch += 1
        order = list(range(len(self.sentences)))
        random.Random(f"{self.options.seed} {self.epoch}").shuffle(order)
        self.tagger.train()

        def run() -> None:
            for indices in self.cut(order):
                self.optimizer.zero_grad()
                self.loss(indices).backward()
                torch.nn.utils.clip_grad_norm_(self.tagger.parameters(), CLIP)
                self.optimizer.step()

        return run

    def predict_new(self) -> Timed:
        self.forget()
        return lambda: self.predict(self.texts)

    def predict_again(self) -> Timed:
        return lambda: self.predict(self.prepared)

    def predict_in_calls(self) -> Timed:
        self.forget()
        return lambda: [self.predict(texts) for texts in self.cut(self.texts)]

    def accuracy(self) -> float:
        """Share of the test words that are tagged right."""
        gold, found = self.tags()
        return sum(a == b for a, b in zip(gold, found, strict=True)) / len(gold)


class Ours(Side):
    """``Tagger`` with ``NgramEncoder``; arguments are the default ones but for the sizes."""

    def prepare(self, folder: Path) -> None:
        from skd_lightning.data.readers import read
        from skd_lightning.tags import TagSet

        self.sentences, self.test = (read(folder / f"{name}.tsv", "") for name in ("train", "test"))
        self.prepared = self.texts = [list(sentence.words) for sentence in self.test]
        names = {tag for sentence in self.sentences + self.test for tag in sentence.tags or ()}
        self.tag_set = TagSet.of(names, "bioes" if self.options.tags == "ner" else "none")

    def length(self, sentence: Any) -> int:
        return len(sentence.words)

    def make(self) -> Any:
        from skd_lightning.data import SentenceDataset
        from skd_lightning.encoders import NgramEncoder
        from skd_lightning.taggers import Tagger

        encoder = NgramEncoder(embedding_size=self.options.width // 2, hidden_size=self.options.hidden)
        self.data = SentenceDataset(self.sentences, encoder.featurizer, [""], self.tag_set)
        return Tagger(list(self.tag_set.names), self.tag_set.scheme, [""], encoder)

    def loss(self, indices: list[int]) -> Any:
        batch = self.data.__getitems__(indices)
        return self.tagger.losses(self.tagger(batch), batch).mean()

    def trainer(self) -> Timed:
        import pytorch_lightning as pl
        from torch.utils.data import DataLoader

        from skd_lightning.data.batches import as_is
        from skd_lightning.data.sampling import TrainingBatches

        tagger, lengths = self.make(), self.data.lengths
        budget = int(1.06 * self.options.batch * lengths.mean())  # in words; batches are not quite full
        batches = TrainingBatches(lengths, self.data.languages, budget, seed=self.options.seed)
        loader = DataLoader(self.data, batch_sampler=batches, collate_fn=as_is)
        off: Any = {f"enable_{what}": False for what in ("checkpointing", "progress_bar", "model_summary")}
        trainer = pl.Trainer(max_epochs=1, accelerator="cpu", gradient_clip_val=CLIP, logger=False, **off)
        return lambda: trainer.fit(tagger, loader)

    def forget(self) -> None:
        encoder = self.tagger.encoder
        encoder.featurizer = type(encoder.featurizer)(encoder.featurizer.buckets, encoder.vocabulary)

    def predict(self, texts: Any) -> Any:
        return self.tagger.predict(texts)

    def tags(self) -> tuple[list[str], list[str]]:
        gold = [tag for sentence in self.test for tag in sentence.tags or ()]
        return gold, [tag for prediction in self.predict(self.texts) for tag in prediction.tags]


class Flair(Side):
    """``SequenceTagger``; arguments are the default ones but for those named here."""

    def prepare(self, folder: Path) -> None:
        import flair
        import torch
        from flair.data import Corpus, Sentence
        from flair.datasets import ColumnDataset

        flair.device = torch.device("cpu")
        form: Any = {"column_name_map": {0: "text", 1: self.options.tags}, "column_delimiter": "\t"}
        train, test = (ColumnDataset(folder / f"{name}.tsv", **form) for name in ("train", "test"))
        self.corpus = Corpus(train=train, sample_missing_splits=False)
        self.sentences, self.test = list(train), list(test)
        self.texts = [[token.text for token in sentence] for sentence in self.test]
        self.prepared = [Sentence(words) for words in self.texts]

    def length(self, sentence: Any) -> int:
        return len(sentence)

    def make(self) -> Any:
        from flair.data import Dictionary
        from flair.embeddings import CharacterEmbeddings, OneHotEmbeddings, StackedEmbeddings
        from flair.models import SequenceTagger

        parts: list[Any] = []
        if self.options.side == "flair+characters":
            characters = Dictionary()
            for character in sorted({char for sentence in self.sentences for char in sentence.text}):
                characters.add_item(character)
            parts.append(CharacterEmbeddings(characters))
        rest = self.options.width - sum(part.embedding_length for part in parts)
        parts.append(OneHotEmbeddings.from_corpus(self.corpus, min_freq=1, embedding_length=rest))
        return SequenceTagger(
            hidden_size=self.options.hidden,
            embeddings=StackedEmbeddings(parts),
            tag_dictionary=self.corpus.make_label_dictionary(self.options.tags, add_unk=False),
            tag_type=self.options.tags,
            use_crf=True,
            reproject_embeddings=False,  # a layer that is meant for vectors that are not trained
        )

    def loss(self, indices: list[int]) -> Any:
        batch = [self.sentences[i] for i in indices]
        loss, words = self.tagger.forward_loss(batch)
        for sentence in batch:  # as its trainer does
            sentence.clear_embeddings()
        return loss / words

    def trainer(self) -> Timed:
        import torch
        from flair.trainers import ModelTrainer

        trainer = ModelTrainer(self.make(), self.corpus)
        settings: Any = {"max_epochs": 1, "mini_batch_size": self.options.batch, "learning_rate": RATE}
        settings |= dict.fromkeys(("save_final_model", "create_file_logs", "create_loss_file"), False)
        return lambda: trainer.train(self.options.folder, optimizer=torch.optim.AdamW, fused=True, **settings)

    def forget(self) -> None:
        self.tagger.eval()

    def predict(self, texts: Any) -> None:
        from flair.data import Sentence

        sentences = [words if isinstance(words, Sentence) else Sentence(words) for words in texts]
        self.tagger.predict(sentences, mini_batch_size=self.options.batch)

    def tags(self) -> tuple[list[str], list[str]]:
        self.predict(self.prepared)
        return self.tagger._get_gold_labels(self.test), self.tagger._get_gold_labels(self.prepared)


def serve(options: argparse.Namespace) -> None:
    """Be a side: a line of JSON for each request, to where the libraries cannot write."""
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    side = (Ours if options.side == "ours" else Flair)(options)
    for line in sys.stdin:
        answer = getattr(side, line.strip())()
        if callable(answer):
            began = time.perf_counter()
            answer()
            answer = time.perf_counter() - began
        print(json.dumps(answer), file=channel, flush=True)


class Process:
    """A side as the driver sees it."""

    def __init__(self, side: str, python: str, threads: int, options: argparse.Namespace) -> None:
        arguments = [python, __file__, "--side", side, "--threads", str(threads)]
        for name in ("folder", "tags", "batch", "width", "hidden", "seed"):
            arguments += [f"--{name}", str(getattr(options, name))]
        added = {"HF_HUB_OFFLINE": "1", "FLAIR_CACHE_ROOT": str(options.folder), "CUDA_VISIBLE_DEVICES": ""}
        self.errors = options.folder / f"{side}.log"
        pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self.errors.open("w")}
        environment = {**os.environ, **added, "OMP_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen(arguments, text=True, env=environment, **pipes)

    def ask(self, request: str) -> Any:
        """Its answer; where there is none, what it said last."""
        with contextlib.suppress(BrokenPipeError):
            print(request, file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline() if self.process.stdout else ""
        if not answer:
            raise SystemExit("\n".join(self.errors.read_text().splitlines()[-12:]))
        return json.loads(answer)


def write_corpus(options: argparse.Namespace) -> str:
    """``train.tsv`` and ``test.tsv``, word and tag; returns the kind of tags, ``ner`` (BIOES) or ``upos``."""
    from skd_lightning.data import TaggingData

    source = {name: getattr(options, name) for name in ("task", "data", "languages", "max_train_sentences")}
    data = TaggingData(**source)
    for split in ("train", "test"):
        sentences = [s for language in data.sentences[split].values() for s in language if s.tags]
        blocks = [
            "".join(f"{word}\t{tag}\n" for word, tag in zip(s.words, s.tags or (), strict=True))
            for s in sentences
        ]
        (options.folder / f"{split}.tsv").write_text("\n".join(blocks))
    return "upos" if data.tag_scheme == "none" else "ner"


def measure(pythons: dict[str, str], threads: int, options: argparse.Namespace) -> dict[str, Any]:
    """All sides in turn, with so many threads each."""
    load = os.getloadavg()[0]
    sides = {name: Process(name, python, threads, options) for name, python in pythons.items()}
    about = {name: side.ask("about") for name, side in sides.items()}
    if any(about["ours"][what] != other[what] for other in about.values() for what in ("sentences", "words")):
        raise SystemExit(f"the sides have read different sentences: {about}")
    times: dict[str, dict[str, list[float]]] = {what: {name: [] for name in sides} for what in MEASURED}
    for turn in range(options.rounds + 1):
        for what, by_side in times.items():
            for name, side in sides.items():
                seconds = side.ask(what)
                by_side[name] += [seconds] if turn else []
    accuracy = {name: side.ask("accuracy") for name, side in sides.items()}
    for side in sides.values():
        side.process.communicate()  # ends it
    rates, ratios = {}, {}
    for what, by_side in times.items():
        words = about["ours"]["words"][what.startswith("predict")]
        rates[what] = {name: words / median(seconds) for name, seconds in by_side.items()}
        ratios[what] = {
            name: rates[what]["ours"] / rate for name, rate in rates[what].items() if name != "ours"
        }
    found = {"words_per_second": rates, "ratios": ratios, "accuracy": accuracy, "seconds": times}
    return {"threads": threads, "loads": [load, os.getloadavg()[0]], "sides": about, **found}


def main() -> None:
    """Measure, print, write ``benchmarks/results/flair.{md,json}``."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--python-flair", default=os.environ.get("FLAIR_PYTHON", ""), help="else $FLAIR_PYTHON"
    )
    parser.add_argument(
        "--task", default="demo", help="of our data module, like the next three: demo, upos, …"
    )
    parser.add_argument("--data", help="folder")
    parser.add_argument("--languages", nargs="+")
    parser.add_argument("--max_train_sentences", type=int)
    parser.add_argument("--characters", action="store_true", help="also flair with its character BiLSTM")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    for name, size in {"batch": 32, "width": 128, "hidden": 256, "seed": 1}.items():
        parser.add_argument(f"--{name}", type=int, default=size, help="default: %(default)s")
    for name in ("side", "folder", "tags"):  # what the sides' processes are told
        parser.add_argument(f"--{name}", type=Path if name == "folder" else str, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        return serve(options)
    search = "import importlib.util as u, sys; sys.exit(u.find_spec('flair') is None)"
    found = False
    with contextlib.suppress(OSError):
        found = subprocess.run([options.python_flair, "-c", search], check=False).returncode == 0
    if not found:
        sys.stderr.write("no flair: name the Python of its environment by --python-flair or $FLAIR_PYTHON\n")
        raise SystemExit(2)
    from common import report

    rivals = ["flair", "flair+characters"] if options.characters else ["flair"]
    pythons = {"ours": sys.executable, **dict.fromkeys(rivals, options.python_flair)}
    with tempfile.TemporaryDirectory() as folder:
        options.folder = Path(folder)
        options.tags = write_corpus(options)
        results = [measure(pythons, threads, options) for threads in options.threads]
    rows, blank = [], [""] * len(rivals)
    for result in results:
        for what, rates in result["words_per_second"].items():
            ratios = [f"{result['ratios'][what][name]:.2f}" for name in rivals]
            head = f"{what.replace('_', ' ')}, threads: {result['threads']}"
            rows.append([head, *(f"{rate:,.0f}" for rate in rates.values()), *ratios])
        rows.append(
            ["words tagged right", *(f"{share:.3f}" for share in result["accuracy"].values()), *blank]
        )
    about = results[0]["sides"]
    rows.append(["parameters", *(f"{side['parameters']:,}" for side in about.values()), *blank])
    sentences, words = (
        " and ".join(f"{n:,}" for n in about["ours"][what]) for what in ("sentences", "words")
    )
    title = f"{options.tags} tags, {options.hidden} LSTM units, {sentences} sentences, {words} words"
    report("flair", title, ["words/s", *pythons, *(f"ours ÷ {name}" for name in rivals)], rows, results)


if __name__ == "__main__":
    main()
