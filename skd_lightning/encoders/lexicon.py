"""Distinct words with the features of each: all words of a training, or those of one call."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from skd_lightning.encoders.base import Featurizer
from skd_lightning.ragged import distinct, ranges

REMEMBERED = 2**16
"""Words whose features are remembered from one call to the next where sentences are not kept."""


class Lexicon:
    """Distinct words, each with its place and its features; place 0 is the padding.

    Words are only ever added at the end, so that a thread may read while another adds.

    Args:
        padding: (features,) of the padding.
        word: the word that has the padding's place, or None.
    """

    def __init__(self, padding: np.ndarray, word: str | None) -> None:
        self.places = {} if word is None else {word: 0}
        self.words = [word or ""]
        self._values = padding
        self._starts = np.array([0, len(padding)], dtype=np.int64)

    def missing(self, sentences: Iterable[Sequence[str]]) -> list[str]:
        """Return the words that are not in it, in the order of their first occurrence."""
        return list(dict.fromkeys(word for words in sentences for word in words if word not in self.places))

    def add(self, words: Sequence[str], features: Sequence[np.ndarray]) -> None:
        """Append words that are not in it."""
        if not words:
            return
        count, used = len(self.words), int(self._starts[len(self.words)])
        ends = used + np.cumsum([len(row) for row in features])
        self._values = _with_room(self._values, used, int(ends[-1]))
        self._values[used : ends[-1]] = np.concatenate(features)
        self._starts = _with_room(self._starts, count + 1, count + 1 + len(words))
        self._starts[count + 1 : count + 1 + len(words)] = ends
        self.words.extend(words)
        self.places.update({word: place for place, word in enumerate(words, start=count)})

    def item(self, words: Sequence[str]) -> IndexedWords:
        """Return a sentence whose words are all in it."""
        return IndexedWords(self, np.array([self.places[word] for word in words], dtype=np.int32))

    def take(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the features of the words at these places, joined, and how many each has."""
        starts, sizes = self._starts[places], self._starts[places + 1] - self._starts[places]
        return self._values[ranges(starts, sizes)], sizes


def _with_room(array: np.ndarray, used: int, wanted: int) -> np.ndarray:
    """Return the array, or a copy of twice the size that is wanted: adding costs the same however many there are."""
    if wanted <= len(array):
        return array
    larger = np.empty(2 * wanted, dtype=array.dtype)
    larger[:used] = array[:used]
    return larger


@dataclass(frozen=True, eq=False)
class IndexedWords:
    """A sentence as places in a lexicon.

    Attributes:
        lexicon: holds the features of its words.
        places: (words,) int32.
    """

    lexicon: Lexicon
    places: np.ndarray

    def __len__(self) -> int:
        return len(self.places)


class WordFeaturizer(Featurizer):
    """A featurizer whose features depend on the word and its language: each word is read once.

    Sentences of a language that are kept share one lexicon, which grows. Others bring a lexicon of their own, which
    goes with them; the features of at most ``REMEMBERED`` recent words stay.

    Args:
        padding: features of the padding.
        word: the word that has the same features, or None.
    """

    def __init__(self, padding: np.ndarray, word: str | None = None) -> None:
        self._padding = (padding, word)
        self._kept = {"": Lexicon(padding, word)}
        self._recent: OrderedDict[tuple[str, str], np.ndarray] = OrderedDict()
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the lock, which cannot be pickled, and what only saves time."""
        return {**self.__dict__, "_lock": None, "_recent": OrderedDict()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Make a lock of its own."""
        self.__dict__.update(state)
        self._lock = threading.Lock()

    @abstractmethod
    def features(self, words: Sequence[str], language: str) -> list[np.ndarray]:
        """Return the features of each word.

        Args:
            words: of one language.
            language: its code, or "" where it is unknown or makes no difference.
        """

    def known(self, language: str) -> str:
        """Return the language if a word's features depend on it, else "": languages that share features."""
        return ""

    def index(
        self,
        sentences: Sequence[Sequence[str]],
        keep: bool = False,
        languages: Sequence[str] | None = None,
    ) -> list[IndexedWords]:
        """Return each sentence as places in a lexicon, one lexicon for all languages that share features."""
        known = [self.known(language) for language in languages or [""] * len(sentences)]
        lexicons = {
            language: self._lexicon(
                language, [s for s, k in zip(sentences, known, strict=True) if k == language], keep
            )
            for language in dict.fromkeys(known)
        }
        return [lexicons[language].item(words) for language, words in zip(known, sentences, strict=True)]

    def _lexicon(self, language: str, sentences: Sequence[Sequence[str]], keep: bool) -> Lexicon:
        """Return a lexicon that has all words of the sentences."""
        if keep:
            with self._lock:
                lexicon = self._kept.get(language) or Lexicon(*self._padding)
                new = lexicon.missing(sentences)
                lexicon.add(new, self.features(new, language))
                self._kept[language] = lexicon
        else:
            lexicon = Lexicon(*self._padding)
            new = lexicon.missing(sentences)
            lexicon.add(new, self._remembered(new, language))
        return lexicon

    def _remembered(self, words: Sequence[str], language: str) -> list[np.ndarray]:
        with self._lock:
            found = {word: self._recent[language, word] for word in words if (language, word) in self._recent}
        new = [word for word in words if word not in found]
        found |= zip(new, self.features(new, language), strict=True)
        with self._lock:
            for word in words:
                self._recent[language, word] = found[word]
                self._recent.move_to_end((language, word))
            while len(self._recent) > REMEMBERED:
                self._recent.popitem(last=False)
        return [found[word] for word in words]

    def distinct_words(
        self, items: Sequence[IndexedWords | np.ndarray], words: int
    ) -> tuple[list[tuple[Lexicon, np.ndarray]], np.ndarray]:
        """Find the different words of a batch, the padding included.

        Args:
            items: sentences that :meth:`index` returned, and empty arrays.
            words: number of words to which all are padded.

        Returns:
            The distinct words as lexicons and places in them, for :func:`joined_features`; (sentences, words) int64
            which of them each word is.
        """
        known = {id(item.lexicon): item.lexicon for item in items if isinstance(item, IndexedWords)}
        lexicons = list(known.values()) or [self._kept[""]]
        starts = np.cumsum([0, *(len(lexicon.words) for lexicon in lexicons)])
        start = dict(
            zip(known, starts.tolist(), strict=False)
        )  # numbers of the second follow those of the first
        numbers = [
            item if not isinstance(item, IndexedWords) else item.places + start[id(item.lexicon)]
            for item in items
        ]
        found, which = distinct(numbers, words)
        cuts = np.searchsorted(found, starts)
        parts = zip(lexicons, starts.tolist(), cuts[:-1], cuts[1:], strict=False)
        return [(lexicon, found[low:high] - first) for lexicon, first, low, high in parts], which


def joined_features(found: Sequence[tuple[Lexicon, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Return the features of the words at places of lexicons, joined, and how many each has."""
    taken = [lexicon.take(places) for lexicon, places in found]
    return taken[0] if len(taken) == 1 else tuple(map(np.concatenate, zip(*taken, strict=True)))  # type: ignore[return-value]
