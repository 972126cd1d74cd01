"""The files of a run folder: every name is written here and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from skd_lightning.errors import UserError
from skd_lightning.storage import LOCK

KEY = "# key: "

PEERS = "peers"
"""Folder of a task in which the results of other systems on the same sentences stand."""

TEACHERS, REPORT = "teachers", "report"
"""Folders of a task beside those of its students."""

CACHE, LOGS = "cache", "logs"
"""Folders beside those of the tasks."""

SWEEPS = "sweeps"
"""Folder of a task beside those of its students, with a folder for each sweep."""

LONGEST = 100
"""Bytes of a name: three of them make that of a log, and file systems take 255."""


@dataclass(frozen=True)
class RunFolder:
    """One trained tagger on disk: ``runs/<task>/teachers/<language>`` or ``runs/<task>/<variant>/seed<N>``.

    A peer has a folder too, ``runs/<task>/peers/<name>/seed<N>``, of which only what its test made and
    the configuration are there.

    Attributes:
        path: of the folder; it need not exist.

    Examples:
        >>> RunFolder(Path("runs/demo/topk/seed1")).best.as_posix()
        'runs/demo/topk/seed1/checkpoints/best.ckpt'
    """

    path: Path

    @property
    def config(self) -> Path:
        """All settings as YAML, below a comment with the run's key."""
        return self.path / "config.yaml"

    @property
    def provenance(self) -> Path:
        """Hashes of the code, corpora and teachers that the run was made from."""
        return self.path / "provenance.json"

    @property
    def checkpoints(self) -> Path:
        """Folder of the weights."""
        return self.path / "checkpoints"

    @property
    def best(self) -> Path:
        """Weights with the best dev score."""
        return self.checkpoints / "best.ckpt"

    @property
    def last(self) -> Path:
        """State from which a stopped training goes on."""
        return self.checkpoints / "last.ckpt"

    @property
    def metrics(self) -> Path:
        """Losses and scores of each epoch, of the last part of a training that was resumed."""
        return self.path / "metrics.csv"

    def earlier_metrics(self, part: int) -> Path:
        """Losses and scores of part 1, 2, … of a training that was resumed."""
        return self.path / f"metrics-{part}.csv"

    def all_metrics(self) -> list[Path]:
        """Every part's losses and scores that are on disk, oldest first."""
        parts = len(list(self.path.glob("metrics-*.csv")))
        files = [*(self.earlier_metrics(part + 1) for part in range(parts)), self.metrics]
        return [file for file in files if file.is_file()]

    @property
    def results(self) -> Path:
        """Test scores and what the training took; written last, so a run is finished where this file is."""
        return self.path / "results.json"

    @property
    def counts(self) -> Path:
        """Folder with ``<language>.npy``: counts of each test sentence, see ``metrics.COLUMNS``."""
        return self.path / "counts"

    @property
    def predictions(self) -> Path:
        """Folder with ``<language>.npy``: tags of each test word, see ``runs.tagged_words``; newer than the counts."""
        return self.path / "predictions"

    @property
    def confusion(self) -> Path:
        """(tags, tags) int64 test words ``[gold, predicted]``; ``tags`` in the results names rows and columns."""
        return self.path / "confusion.npy"

    @property
    def calibration(self) -> Path:
        """Test words and entities by their probability; earlier versions have not written it, nor do most peers."""
        return self.path / "calibration.json"

    @property
    def zeroshot(self) -> RunFolder:
        """Results and counts on languages that the run was not trained on: the same file names again."""
        return RunFolder(self.path / "zeroshot")

    @property
    def successor(self) -> RunFolder:
        """A training under way that replaces the finished run in this folder when it has finished itself."""
        return RunFolder(self.path / "next")

    @property
    def previous(self) -> RunFolder:
        """The finished run that was in this folder before."""
        return RunFolder(self.path / "previous")

    @property
    def stopped(self) -> RunFolder:
        """An unfinished training of other settings that a new one has replaced."""
        return RunFolder(self.path / "stopped")

    def content(self) -> list[Path]:
        """Everything that belongs to the run itself, the results last; nothing for a folder that does not exist."""
        others = {LOCK, *(folder.path.name for folder in (self.successor, self.previous, self.stopped))}
        found = (
            [path for path in self.path.iterdir() if path.name not in others] if self.path.is_dir() else []
        )
        return sorted(found, key=lambda path: (path == self.results, path.name))

    @property
    def finished(self) -> bool:
        """Return True where results have been written."""
        return self.results.is_file()

    def key(self) -> str | None:
        """Return the key of the settings that the folder was made with; None where none is written down."""
        if not self.config.is_file():
            return None
        with self.config.open(encoding="utf-8", errors="replace") as opened:
            first = opened.readline(1000).rstrip("\n")
        return first.removeprefix(KEY) if first.startswith(KEY) else None


def results_files(runs: Path, task: str) -> list[Path]:
    """Return the results of a task's finished teachers and students, sorted.

    Teachers that were trained without a fold of their text are left out: they stand for the usual ones.
    """
    return sorted(
        file
        for file in (runs / task).glob("*/*/results.json")
        if not re.fullmatch(r"teachers-fold\d+of\d+", file.parents[1].name)
    )


def peer_folder(runs: Path, task: str, name: str, seed: int) -> RunFolder:
    """Return the folder of a peer's results.

    >>> peer_folder(Path("runs"), "uner", "crfsuite", 1).results.as_posix()
    'runs/uner/peers/crfsuite/seed1/results.json'
    """
    return RunFolder(runs / task / PEERS / name / f"seed{seed}")


def refuse_name(what: str, name: str, taken: Sequence[str] = ()) -> None:
    """Refuse a name that cannot be that of one folder in the folder of all runs.

    Args:
        what: it names, for the message.
        name: of a task, a variant or a language.
        taken: names that stand for something else there.

    Raises:
        UserError: it is empty, too long or taken, would lead to another folder, or has characters nobody can see.

    >>> refuse_name("--name", "topk-5 (é)")
    """
    shown = name if len(name) <= LONGEST else f"{name[:20]}…"
    rule = None
    if not name.strip() or name != name.strip():
        rule = "must have letters, and no blank at its ends"
    elif not name.isprintable():
        rule = "must not have control characters"
    elif "/" in name or "\\" in name or name.startswith("."):
        rule = "must be one folder below that of the runs: without / and \\, and no dot in front"
    elif len(name.encode()) > LONGEST:
        rule = f"has {len(name.encode())} bytes, it must have at most {LONGEST}"
    elif name in taken:
        rule = "names another folder there; give another one"
    if rule:
        raise UserError(f"{what}: '{shown}' {rule}")
