"""Word vectors from a file, the same in every sentence."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skd_lightning.encoders.base import Embedder
from skd_lightning.encoders.fasttext import BinaryVectors, TextVectors
from skd_lightning.encoders.lexicon import IndexedWords, WordFeaturizer, joined_features
from skd_lightning.errors import UserError

LANGUAGE = "{language}"
"""The part of a path that stands for the language of a tagger."""
SAMPLES, SAMPLE = 64, 2**18
"""A file is told from others by its size and by samples of its content: their number, and the bytes of each."""


def file_fingerprint(file: Path) -> str:
    """Return a hash of a file's size and content: all of it up to 16 MiB, evenly spaced samples of a larger one."""
    size = file.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with file.open("rb") as opened:
        for start in np.linspace(0, max(0, size - SAMPLE), SAMPLES, dtype=np.int64).tolist():
            opened.seek(start)
            digest.update(opened.read(SAMPLE))
    return digest.hexdigest()[:24]


def the_language(languages: Sequence[str], setting: str) -> str:
    """Return the language of a monolingual tagger.

    Args:
        languages: of the tagger.
        setting: what needs one language, for the message.

    Raises:
        UserError: the tagger is not monolingual.
    """
    if len(languages) != 1:
        raise UserError(
            f"embedder: '{setting}' needs a tagger of one language, this one has {', '.join(languages)}; "
            "a multilingual one cannot tell whose word it reads; give it one setting for all, or no such vectors"
        )
    return languages[0]


class StaticFeaturizer(WordFeaturizer):
    """Words to their vectors in a file; only words that were met are held in memory.

    Args:
        size: length of a word's vector.
    """

    def __init__(self, size: int) -> None:
        super().__init__(np.zeros(size, dtype=np.float32))
        self.size = size
        self._file: Path | None = None
        self._vectors: BinaryVectors | TextVectors | None = None

    def use_file(self, file: Path) -> None:
        """Take the vectors from a ``.bin``, ``.vec`` or ``.vec.gz`` file.

        Raises:
            UserError: the file is missing or damaged, or has vectors of another length.
        """
        self._vectors = BinaryVectors(file) if file.suffix in (".bin", ".ftz") else TextVectors(file)
        if self._vectors.size != self.size:
            raise UserError(
                f"{file}: vectors of {self._vectors.size} numbers; set the embedder's size to {self._vectors.size}"
            )
        self._file = file

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the file: loader workers only pad."""
        return {**super().__getstate__(), "_vectors": None}

    @property
    def fingerprint(self) -> str:
        """Return the file's fingerprint; "" before there is a file."""
        return file_fingerprint(self._file) if self._file else ""

    def features(self, words: Sequence[str], language: str = "") -> list[np.ndarray]:
        """Return the (size,) float32 vector of each word."""
        if not words:
            return []
        assert self._vectors is not None, "use_languages or use_file comes first"
        return [row.copy() for row in self._vectors.vectors(words)]  # a view would keep all rows in memory

    def collate(self, items: Sequence[IndexedWords | np.ndarray], words: int) -> dict[str, Tensor]:
        """Return ``table`` (distinct words, size) float32, and ``place`` (batch, words) in it."""
        distinct, place = self.distinct_words(items, words)
        table = joined_features(distinct)[0].reshape(-1, self.size)
        return {"table": torch.from_numpy(table), "place": torch.from_numpy(place)}


class StaticEmbedder(Embedder):
    """fastText vectors, which stay as they are; nothing in it is trained.

    Mostly a part of a ConcatenatedEmbedder. A tagger that is loaded reads the file again: say
    ``load(path, outside=True)``.

    Args:
        path: a ``.bin`` file (unknown words have the vector of their n-grams), or a ``.vec`` or ``.vec.gz`` file
            (unknown words have 0). ``{language}`` in it stands for the language of a monolingual tagger, so that
            one setting serves all teachers: ``vectors/cc.{language}.300.bin``.
        size: length of the vectors.
    """

    featurizer: StaticFeaturizer

    def __init__(self, path: str, size: int = 300) -> None:
        super().__init__()
        if size < 1:
            raise UserError(f"embedder: size is {size}, it must be at least 1")
        self.path = path
        self.featurizer = StaticFeaturizer(size)
        self.output_size = size
        if LANGUAGE not in path:
            self.featurizer.use_file(Path(path))

    @classmethod
    def reads(cls, settings: Mapping[str, Any]) -> str:
        """Name the file."""
        return f"the word vectors {settings['path']}"

    def use_languages(self, languages: Sequence[str]) -> None:
        """Open the file of the one language, where the path leaves it open."""
        if LANGUAGE in self.path:
            self.featurizer.use_file(Path(self.path.replace(LANGUAGE, the_language(languages, self.path))))

    def identity(self) -> str:
        """Return the file's fingerprint: the vectors are not among the tagger's weights."""
        return self.featurizer.fingerprint

    def config(self) -> dict[str, Any]:
        """Return the settings as plain values."""
        return {"path": self.path, "size": self.output_size}

    def forward(self, inputs: Mapping[str, Tensor], lengths: Tensor) -> Tensor:
        """Return (batch, words, size) from what :class:`StaticFeaturizer` collates."""
        return inputs["table"].to(torch.get_default_dtype())[inputs["place"]]
