"""Word vectors: states of a language model, by the name of a published model or by its file."""

import os
from pathlib import Path

import torch

from flair.data import Sentence
from flair.models import LanguageModel

PUBLISHED = {
    "multi-forward": "lm-jw300-forward-v0.1.pt",
    "multi-backward": "lm-jw300-backward-v0.1.pt",
}
"""Where flair keeps what it has downloaded."""


class FlairEmbeddings:
    """The state behind the space that follows a word, or, backwards, that comes before it."""

    is_lower = False

    def __init__(self, model: str) -> None:
        file = Path(model)
        if model in PUBLISHED:
            root = os.environ.get("FLAIR_CACHE_ROOT") or Path.home() / ".flair"
            file = Path(root) / "embeddings" / PUBLISHED[model]
        if not file.exists():
            raise ValueError(f'The given model "{model}" is not available or is not a valid path.')
        self.name = str(file)
        self.lm = LanguageModel.load_language_model(file)
        self.is_forward_lm = self.lm.is_forward_lm
        sentence = Sentence(["hello"])
        self.embed([sentence])
        self.embedding_length = len(sentence.tokens[0].get_embedding())

    @torch.no_grad()
    def embed(self, sentences: list[Sentence]) -> None:
        texts = [sentence.to_tokenized_string() for sentence in sentences]
        states = self.lm.states(texts)
        for column, (sentence, text) in enumerate(zip(sentences, texts, strict=True)):
            end = 0
            for token in sentence.tokens:
                begin, end = end, end + len(token.text) + 1
                place = end if self.is_forward_lm else len(text) + 1 - begin
                token.found[self.name] = states[place, column]
