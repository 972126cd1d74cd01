"""fastText's files: the binary format with its subwords, and the text format.

The binary format is that of fastText 0.9 (``fasttext.cc``, ``args.cc``, ``dictionary.cc`` and ``densematrix.cc`` of
https://github.com/facebookresearch/fastText), all numbers little-endian.
"""

from __future__ import annotations

import gzip
import mmap
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from skd_lightning.errors import UserError

MAGIC = 793712314
SUPERVISED = 3
LARGEST = 100_000
"""Numbers of a vector; those of fasttext.cc have 300."""


def fnv1a(text: bytes) -> int:
    """Return fastText's hash of a character n-gram: 32-bit FNV-1a whose bytes are sign-extended."""
    value = 2166136261
    for byte in text:
        value = ((value ^ (byte if byte < 128 else byte | 0xFFFFFF00)) * 16777619) & 0xFFFFFFFF
    return value


def character_ngrams(word: str, shortest: int, longest: int) -> Iterator[bytes]:
    """Yield the n-grams of ``<word>`` as UTF-8, without ``<`` and ``>`` alone."""
    marked = f"<{word}>"
    for start in range(len(marked)):
        for end in range(start + max(1, shortest), min(start + longest, len(marked)) + 1):
            if end - start > 1 or (start > 0 and end < len(marked)):
                yield marked[start:end].encode("utf-8", "surrogatepass")


