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
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from common import report
from flair_sides import SIZES

MEASURED = ("train", "trainer", "predict_new", "predict_again", "predict_in_calls")
"""Methods of a side that prepare what is to be timed and return it."""


class Process:
    """A side as the driver sees it."""

    def __init__(self, side: str, python: str, threads: int, options: argparse.Namespace) -> None:
        arguments = [
            python,
            str(Path(__file__).with_name("flair_sides.py")),
            "--side",
            side,
            "--threads",
            str(threads),
        ]
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
    from skd_lightning.data.module import TaggingData

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
    for name, size in SIZES.items():
        parser.add_argument(f"--{name}", type=int, default=size, help="default: %(default)s")
    options = parser.parse_args()
    search = "import importlib.util as u, sys; sys.exit(u.find_spec('flair') is None)"
    found = False
    with contextlib.suppress(OSError):
        found = subprocess.run([options.python_flair, "-c", search], check=False).returncode == 0
    if not found:
        sys.stderr.write("no flair: name the Python of its environment by --python-flair or $FLAIR_PYTHON\n")
        raise SystemExit(2)
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
    title = (
        f"{options.tags} tags, {options.hidden} LSTM units, {sentences} sentences, {words} words; ours is the network "
        "alone, without sparse features"
    )
    report("flair", title, ["words/s", *pythons, *(f"ours ÷ {name}" for name in rivals)], rows, results)


if __name__ == "__main__":
    main()
