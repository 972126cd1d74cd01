"""The two sides of ``flair_tagger.py``: each a process of its own, asked over its standard input.

Our side and flair's want different versions of transformers, so this file runs in either's environment and imports a
library only where it is used.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias

RATE, CLIP = 3e-3, 5.0
SIZES = {"batch": 32, "width": 128, "hidden": 256, "seed": 1}
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
    """The network of ``Tagger`` with ``NgramEmbedder``, without sparse features; other arguments are the default ones
    but for the sizes.
    """

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
        from skd_lightning.data.batches import SentenceDataset
        from skd_lightning.encoders import BiLSTM, NgramEmbedder
        from skd_lightning.taggers import Tagger

        embedder = NgramEmbedder(embedding_size=self.options.width // 2)
        context = BiLSTM(hidden_size=self.options.hidden)
        tagger = Tagger(list(self.tag_set.names), self.tag_set.scheme, [""], embedder, context)
        self.data = SentenceDataset(self.sentences, tagger.featurizer, [""], self.tag_set, keep=True)
        return tagger

    def loss(self, indices: list[int]) -> Any:
        batch = self.data.__getitems__(indices)
        return self.tagger.losses(self.tagger(batch), batch).mean()

    def trainer(self) -> Timed:
        import pytorch_lightning as pl
        from torch.utils.data import DataLoader

        from skd_lightning.data.batch_sampling import TrainingBatches
        from skd_lightning.data.batches import as_is

        tagger, lengths = self.make(), self.data.lengths
        budget = int(1.06 * self.options.batch * lengths.mean())  # in words; batches are not quite full
        batches = TrainingBatches(lengths, self.data.languages, budget, seed=self.options.seed)
        loader = DataLoader(self.data, batch_sampler=batches, collate_fn=as_is)
        off: Any = {f"enable_{what}": False for what in ("checkpointing", "progress_bar", "model_summary")}
        trainer = pl.Trainer(max_epochs=1, accelerator="cpu", gradient_clip_val=CLIP, logger=False, **off)
        return lambda: trainer.fit(tagger, loader)

    def forget(self) -> None:
        embedder = self.tagger.encoder.embedder
        embedder.featurizer = type(embedder.featurizer)(embedder.featurizer.buckets)

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


def main() -> None:
    """Be the side that ``--side`` names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    for name, size in SIZES.items():
        parser.add_argument(f"--{name}", type=int, default=size)
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--side", required=True)
    parser.add_argument("--tags", required=True)
    serve(parser.parse_args())


if __name__ == "__main__":
    main()
