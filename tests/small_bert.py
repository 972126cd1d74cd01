"""A small real BERT, saved as any pretrained model is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig,
    BertForTokenClassification,
    BertModel,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from skd_lightning.data.demo import demo_corpus


def save_bert(
    folder: Path,
    seed: int = 0,
    positions: int = 32,
    labels: Sequence[str] = (),
    texts: Sequence[str] = (),
    kind: type[PreTrainedModel] = BertModel,
) -> str:
    """A BERT of 2 layers and 16 units with a WordPiece tokenizer trained on texts (by default the demo corpus).

    With labels, it is a token classifier; nobody has trained it, but its logits are as far apart as one's.
    """
    demo = demo_corpus("en", {"train": 100, "dev": 1, "test": 1})["train"]
    texts = texts or [" ".join(sentence.words) for sentence in demo]
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(texts, trainers.WordPieceTrainer(vocab_size=300, special_tokens=special))
    ends = [(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    names = {f"{name}_token": f"[{name.upper()}]" for name in ("unk", "pad", "cls", "sep", "mask")}
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=positions, **names)
    fast.save_pretrained(folder)
    torch.manual_seed(seed)
    size = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    config = BertConfig(vocab_size=len(fast), max_position_embeddings=positions, **size)
    if not labels:
        kind(config).save_pretrained(folder)
        return str(folder)
    config.id2label = dict(enumerate(labels))
    config.label2id = {label: i for i, label in enumerate(labels)}
    model = BertForTokenClassification(config)
    torch.nn.init.normal_(model.classifier.weight)
    model.save_pretrained(folder)
    return str(folder)
