"""Vectors of words in their sentences, from a pretrained transformer that is not trained."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from skd_lightning.ragged import cut_by_budget
from skd_lightning.storage import add_weights

Pooling = Literal["mean", "first"]
PIECES = 4096
"""Subword pieces a batch, padding included."""
OVERLAP = 0.25
"""Share of a window that the next one repeats, where a sentence is longer than the model can read."""


class PretrainedTransformer:
    """Any ``AutoModel`` with a fast tokenizer, as a function from sentences to word vectors.

    Args:
        name: of a model on the hub, or a folder made by ``save_pretrained``.
        layers: whose hidden states are averaged; -1 is the last.
        pooling: a word's vector is the ``mean`` of its pieces or that of the ``first``.
    """

    def __init__(self, name: str, layers: Sequence[int], pooling: Pooling) -> None:
        from transformers import AutoModel, AutoTokenizer  # seconds to import: only where one is used

        self.tokenizer: Any = AutoTokenizer.from_pretrained(name, use_fast=True)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        self.model: Any = AutoModel.from_pretrained(name).eval().requires_grad_(False).to(device)
        self.layers, self.pooling = list(layers), pooling
        self.readable = min(self.tokenizer.model_max_length, self.model.config.max_position_embeddings)
        self.window = self.readable - self.tokenizer.num_special_tokens_to_add()
        self.size = int(self.model.config.hidden_size)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of all that a vector depends on beside its sentence."""
        settings = [self.layers, self.pooling, self.window, self.tokenizer.backend_tokenizer.to_str()]
        digest = hashlib.sha256(json.dumps(settings).encode())
        add_weights(digest, self.model)
        return digest.hexdigest()[:24]

    @torch.inference_mode()
    def vectors(
        self, sentences: Sequence[Sequence[str]], advance: Callable[[int], object] = lambda _: None
    ) -> list[np.ndarray]:
        """(words, size) float32 for each sentence, in their order.

        Args:
            sentences: lists of words.
            advance: told the number of windows done, for a progress bar.
        """
        found = [np.zeros((len(words), self.size), dtype=np.float32) for words in sentences]
        windows = [(i, *bounds) for i, words in enumerate(sentences) for bounds in self._windows(words)]
        widths = 2 * np.array([last - first for _, first, last, *_ in windows], dtype=np.int64)  # a guess
        for places in cut_by_budget(np.argsort(widths, kind="stable").tolist(), widths, PIECES):
            batch = [windows[place] for place in places]
            encoded = self._tokenized([sentences[i][first:last] for i, first, last, *_ in batch])
            states = self._states(encoded)
            for row, (i, first, last, begin, end) in enumerate(batch):
                pooled = self._pooled(states[row], encoded.word_ids(row), last - first)
                found[i][begin:end] = pooled[begin - first : end - first].float().cpu().numpy()
            advance(len(batch))
        return found

    def _tokenized(self, sentences: Sequence[Sequence[str]], truncate: bool = True) -> Any:
        """Pieces of some sentences; what has none (a zero-width space, say) is read as the unknown word.

        A single word with more pieces than the model can read is cut.
        """
        settings: dict[str, Any] = {"is_split_into_words": True, "padding": True, "return_tensors": "pt"}
        if truncate:
            settings |= {"truncation": True, "max_length": self.readable}
        unknown = self.tokenizer.unk_token or "?"
        words = [[word if word.strip() else unknown for word in sentence] for sentence in sentences]
        encoded = self.tokenizer(words, verbose=False, **settings)
        lost = [set(range(len(row))) - set(encoded.word_ids(i)) for i, row in enumerate(words)]
        if not any(lost):
            return encoded
        for row, places in zip(words, lost, strict=True):
            for place in places:
                row[place] = unknown
        return self.tokenizer(words, verbose=False, **settings)

    def _states(self, encoded: Any) -> Tensor:
        """(batch, pieces, size): mean of the chosen layers."""
        inputs = {name: tensor.to(self.model.device) for name, tensor in encoded.items()}
        if self.layers == [-1]:
            return self.model(**inputs).last_hidden_state  # type: ignore[no-any-return]
        states = self.model(**inputs, output_hidden_states=True).hidden_states
        return torch.stack([states[layer] for layer in self.layers]).mean(0)

    def _pooled(self, states: Tensor, word_ids: list[int | None], words: int) -> Tensor:
        """(words, size) from the pieces (pieces, size) of one window."""
        places = [(piece, word) for piece, word in enumerate(word_ids) if word is not None]
        if self.pooling == "first":
            places = [place for n, place in enumerate(places) if n == 0 or place[1] != places[n - 1][1]]
        piece, word = (torch.tensor(column, device=states.device) for column in zip(*places, strict=True))
        sums = states.new_zeros(words, states.shape[1]).index_add(0, word, states[piece])
        return sums / torch.bincount(word, minlength=words).clamp(min=1).unsqueeze(1)

    def _windows(self, words: Sequence[str]) -> list[tuple[int, int, int, int]]:
        """Spans of words that the model can read: what it reads, and what is taken of it.

        Where windows overlap, a word is taken from the one in which it is further from the edge.
        """
        if not words:
            return []
        encoded = self._tokenized([words], truncate=False)
        pieces = np.bincount([word for word in encoded.word_ids(0) if word is not None], minlength=len(words))
        if pieces.sum() <= self.window:
            return [(0, len(words), 0, len(words))]
        spans: list[tuple[int, int]] = []
        first = 0
        while True:
            reach = np.cumsum(pieces[first:])
            last = first + max(1, int(np.searchsorted(reach, self.window, side="right")))
            spans.append((first, last))
            if last == len(words):
                break
            kept = np.searchsorted(reach, (1 - OVERLAP) * self.window)
            first = min(max(first + 1, first + int(kept)), last)
        middles = [
            0,
            *((later[0] + earlier[1]) // 2 for earlier, later in pairwise(spans)),
        ]
        ends = [*middles[1:], len(words)]
        return [(*span, begin, end) for span, begin, end in zip(spans, middles, ends, strict=True)]


@lru_cache(maxsize=1)
def pretrained(name: str, layers: tuple[int, ...], pooling: Pooling) -> PretrainedTransformer:
    """The transformer, loaded once for all the taggers of a process: a student's teachers mostly share one."""
    return PretrainedTransformer(name, layers, pooling)
