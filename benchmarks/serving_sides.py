"""One system tags sentences in a process of its own, see ``benchmarks/serving.py``; prints its times as JSON.

``python benchmarks/serving_sides.py SIDE FOLDER LANGUAGE SENTENCES.json --began SECONDS``. The process imports what the
system needs and nothing else: no skd_lightning for the others. It tags one sentence, then some one by one, then all
others at once; no sentence is tagged twice, since a system may remember words.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

Texts = Sequence[Sequence[str]]
Tag = Callable[[Texts], Sequence[Sequence[str]]]
BATCH = 32
"""Sentences, for systems that have to be told."""


def torch_tagger(folder: str, language: str) -> Tag:
    """Ours, as it was trained."""
    import torch

    import skd_lightning

    torch.set_num_threads(1)
    tagger = skd_lightning.load(folder)
    return lambda texts: [prediction.tags for prediction in tagger.predict(texts, language)]


def runtime(folder: str, language: str) -> Tag:
    """Ours without PyTorch."""
    from skd_lightning.serving import Runtime

    tagger = Runtime.load(folder)
    return lambda texts: [prediction.tags for prediction in tagger.predict(texts, language)]


def spacy(folder: str, language: str) -> Tag:
    """A pipeline of spaCy, with what the tags need alone."""
    import spacy
    from spacy.tokens import Doc

    exclude = ["parser", "ner", "lemmatizer", "senter"] if "core" in folder else []
    nlp = spacy.load(folder, exclude=exclude)

    def tag(texts: Texts) -> list[list[str]]:
        docs = [Doc(nlp.vocab, words=list(words)) for words in texts]
        found = nlp.pipe(docs) if len(docs) > 1 else map(nlp, docs)
        if "ner" in nlp.pipe_names:
            return [[f"{t.ent_iob_}-{t.ent_type_}" if t.ent_type_ else "O" for t in doc] for doc in found]
        return [[token.pos_ or token.tag_ for token in doc] for doc in found]

    return tag


def crfsuite(folder: str, language: str) -> Tag:
    """CRFsuite on the features of experiments/peers."""
    import pycrfsuite

    sys.path.insert(0, str(Path(__file__).parents[1] / "experiments/peers"))
    from crfsuite_features import features

    tagger = pycrfsuite.Tagger()
    tagger.open(f"{folder}/model.crfsuite")
    return lambda texts: [tagger.tag([dict.fromkeys(row, 1.0) for row in features(words)]) for words in texts]


def flair(folder: str, language: str) -> Tag:
    """Flair's SequenceTagger."""
    import logging

    import flair as library
    import torch
    from flair.data import Sentence
    from flair.models import SequenceTagger

    torch.set_num_threads(1)
    library.device = torch.device("cpu")
    logging.getLogger("flair").setLevel(logging.ERROR)
    tagger = SequenceTagger.load(f"{folder}/model.pt")

    def tag(texts: Texts) -> list[list[str]]:
        sentences = [Sentence(list(words)) for words in texts]
        tagger.predict(sentences, mini_batch_size=BATCH)
        found = []
        for sentence in sentences:
            if tagger.tag_type == "upos":
                found.append([token.get_label("upos").value for token in sentence])
                continue
            tags = ["O"] * len(sentence)
            for span in sentence.get_spans(tagger.tag_type):
                for place, token in enumerate(span):
                    tags[token.idx - 1] = f"{'I' if place else 'B'}-{span.get_label(tagger.tag_type).value}"
            found.append(tags)
        return found

    return tag


def transformer(folder: str, language: str) -> Tag:
    """A token-classification pipeline of transformers; its weights are random, so its tags are not looked at."""
    import torch
    from transformers import pipeline

    torch.set_num_threads(1)
    classifier = pipeline("token-classification", folder, aggregation_strategy="first", device="cpu")

    def tag(texts: Texts) -> list[list[str]]:
        classifier([" ".join(words) for words in sorted(texts, key=len)], batch_size=min(BATCH, len(texts)))
        return []

    return tag


SIDES = {side.__name__: side for side in (torch_tagger, runtime, spacy, crfsuite, flair, transformer)}


def peak_memory() -> float:
    """Return MiB of this process; ru_maxrss would be the parent's where that was larger."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024


def main() -> None:
    """Tag, and print seconds, memory and tags."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("side", choices=SIDES)
    parser.add_argument("folder")
    parser.add_argument("language")
    parser.add_argument("sentences", type=Path)
    parser.add_argument(
        "--began", type=float, required=True, help="time.monotonic() when the process was started"
    )
    parser.add_argument("--single", type=int, default=100, help="sentences one by one")
    parser.add_argument("--most", type=int, help="sentences at once")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    texts = json.loads(options.sentences.read_text())
    first, rest = texts[: options.single + 1], texts[options.single + 1 :][: options.most]
    tag = SIDES[options.side](options.folder, options.language)
    tags = [*tag(first[:1])]
    started = time.monotonic() - options.began, time.process_time()
    memory = [peak_memory()]
    singles = []
    for text in first[1:]:
        before = time.perf_counter(), time.process_time()
        tags += tag([text])
        singles.append((time.perf_counter() - before[0], time.process_time() - before[1]))
    before = time.perf_counter(), time.process_time()
    tags += tag(rest)
    batch = time.perf_counter() - before[0], time.process_time() - before[1]
    memory.append(peak_memory())
    words = sum(map(len, rest))
    found: dict[str, Any] = {"memory_mib": memory[1], "memory_started_mib": memory[0], "tags": tags}
    found["sentences"] = [len(singles), len(rest)]
    for place, clock in enumerate(("wall", "cpu")):
        found[clock] = {
            "start_s": started[place],
            "sentence_ms": 1000 * median(single[place] for single in singles),
            "words_per_s": words / batch[place],
        }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
