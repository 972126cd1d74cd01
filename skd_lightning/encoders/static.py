"""Word vectors from a file, the same in every sentence."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skd_lightning.encoders.base import Encoder, Featurizer
from skd_lightning.encoders.fasttext import BinaryVectors, TextVectors
from skd_lightning.errors import UserError
from skd_lightning.ragged import distinct

LANGUAGE = "{language}"
"""What stands in a path for the language of a tagger."""
SAMPLES, SAMPLE = 64, 2**18
"""A file is told from others by its size and by so many samples of so many bytes, evenly spaced."""


def file_fingerprint(file: Path) -> str:
    """Hash of a file's size and content: all of it up to 16 MiB, evenly spaced samples of a larger one."""
    size = file.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with file.open("rb") as opened:
        for start in np.linspace(0, max(0, size - SAMPLE), SAMPLES, dtype=np.int64).tolist():
            opened.seek(start)
            digest.update(opened.read(SAMPLE))
    return digest.hexdigest()[:24]


def the_language(languages: Sequence[str], setting: str) -> str:
    """The language of a monolingual tagger.

    Raises:
        UserError: it is not monolingual; ``setting`` is what needed that.
    """
    if len(languages) != 1:
        raise UserError(
            f"encoder: '{setting}' needs a tagger of one language, this one has {', '.join(languages)}; a multilingual "
            "one cannot tell whose word it reads: give it one setting for all languages, or no such vectors"
        )
    return languages[0]


class StaticFeaturizer(Featurizer):
    """Word -> its vector in a file; only the words that were met are held in memory.

    Args:
        size: length of a word's vector.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._file: Path | None = None
        self._vectors: BinaryVectors | TextVectors | None = None
        self._lexicon: dict[str, int] = {}
        self._rows = np.zeros((1, size), dtype=np.float32)  # row 0 fills the padding

    def use_file(self, file: Path) -> None:
        """Take the vectors from a ``.bin``, ``.vec`` or ``.vec.gz`` file."""
        self._vectors = BinaryVectors(file) if file.suffix in (".bin", ".ftz") else TextVectors(file)
        if self._vectors.size != self.size:
            raise UserError(
                f"{file}: vectors of {self._vectors.size} numbers; set the encoder's size to {self._vectors.size}"
            )
        self._file = file

    def __getstate__(self) -> dict[str, Any]:
        """Loader workers only pad: they go without the file."""
        return {**self.__dict__, "_vectors": None}

    @property
    def fingerprint(self) -> str:
        """That of the file; nothing before there is one."""
        return file_fingerprint(self._file) if self._file else ""

    def index(self, sentences: Sequence[Sequence[str]], keep: bool = False) -> list[np.ndarray]:
        """(words,) int32 of each sentence: places in the lexicon, which grows by the words it has not met."""
        new = sorted({word for words in sentences for word in words if word not in self._lexicon})
        if new:
            assert self._vectors is not None, "use_languages or use_file comes first"
            self._lexicon.update({word: place for place, word in enumerate(new, start=len(self._rows))})
            self._rows = np.concatenate([self._rows, self._vectors.vectors(new)])
        return [np.array([self._lexicon[word] for word in words], dtype=np.int32) for words in sentences]

    def collate(self, items: Sequence[np.ndarray], words: int) -> dict[str, Tensor]:
        """``table`` (distinct words, size) float32, and ``place`` (batch, words) in it."""
        known, place = distinct(items, words)
        return {
            "table": torch.from_numpy(self._rows[known]),
            "place": torch.from_numpy(place),
        }


class StaticEncoder(Encoder):
    """fastText vectors, which stay as they are; nothing in it is trained.

    Mostly a part of a :class:`ConcatenatedEncoder`, which has the BiLSTM.

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
            raise UserError(f"encoder: size is {size}, it must be at least 1")
        self.path = path
        self.featurizer = StaticFeaturizer(size)
        self.output_size = size
        if LANGUAGE not in path:
            self.featurizer.use_file(Path(path))

    def use_languages(self, languages: Sequence[str]) -> None:
        """Open the file of the one language, where the path leaves it open."""
        if LANGUAGE in self.path:
            self.featurizer.use_file(Path(self.path.replace(LANGUAGE, the_language(languages, self.path))))

    def identity(self) -> str:
        """The file's fingerprint: the vectors are not among the encoder's weights."""
        return self.featurizer.fingerprint

    def config(self) -> dict[str, Any]:
        """The constructor's arguments, as plain values."""
        return {"path": self.path, "size": self.output_size}

    def forward(self, inputs: Mapping[str, Tensor], lengths: Tensor) -> Tensor:
        """(batch, words, size) from what :class:`StaticFeaturizer` collates."""
        return inputs["table"].to(torch.get_default_dtype())[inputs["place"]]
