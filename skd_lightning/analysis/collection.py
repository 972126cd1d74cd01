"""The finished runs of a task, read from its folder, with a note on everything that could not be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from skd_lightning.analysis.finished import TEACHERS, Finished, FinishedPeer, FinishedRun, read_peer, read_run
from skd_lightning.analysis.scores import Scores
from skd_lightning.distillation.names import BASELINE, rank
from skd_lightning.errors import UserError
from skd_lightning.run_folder import PEERS, results_files

GENERATED = "demo"
"""The task whose corpora are generated: its scores and times say nothing about real ones."""


@dataclass
class TaskRuns:
    """All finished runs of a task.

    Attributes:
        name: of the task.
        metric: ``"f1"`` or ``"accuracy"``.
        students: the runs of each variant by seed, variants in the order of the tables.
        teachers: by language.
        notes: what was left out, and why; a line each, without paths outside of the run folder.
        peers: the runs of each peer by seed, by name.
    """

    name: str
    metric: str
    students: dict[str, list[FinishedRun]]
    teachers: dict[str, FinishedRun]
    notes: list[str]
    peers: dict[str, list[FinishedPeer]] = field(default_factory=dict)

    @property
    def losses(self) -> dict[str, str]:
        """Return the objective of each variant."""
        return {name: runs[0].results.loss for name, runs in self.students.items()}

    @property
    def baseline(self) -> str:
        """Return the variant without teachers: ``none``, or the only one of that loss if it has another name."""
        without = [name for name, loss in self.losses.items() if loss == BASELINE]
        return without[0] if len(without) == 1 and BASELINE not in self.students else BASELINE

    @property
    def languages(self) -> list[str]:
        """Return all languages that a student was tested on, zero-shot transfer apart.

        Without students these are the teachers', and without teachers the peers'.
        """
        students = [run for group in self.students.values() for run in group]
        peers = [peer for group in self.peers.values() for peer in group]
        tested: Sequence[Finished] = students or [*self.teachers.values()] or peers
        return sorted({language for run in tested for language in run.test.languages})

    @property
    def text_only(self) -> dict[str, list[str]]:
        """Return the languages of which a run of each variant has no labels, for those variants that lack some."""
        found = {
            name: sorted({language for run in runs for language in run.text_only})
            for name, runs in self.students.items()
        }
        return {name: languages for name, languages in found.items() if languages}

    @property
    def generated(self) -> bool:
        """Return True for the demo task, whose corpora are generated."""
        return self.name == GENERATED

    def runs(self) -> Iterator[FinishedRun]:
        """Yield the teachers, then the students."""
        yield from self.teachers.values()
        for group in self.students.values():
            yield from group

    def teachers_together(self) -> Scores:
        """Return the teachers as one system: on each language its own teacher."""
        found = Scores({}, {})
        for language, run in self.teachers.items():
            found.add(language, run.test)
        return found


def read_task(runs: Path, task: str, variants: Collection[str] | None = None) -> TaskRuns:
    """Read all finished runs of a task; what cannot be read is left out and named in ``notes``.

    Args:
        runs: folder of all runs.
        task: its name.
        variants: of the students that count; all if None. Teachers and peers always do.

    Raises:
        UserError: there is no finished run.
    """
    notes: list[str] = []
    root = runs / task
    found = [run for file in results_files(runs, task) if (run := read_run(file, root, notes))]
    if variants is not None:
        found = [run for run in found if run.variant in (TEACHERS, *variants)]
    # Of two runs with one name, the one in its place comes first.
    found.sort(key=lambda run: run.folder.path.parent.name != run.variant)
    files = sorted(root.glob(f"{PEERS}/*/*/results.json"))
    rivals = [peer for file in files if (peer := read_peer(file, root, notes))]
    if not found and not rivals:
        why = f" ({notes[0]})" if notes else ""
        raise UserError(
            f"no finished runs in {root}{why}; train some first: skd teachers, skd distill or skd suite"
        )
    metric = Counter(run.results.metric for run in found or rivals).most_common(1)[0][0]
    teachers: dict[str, FinishedRun] = {}
    students: dict[str, dict[int, FinishedRun]] = {}
    for run in found:
        place = run.folder.path.relative_to(root).as_posix()
        if run.results.metric != metric:
            notes.append(f"{place}: scored by {run.results.metric}, the others by {metric}; left out")
        elif run.variant == TEACHERS:
            if teachers.setdefault(run.folder.path.name, run) is not run:
                notes.append(f"{place}: a second teacher of {run.folder.path.name}; left out")
        elif run.results.seed in students.setdefault(run.variant, {}):
            notes.append(f"{place}: a second run of {run.variant} with seed {run.results.seed}; left out")
        else:
            students[run.variant][run.results.seed] = run
    losses = {name: next(iter(group.values())).results.loss for name, group in students.items()}
    ordered = {name: [students[name][s] for s in sorted(students[name])] for name in _order(losses)}
    peers: dict[str, list[FinishedPeer]] = {}
    for peer in sorted(rivals, key=lambda peer: (peer.variant, peer.results.seed)):
        if peer.results.metric == metric:
            peers.setdefault(peer.variant, []).append(peer)
        else:
            place = peer.folder.path.relative_to(root).as_posix()
            notes.append(f"{place}: scored by {peer.results.metric}, the others by {metric}; left out")
    runs_of_task = TaskRuns(task, metric, ordered, teachers, notes, peers)
    taught = {language for teacher in teachers.values() for language in teacher.test.languages}
    if lone := sorted(taught - set(runs_of_task.languages)):
        notes.append(f"no student was tested on {', '.join(lone)}; the teachers' scores there are left out")
    return runs_of_task


def _order(losses: Mapping[str, str]) -> list[str]:
    """Return variants by their losses, in the paper's order; of one loss the plain name first, then by name."""

    def place(name: str) -> tuple[tuple[int, str], bool, list[Any]]:
        return rank(losses[name]), name != losses[name], natural(name)

    return sorted(losses, key=place)


def natural(name: str) -> list[tuple[int, str]]:
    """Return a sort key in which ``k10`` comes after ``k9``.

    >>> sorted(["k10", "k9"], key=natural)
    ['k9', 'k10']
    """
    pieces: list[tuple[int, str]] = []
    digits = ""
    for sign in [*name, ""]:
        if sign.isdecimal() and sign.isascii():
            digits += sign
            continue
        if digits:
            pieces.append((int(digits), ""))
            digits = ""
        pieces.append((-1, sign))
    return pieces
