"""An epoch on a frozen transformer of M-BERT's shape: ours against the loop that runs it again each epoch.

``python benchmarks/frozen.py``. The transformer has random weights (12 layers, 768 units, 119,547 pieces) and a
WordPiece tokenizer made from the demo corpus; nothing is downloaded. Ours reads every sentence once, keeps the word
vectors on disk, and trains a BiLSTM-CRF on them. The other side is the usual token-classification loop:
``AutoModelForTokenClassification`` with a frozen body, sentences tokenised beforehand, a linear layer and cross-entropy
that alone are trained. Same sentences, same batches, AdamW on both sides.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from statistics import median

import numpy as np
import torch
from common import report
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import (
    AutoModelForTokenClassification,
    AutoTokenizer,
    BertConfig,
    BertModel,
    PreTrainedTokenizerFast,
)

from skd_lightning.data import demo
from skd_lightning.data.batch_sampling import TrainingBatches
from skd_lightning.data.batches import Batch, SentenceDataset
from skd_lightning.data.sentence import Sentence
from skd_lightning.encoders import BiLSTM, FrozenTransformerEmbedder
from skd_lightning.taggers import Teacher
from skd_lightning.tags import TagSet


def save_tokenizer(folder: Path, texts: Iterable[str], pieces: int) -> None:
    """A WordPiece tokenizer that is made from some texts, as ``save_pretrained`` leaves it."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(texts, trainers.WordPieceTrainer(vocab_size=pieces, special_tokens=special))
    ends = [(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    names = {f"{name}_token": f"[{name.upper()}]" for name in ("unk", "pad", "cls", "sep", "mask")}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=512, **names).save_pretrained(folder)


def save_transformer(folder: Path, sentences: list[Sentence], layers: int = 12) -> str:
    """A transformer of M-BERT's shape, or with fewer layers, as ``save_pretrained`` leaves it."""
    save_tokenizer(folder, (" ".join(sentence.words) for sentence in sentences), pieces=2000)
    BertModel(BertConfig(vocab_size=119547, num_hidden_layers=layers)).save_pretrained(folder)
    return str(folder)


class Ours:
    """BiLSTM-CRF on word vectors that are read from disk."""

    def __init__(self, name: str, dataset_of: list[Sentence], tag_set: TagSet, cache: Path) -> None:
        began = time.perf_counter()
        embedder = FrozenTransformerEmbedder(name, cache=str(cache))
        self.tagger = Teacher(list(tag_set.names), tag_set.scheme, ["en"], embedder, BiLSTM(256)).train()
        self.data = SentenceDataset(dataset_of, self.tagger.featurizer, ["en"], tag_set, keep=True)
        self.preparation = time.perf_counter() - began
        trained = [parameter for parameter in self.tagger.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.AdamW(trained, fused=True)

    def epoch(self, batches: list[list[int]]) -> None:
        """All batches once."""
        for indices in batches:
            batch: Batch = self.data.__getitems__(indices)
            self.optimizer.zero_grad()
            self.tagger.losses(self.tagger(batch), batch).mean().backward()
            self.optimizer.step()


class Usual:
    """A linear layer on a frozen body that runs in every step."""

    def __init__(self, name: str, data: SentenceDataset, tags: int) -> None:
        self.model = AutoModelForTokenClassification.from_pretrained(name, num_labels=tags).train()
        self.model.base_model.requires_grad_(False)
        trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.AdamW(trained, fused=True)
        self.data = data
        self.tokenizer = AutoTokenizer.from_pretrained(name)

    def prepare(self, batches: list[list[int]]) -> list[dict[str, torch.Tensor]]:
        """Tokenised batches with the tag at each word's first piece."""
        prepared = []
        for indices in batches:
            words = [list(self.data.sentences[i].words) for i in indices]
            encoded = self.tokenizer(words, is_split_into_words=True, padding=True, return_tensors="pt")
            labels = torch.full(encoded["input_ids"].shape, -100)
            for row, i in enumerate(indices):
                before = None
                for piece, word in enumerate(encoded.word_ids(row)):
                    if word is not None and word != before:
                        labels[row, piece] = int(self.data._tags[i][word])
                    before = word
            prepared.append({**encoded, "labels": labels})
        return prepared

    def epoch(self, prepared: list[dict[str, torch.Tensor]]) -> None:
        """All batches once."""
        for batch in prepared:
            self.optimizer.zero_grad()
            self.model(**batch).loss.backward()
            self.optimizer.step()


def main() -> None:
    """Measure, print, write ``benchmarks/results/frozen.{md,json}``."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sentences", type=int, default=150)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    sentences = demo.demo_corpus("en", {"train": options.sentences, "dev": 1, "test": 1})["train"]
    tag_set = TagSet.of({tag for sentence in sentences for tag in sentence.tags or ()}, "iob2")
    with tempfile.TemporaryDirectory() as folder:
        name = save_transformer(Path(folder) / "model", sentences)
        ours = Ours(name, sentences, tag_set, Path(folder) / "cache")
        usual = Usual(name, ours.data, len(tag_set))
        batches = list(TrainingBatches(ours.data.lengths, ours.data.languages, 500))
        prepared = usual.prepare(batches)
        ours.epoch(batches)
        usual.epoch(prepared[:1])
        times: dict[str, list[float]] = {"ours": [], "usual": []}
        for _ in range(options.rounds):
            began = time.perf_counter()
            ours.epoch(batches)
            between = time.perf_counter()
            usual.epoch(prepared)
            times["ours"].append(between - began)
            times["usual"].append(time.perf_counter() - between)
    words, pieces = (
        int(ours.data.lengths.sum()),
        int(sum(batch["attention_mask"].sum() for batch in prepared)),
    )
    rates = {side: words / median(spent) for side, spent in times.items()}
    ratio = float(np.median([b / a for a, b in zip(times["ours"], times["usual"], strict=True)]))
    rows = [
        [
            "transformer once, word vectors on disk, BiLSTM-CRF",
            f"{rates['ours']:,.0f}",
            f"{ours.preparation:.1f}",
            f"{ratio:.1f}",
        ],
        ["transformer in every step, linear layer", f"{rates['usual']:,.0f}", "–", "1"],
    ]
    title = (
        f"Frozen transformer of M-BERT's shape: {words:,} words, {pieces:,} pieces, {options.threads} threads"
    )
    headings = ["training", "words/s after the first epoch", "before it, s", "times faster"]
    report(
        "frozen", title, headings, rows, {"seconds": times, "preparation": ours.preparation, "ratio": ratio}
    )


if __name__ == "__main__":
    main()
