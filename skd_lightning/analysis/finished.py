"""One finished run, read from its folder, with a note on everything that could not be read."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from skd_lightning.analysis.entity_types import Types, read_types
from skd_lightning.analysis.scores import Scores, parts, ratio
from skd_lightning.data.run_settings import read_settings
from skd_lightning.errors import UserError
from skd_lightning.metrics import COLUMNS
from skd_lightning.run_folder import RunFolder
from skd_lightning.runs.record import PeerResults, Record, Results, ZeroshotResults

TEACHERS = "teachers"

R = TypeVar("R", bound=Record)


@dataclass
class Finished:
    """One tested system.

    Attributes:
        variant: ``"teachers"``, the name of a student's variant (its loss unless it was given another), or of a peer
            with the word that it is one.
        folder: of the run.
        test: scores on the languages it was trained on.
        types: {language: entities of each type} in the same test; empty where tags mark no entities.
        results: content of ``results.json``.
    """

    variant: str
    folder: RunFolder
    test: Scores
    types: dict[str, Types]
    results: Results | PeerResults

    @property
    def name(self) -> str:
        """Return ``variant/seed1`` or ``teachers/en``, as the folder is called."""
        return "/".join(self.folder.path.parts[-2:])


@dataclass
class FinishedPeer(Finished):
    """The models of another library, which were trained and tested on the same sentences."""

    results: PeerResults


@dataclass
class FinishedRun(Finished):
    """One trained and tested tagger.

    Attributes:
        zeroshot: scores on other languages, where they were measured.
        text_only: languages of which it has seen text alone, no labels.
    """

    results: Results
    zeroshot: Scores | None = None
    text_only: tuple[str, ...] = ()

    def confusion(self) -> NDArray[np.int64] | None:
        """Return (tags, tags) test words ``[gold, predicted]``, or None where they were not kept.

        Raises:
            OSError, ValueError: the file is not such a matrix.
        """
        if not self.folder.confusion.is_file():
            return None
        counts, tags = np.load(self.folder.confusion, allow_pickle=False), len(self.results.tags)
        if counts.shape != (tags, tags) or counts.dtype.kind not in "iu" or (counts < 0).any():
            raise ValueError(f"{counts.dtype} of shape {counts.shape}, not words of {tags} tags")
        return np.asarray(counts, dtype=np.int64)


def read_run(file: Path, root: Path, notes: list[str]) -> FinishedRun | None:
    """Read a student or a teacher from its results; None, and a note, where that is not possible.

    Args:
        file: its ``results.json``.
        root: folder of the task.
        notes: what cannot be read is added here.
    """
    folder = RunFolder(file.parent)
    results = _read(Results, folder, root, notes)
    if results is None:
        return None
    teacher = results.role == "teacher"
    variant = TEACHERS if teacher else results.variant or results.loss
    test = _scores(folder, results, root, notes)
    if teacher and folder.path.name not in test.languages:
        notes.append(f"{_place(file, root)}: has no score of {folder.path.name}; left out")
        return None
    types = _types(folder, results, root, notes)
    if types is None:
        return None
    run = FinishedRun(variant, folder, test, types, results)
    try:
        run.text_only = tuple(sorted(read_settings(folder).data.text_only))
    except UserError as error:
        said = str(error).replace(str(folder.config), _place(folder.config, root))
        notes.append(f"{said}; it may have had no labels of some languages")
    transfer = _read(ZeroshotResults, folder.zeroshot, root, notes)
    if transfer is not None:
        run.zeroshot = _scores(folder.zeroshot, transfer, root, notes)
    return run


def read_peer(file: Path, root: Path, notes: list[str]) -> FinishedPeer | None:
    """Read a peer from its results; arguments and result as of :func:`read_run`."""
    folder = RunFolder(file.parent)
    results = _read(PeerResults, folder, root, notes)
    types = _types(folder, results, root, notes) if results else None
    if results is None or types is None:
        return None
    name = f"{results.variant} (peer)"
    return FinishedPeer(name, folder, _scores(folder, results, root, notes), types, results)


def _types(folder: RunFolder, results: Record, root: Path, notes: list[str]) -> dict[str, Types] | None:
    try:
        return {language: read_types(row) for language, row in results.types.items()}
    except ValueError as error:
        notes.append(f"{_place(folder.results, root)}: not readable ({reason(error)}); left out")
        return None


def _read(kind: type[R], folder: RunFolder, root: Path, notes: list[str]) -> R | None:
    try:
        if folder.results.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        return kind.read(folder)
    except (OSError, ValueError) as error:
        notes.append(f"{_place(folder.results, root)}: not readable ({reason(error)}); left out")
        return None


def _place(file: Path, root: Path) -> str:
    return file.relative_to(root).as_posix()


def _scores(folder: RunFolder, results: Record, root: Path, notes: list[str]) -> Scores:
    tested = sorted(language for language, scores in results.languages.items() if scores.sentences)
    scores = Scores(
        {language: results.score(language) for language in tested},
        {language: results.languages[language].sentences for language in tested},
    )
    for language in scores.languages:
        file = folder.counts / f"{language}.npy"
        if not file.is_file():
            continue
        try:
            counts = np.load(file, allow_pickle=False)
            _check(counts, results.metric, scores.languages[language], scores.sentences[language])
        except (OSError, ValueError, EOFError) as error:
            notes.append(f"{_place(file, root)}: {reason(error)}; not used")
        else:
            scores.counts[language] = counts.astype(np.int64)
    return scores


def _check(counts: NDArray[Any], metric: str, score: float, sentences: int) -> None:
    """Refuse counts that the results were not made from."""
    if counts.ndim != 2 or counts.shape[1] != len(COLUMNS) or counts.dtype.kind not in "iu":
        raise ValueError(f"{counts.dtype} of shape {counts.shape}, not int (sentences, {len(COLUMNS)})")
    of_counts = float(ratio(parts(counts, metric).sum(0)))
    if int(counts[:, 0].sum()) != sentences or abs(of_counts - score) > 1e-6:
        raise ValueError(f"not of results.json: {metric} {of_counts:.4f} there {score:.4f}")


def reason(error: Exception) -> str:
    """Put the message of an exception on one line, without the path that the operating system's errors hold."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    kind = "" if isinstance(error, ValueError) else f"{type(error).__name__} "
    return kind + " ".join(str(error).split())[:100]
