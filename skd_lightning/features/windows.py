"""Words to the subword pieces that a transformer reads, in windows where a sentence is too long for it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from skd_lightning.features.subwords import load_tokenizer, without_surrogates
from skd_lightning.ragged import cells

Pooling = Literal["mean", "first"]
OVERLAP = 0.25
"""The share of a window that the next one repeats, where a sentence is longer than the model can read."""


class PieceWindows:
    """Sentences to pieces, and which of them make up the vector of which word.

    Every word has at least one piece: what the tokenizer drops (a zero-width space, say) is read as ``unknown``. A
    word with more pieces than a window is cut. Where windows overlap, a word is taken from the one in which it is
    further from the edge.

    Args:
        tokenizer: content of a ``tokenizer.json``.
        readable: pieces that the model can read at once, special ones (such as [CLS]) included.
        unknown: a text that always has a piece.
        padding: number of the piece that fills windows up.
        pooling: a word's vector is the ``mean`` of its pieces or that of the ``first``.
    """

    def __init__(
        self, tokenizer: str, readable: int, unknown: str, padding: int, pooling: Pooling = "mean"
    ) -> None:
        self._tokenizer = load_tokenizer(tokenizer)
        marked = self._tokenizer.encode([unknown], is_pretokenized=True).ids
        bare = self._tokenizer.encode([unknown], is_pretokenized=True, add_special_tokens=False).ids
        before = next(i for i in range(len(marked)) if marked[i : i + len(bare)] == bare)
        self._before, self._after = marked[:before], marked[before + len(bare) :]
        self.window = readable - len(self._before) - len(self._after)
        self.unknown, self.padding, self.pooling = unknown, padding, pooling

    def index(self, sentences: Sequence[Sequence[str]]) -> list[np.ndarray]:
        """Return (pieces of its windows, 3) int32 for each sentence: piece, the word it counts for or -1, window."""
        texts = [
            [without_surrogates(word) if word.strip() else self.unknown for word in words]
            for words in sentences
        ]
        encodings = self._encode(texts)
        lost = [sorted(set(range(len(t))) - set(e.word_ids)) for t, e in zip(texts, encodings, strict=True)]
        again = [i for i, places in enumerate(lost) if places]
        for i in again:
            for place in lost[i]:
                texts[i][place] = self.unknown
        for i, encoding in zip(again, self._encode([texts[i] for i in again]), strict=True):
            encodings[i] = encoding
        return [self._item(e, len(t)) for t, e in zip(texts, encodings, strict=True)]

    def _encode(self, texts: list[list[str]]) -> list[Any]:
        encodings = self._tokenizer.encode_batch(texts, is_pretokenized=True, add_special_tokens=False)
        return list(encodings)

    def _item(self, encoding: Any, words: int) -> np.ndarray:
        ids = np.array(encoding.ids, dtype=np.int32)
        word = np.array(encoding.word_ids, dtype=np.int32)  # never falls: pieces stand in the words' order
        starts = np.searchsorted(word, np.arange(words + 1))
        item = [np.zeros((0, 3), dtype=np.int32)]
        for n, (first, last, begin, end) in enumerate(self.spans(np.diff(starts))):
            read = slice(starts[first], min(starts[last], starts[first] + self.window))
            counted = (word[read] >= begin) & (word[read] < end)
            if self.pooling == "first":
                counted &= np.isin(np.arange(read.start, read.stop), starts)
            pieces = np.concatenate([self._before, ids[read], self._after])
            target = np.full(len(pieces), -1)
            target[len(self._before) :][: len(counted)] = np.where(counted, word[read], -1)
            item.append(np.stack([pieces, target, np.full_like(target, n)], axis=1).astype(np.int32))
        return np.concatenate(item)

    def spans(self, pieces: np.ndarray) -> list[tuple[int, int, int, int]]:
        """Return spans of words that the model can read: what it reads, and what is taken of it.

        Args:
            pieces: (words,) number of pieces of each word of a sentence.
        """
        words = len(pieces)
        if pieces.sum() <= self.window:
            return [(0, words, 0, words)] if words else []
        spans: list[tuple[int, int]] = []
        first = 0
        while True:
            reach = np.cumsum(pieces[first:])
            last = first + max(1, int(np.searchsorted(reach, self.window, side="right")))
            spans.append((first, last))
            if last == words:
                break
            kept = np.searchsorted(reach, (1 - OVERLAP) * self.window)
            first = min(max(first + 1, first + int(kept)), last)
        middles = [0, *((later[0] + earlier[1]) // 2 for earlier, later in pairwise(spans))]
        ends = [*middles[1:], words]
        return [(*span, begin, end) for span, begin, end in zip(spans, middles, ends, strict=True)]

    def collate(self, items: Sequence[np.ndarray], words: int) -> dict[str, np.ndarray]:
        """Return the inputs of a batch.

        Returns:
            ``pieces`` and ``mask`` (windows, width): what the model reads; ``cell`` (counted pieces,) places in
            the windows laid end to end, ``word`` (counted pieces,) the word of each in the sentences laid end
            to end; ``counts`` (batch, words) how many pieces make up a word, 0 at padding.
        """
        joined = np.concatenate([item.reshape(-1, 3) for item in items]).astype(np.int64)
        sentence = np.repeat(np.arange(len(items)), [len(item) for item in items])
        changes = (np.diff(sentence, prepend=-1) != 0) | (np.diff(joined[:, 2], prepend=-1) != 0)
        widths = np.bincount(np.cumsum(changes) - 1) if len(joined) else np.zeros(0, dtype=np.int64)
        row, column = cells(widths)
        pieces = np.full((len(widths), widths.max(initial=0)), self.padding, dtype=np.int64)
        mask = np.zeros_like(pieces)
        pieces[row, column], mask[row, column] = joined[:, 0], 1
        counted = joined[:, 1] >= 0
        word = (sentence * words + joined[:, 1])[counted]
        counts = np.bincount(word, minlength=len(items) * words).reshape(len(items), words)
        return {
            "pieces": pieces,
            "mask": mask,
            "cell": (row * pieces.shape[1] + column)[counted],
            "word": word,
            "counts": counts,
        }
