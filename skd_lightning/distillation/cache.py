"""The cache of teacher predictions: keyed by content, memory-mapped, written atomically, never pickled.

``<cache>/<key>/`` belongs to one teacher and one list of sentences. It holds ``emissions/`` (the output of the
network, the only part that needs the teacher) and the k best sequences derived from it, ``paths-k5/``. Another k is
derived from the cached emissions, without the teacher. Posterior marginals, of any temperature, are derived when a
run opens the cache: that takes a second for some million words, and storing them would double the size.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from skd_lightning.crf import LinearChainCRF
from skd_lightning.ragged import cells
from skd_lightning.storage import alone_in, new_folder

EmissionPrecision = Literal["float32", "float16"]
SCHEMA = 2


class TransitionScores(Protocol):
    """The part of a teacher that scores transitions (``taggers.ChainHead``)."""

    def scores(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return transitions (tags, tags) ``[from, to]``, start (tags,) and end (tags,), in nats."""


def content_key(teacher: str, sentences: Sequence[Sequence[str]], precision: EmissionPrecision) -> str:
    """Return the key of a cache entry: the same for one teacher on the same words in the same order and precision.

    Args:
        teacher: its fingerprint.
        sentences: lists of words.
        precision: in which emissions are stored.
    """
    digest = hashlib.sha256(json.dumps([SCHEMA, teacher, precision]).encode())
    for words in sentences:
        digest.update(json.dumps(words, ensure_ascii=False).encode() + b"\n")
    return digest.hexdigest()[:24]


class CacheEntry:
    """One teacher's answers on one list of sentences.

    Args:
        folder: ``<cache>/<key>``.
        lengths: (sentences,) words of each sentence.
        precision: in which emissions are stored.
    """

    def __init__(self, folder: Path, lengths: np.ndarray, precision: EmissionPrecision) -> None:
        self.folder = folder
        self.lengths = lengths
        self.precision = precision
        self.starts = np.concatenate([[0], np.cumsum(lengths)])
        self.rebuilt: list[str] = []
        """Folders of the parts that were found damaged, and made again."""

    @property
    def words(self) -> int:
        """Number of words of all sentences together."""
        return int(self.starts[-1])

    def bytes(self) -> int:
        """Return the size of all parts on disk, in bytes."""
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())

    def open(self, part: str) -> dict[str, np.ndarray] | None:
        """Return the arrays of a part, memory-mapped; None where it was never written or is damaged."""
        folder = self.folder / part
        if not folder.is_dir():
            return None
        try:
            sizes = json.loads((folder / "meta.json").read_text())["bytes"]
            if any((folder / f"{name}.npy").stat().st_size != size for name, size in sizes.items()):
                raise ValueError("wrong size")
            return {
                name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
                for name in sorted(sizes)
            }
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            if str(folder) not in self.rebuilt:
                self.rebuilt.append(str(folder))
            return None

    def write(self, part: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Store the arrays of a part, all or none of them, and open them."""
        with new_folder(self.folder / part) as folder:
            for name, array in arrays.items():
                np.save(folder / f"{name}.npy", array, allow_pickle=False)
            sizes = {name: (folder / f"{name}.npy").stat().st_size for name in arrays}
            (folder / "meta.json").write_text(json.dumps({"schema": SCHEMA, "bytes": sizes}))
        opened = self.open(part)
        assert opened is not None
        return opened

    def _find_or_make(
        self, part: str, make: Callable[[], Mapping[str, np.ndarray]]
    ) -> tuple[dict[str, np.ndarray], bool]:
        """Return the arrays of a part, and True if they were there already."""
        found = self.open(part)
        if found is not None:
            return found, True
        with alone_in(self.folder):
            found = self.open(part)  # another process may have made it while this one waited
            return (self.write(part, make()), False) if found is None else (found, True)

    def emissions(
        self, predict: Callable[[], tuple[np.ndarray, TransitionScores]]
    ) -> tuple[dict[str, np.ndarray], bool]:
        """Return the teacher's potentials, predicted where they are missing.

        Emissions are stored with a largest one of 0 for each word. That changes no probability, and float16 is
        then finest where the probability is: marginals move by less than 0.001.

        Args:
            predict: asks the teacher for its emissions (words, tags) and its transition scores.

        Returns:
            The arrays ``emissions`` (words, tags), ``transitions`` (tags, tags) ``[from, to]``, ``start`` (tags,) and
            ``end`` (tags,), all in nats; and True if they were there already.
        """

        def make() -> dict[str, np.ndarray]:
            emissions, head = predict()
            transitions, start, end = (scores.detach().float().cpu().numpy() for scores in head.scores())
            emissions = emissions - emissions.max(axis=1, keepdims=True, initial=-np.inf)
            emissions = np.maximum(emissions, np.finfo(self.precision).min).astype(self.precision)
            return {"emissions": emissions, "transitions": transitions, "start": start, "end": end}

        return self._find_or_make("emissions", make)

    def paths(self, k: int) -> dict[str, np.ndarray]:
        """Return ``paths`` (words, k) and ``log_probs`` (sentences, k), in nats, of the k best sequences."""
        return self._find_or_make(f"paths-k{k}", lambda: self._kbest(k))[0]

    def _kbest(self, k: int) -> dict[str, np.ndarray]:
        tags = self._source()["emissions"].shape[1]
        paths = np.zeros((self.words, k), dtype=np.uint8 if tags <= 256 else np.uint16)
        log_probs = np.full((len(self.lengths), k), -np.inf, dtype=np.float32)
        for indices, crf in self._chains():
            best = crf.kbest(k)
            log_probs[indices] = (best.scores - crf.log_partition.unsqueeze(1)).numpy()
            row, word = cells(self.lengths[indices])
            paths[self.starts[indices][row] + word] = best.paths.numpy()[row, :, word]
        return {"paths": paths, "log_probs": log_probs}

    def marginals(self, temperature: float = 1.0) -> np.ndarray:
        """Return (words, tags) posterior probabilities, which are not stored.

        Args:
            temperature: divides the potentials.
        """
        marginals = np.zeros_like(self._source()["emissions"], dtype=self.precision)
        for indices, crf in self._chains():
            by_word = (crf if temperature == 1.0 else crf.tempered(temperature)).marginals.numpy()
            row, word = cells(self.lengths[indices])
            marginals[self.starts[indices][row] + word] = by_word[row, word]
        return marginals

    def _source(self) -> dict[str, np.ndarray]:
        source = self.open("emissions")
        if source is None:
            raise FileNotFoundError(
                f"{self.folder}: emissions must be written before anything is derived from them"
            )
        return source

    @torch.inference_mode()
    def _chains(self, sentences: int = 256) -> Iterator[tuple[np.ndarray, LinearChainCRF]]:
        """Yield the teacher's distributions, rebuilt from the cached emissions, in batches of similar length."""
        source = self._source()
        scores = {name: torch.from_numpy(np.array(source[name])) for name in ("transitions", "start", "end")}
        order = np.argsort(self.lengths, kind="stable")
        for first in range(0, len(order), sentences):
            indices = order[first : first + sentences]
            lengths = self.lengths[indices]
            row, word = cells(lengths)
            emissions = np.zeros(
                (len(indices), lengths.max(), source["emissions"].shape[1]), dtype=np.float32
            )
            emissions[row, word] = source["emissions"][self.starts[indices][row] + word]
            yield (
                indices,
                LinearChainCRF(torch.from_numpy(emissions), lengths=torch.from_numpy(lengths), **scores),
            )