class BinaryVectors:
    """A ``.bin`` file: a vector is the mean of the word's own, where it is known, and those of its n-grams.

    The file is memory-mapped; of its words, a hash and a place each are held (16 bytes a word).

    Args:
        file: made by fastText, not quantised.

    Raises:
        UserError: quantised, damaged, or no such file.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        try:
            with _open(file) as opened:
                self._data = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
            self._read_header(file)
        except (struct.error, IndexError, ValueError) as error:
            if isinstance(error, UserError):
                raise
            raise UserError(f"{file}: damaged, it ends too early; fetch it again") from error

    def _read_header(self, file: Path) -> None:
        magic, version = struct.unpack_from("<ii", self._data, 0)
        if magic != MAGIC or version not in (11, 12):
            raise UserError(
                f"{file}: not a fastText binary file of version 11 or 12; give a .bin or .vec file"
            )
        arguments = struct.unpack_from("<12id", self._data, 8)
        self.size, model, self._buckets, self._shortest, self._longest = (
            arguments[i] for i in (0, 7, 8, 9, 10)
        )
        if self._buckets < 0 or not 1 <= self.size <= LARGEST:
            raise ValueError("sizes that no fastText writes")
        if version == 11 and model == SUPERVISED:
            self._longest = 0  # as fastText does: these had no subwords
        entries, words, _, _, pruned = struct.unpack_from("<iiiqq", self._data, 64)
        if not 0 <= words <= entries <= len(self._data) // 10:  # the least bytes of an entry
            raise ValueError("more words than bytes")
        position = self._index(92, entries, words)
        quantised = self._data[position + 8 * max(0, pruned)]
        if quantised or pruned >= 0:
            raise UserError(
                f"{file}: quantised vectors cannot be read; give the .bin file they were made from"
            )
        rows, columns = struct.unpack_from("<qq", self._data, position + 1)
        grams = self._buckets if self._longest > 0 else 0
        if (self._longest > 0 and not grams) or rows < words + grams:
            raise ValueError("fewer vectors than words and n-grams")
        if columns != self.size or len(self._data) < position + 17 + 4 * rows * columns:
            raise UserError(f"{file}: damaged, {rows} x {columns} numbers do not fit in it; fetch it again")
        self._words = words
        self._matrix: np.ndarray = np.ndarray((rows, columns), "<f4", self._data, position + 17)

    def _index(self, position: int, entries: int, words: int) -> int:
        """Note where each word stands, and return where the dictionary ends."""
        hashes, places = np.empty(entries, dtype=np.int64), np.empty(entries, dtype=np.int64)
        for n in range(entries):
            end = self._data.find(b"\0", position)
            if end < 0:
                raise ValueError("no end of word")
            hashes[n], places[n] = hash(self._data[position:end]), position
            position = end + 10  # the zero, a count in 8 bytes, a type in 1
        self._order = np.argsort(hashes[:words], kind="stable")  # what follows the words are labels
        self._hashes, self._places = hashes[self._order], places[self._order]
        return position

    def _row(self, word: bytes) -> int | None:
        low, high = (int(np.searchsorted(self._hashes, hash(word), side)) for side in ("left", "right"))  # type: ignore[call-overload]
        for n in range(low, high):
            place = int(self._places[n])
            if self._data[place : place + len(word) + 1] == word + b"\0":
                return int(self._order[n])
        return None

    def vectors(self, words: Sequence[str]) -> np.ndarray:
        """Return (words, size) float32; 0 for a word that is unknown and has no n-grams."""
        found = np.zeros((len(words), self.size), dtype=np.float32)
        for place, word in enumerate(words):
            own = self._row(word.encode("utf-8", "surrogatepass"))
            rows = [] if own is None else [own]
            if word != "</s>":
                grams = character_ngrams(word, self._shortest, self._longest)
                rows += [self._words + fnv1a(gram) % self._buckets for gram in grams]
            if rows:
                found[place] = self._matrix[rows].mean(axis=0)
        return _finite(found, words, self._file)


class TextVectors:
    """A ``.vec`` file, or one packed as ``.vec.gz``: a word and its numbers a line, after a line with their counts.

    It is read through once for every list of words that is asked for. A word that is not in it is looked up in
    lower case.

    Args:
        file: of vectors.

    Raises:
        UserError: no such file, or not of this format; from :meth:`vectors`, a line that is not.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        try:
            with _open(file) as opened:
                _, size = opened.readline(100).split()
            self.size = int(size)
            if not 1 <= self.size <= LARGEST:
                raise ValueError("no size of a vector")
        except (ValueError, EOFError, OSError, zlib.error) as error:
            if isinstance(error, UserError):
                raise
            raise UserError(
                f"{file}, line 1: not fastText's text format, which begins with '<words> <numbers a word>'"
            ) from error

    def vectors(self, words: Sequence[str]) -> np.ndarray:
        """Return (words, size) float32; 0 for an unknown word."""
        wanted = {form.encode("utf-8", "surrogatepass") for word in words for form in (word, word.lower())}
        lines: dict[bytes, np.ndarray] = {}
        try:
            with _open(self._file) as opened:
                opened.readline()
                for number, line in enumerate(opened, start=2):
                    word, _, rest = line.partition(b" ")
                    if word in wanted and word not in lines:
                        lines[word] = self._numbers(rest, number)
        except (EOFError, OSError, zlib.error) as error:
            raise UserError(f"{self._file}: damaged ({error}); fetch it again") from error
        found = np.zeros((len(words), self.size), dtype=np.float32)
        for place, text in enumerate(words):
            for form in (text, text.lower()):
                line_vector = lines.get(form.encode("utf-8", "surrogatepass"))
                if line_vector is not None:
                    found[place] = line_vector
                    break
        return _finite(found, words, self._file)

    def _numbers(self, text: bytes, line: int) -> np.ndarray:
        try:
            numbers = np.array([float(number) for number in text.split()], dtype=np.float32)
        except ValueError:
            numbers = np.zeros(0, dtype=np.float32)
        if len(numbers) != self.size:
            raise UserError(
                f"{self._file}, line {line}: not a word and {self.size} numbers; fetch the file again"
            )
        return numbers


def _finite(vectors: np.ndarray, words: Sequence[str], file: Path) -> np.ndarray:
    """Return the vectors, unless one of them would make every weight of a training not a number."""
    broken = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(broken):
        raise UserError(f"{file}: the vector of '{words[broken[0]]}' is not finite; fetch the file again")
    return vectors


def _open(file: Path):  # type: ignore[no-untyped-def]
    if not file.is_file():
        raise UserError(f"{file}: no such file of word vectors; fasttext.cc has them for 157 languages")
    return gzip.open(file) if file.suffix == ".gz" else file.open("rb")
