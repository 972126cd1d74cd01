"""Transfer: how runs do on languages that they were not trained on."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import track

from skd_lightning.data.module import TaggingData
from skd_lightning.data.run_settings import read_settings
from skd_lightning.data.schemes import in_scheme
from skd_lightning.data.sentence import Sentence
from skd_lightning.display import terminal
from skd_lightning.display.formats import points
from skd_lightning.display.table import Table
from skd_lightning.errors import UserError
from skd_lightning.metrics import TaggingScores, split_types
from skd_lightning.run_folder import LOGS, RunFolder, results_files
from skd_lightning.runs.jobs import Job
from skd_lightning.runs.record import Results, ZeroshotResults, surroundings, typed_command
from skd_lightning.runs.work_as_json import to_json
from skd_lightning.storage import alone_in
from skd_lightning.taggers import Tagger, load
from skd_lightning.tags import TagSet


@dataclass(frozen=True)
class ZeroshotTest:
    """A test of runs on languages that they were not trained on.

    Attributes:
        runs: folder of all runs.
        task: whose runs are tested.
        on: task whose corpora hold the languages.
        data: folder of the corpora, or None for the default.
        languages: codes of the languages.
        folders: of the runs; all finished ones of the task if empty.
        outside: allow the runs to read vector files and models outside of their own folders.
        command: what was typed to start it, for the record; the command line of the process if empty.
    """

    runs: Path
    task: str
    on: str
    data: str | None
    languages: tuple[str, ...]
    folders: tuple[Path, ...] = ()
    outside: bool = False
    command: str = ""

    def job(self) -> Job:
        """Return the test as a job for a process of its own."""
        typed = dataclasses.replace(self, command=typed_command())
        log = self.runs / LOGS / f"{self.task}-zeroshot.txt"
        title = f"{self.task}: on {' '.join(self.languages)}"
        return Job(title, ("job", "zeroshot", to_json(typed)), log, self.finished)

    def tested_runs(self) -> list[RunFolder]:
        """Return the folders of the runs, teachers and students."""
        if self.folders:
            return [RunFolder(folder) for folder in self.folders]
        return [RunFolder(file.parent) for file in results_files(self.runs, self.task)]

    def finished(self) -> bool:
        """Return True where every run has been tested on all of these languages, or has nothing to be tested on."""
        folders = self.tested_runs()
        return bool(folders) and not any(self._is_to_test(folder) for folder in folders)

    def found(self, folder: RunFolder) -> ZeroshotResults | None:
        """Return a run's results on all of these languages, and on others; None where it has yet to be tested."""
        results = self._earlier(folder)
        return results if results is not None and {*results.asked} >= {*self.languages} else None

    def _earlier(self, folder: RunFolder) -> ZeroshotResults | None:
        """Return a run's results on any languages of the same corpora; None where none can be read."""
        # The test of a run that was trained anew has moved to previous/ with everything else.
        try:
            results = ZeroshotResults.read(folder.zeroshot)
        except ValueError:  # damaged or of another version: tested again
            return None
        return results if results is not None and (results.on or results.task) == self.on else None

    def _is_to_test(self, folder: RunFolder) -> bool:
        try:
            return self.found(folder) is None and bool(self._unseen(folder))
        except UserError:  # the test itself names what cannot be read
            return True

    def _unseen(self, folder: RunFolder) -> list[str]:
        """Return the languages without those whose annotation a run was trained on."""
        annotated = _annotated(folder)
        return [language for language in self.languages if language not in annotated]

    def run(self) -> None:
        """Test the runs on each language's test sentences, but for languages whose annotation they were trained on.

        Raises:
            UserError: no run, a folder without results, no run that has any of the languages to be tested on, a
                language without test sentences, a link in a run's folder where results would go, or another process
                at work on a run.
        """
        folders = self.tested_runs()
        if not folders:
            raise UserError(
                f"no finished runs of task {self.task} in {self.runs}; train some first (skd teachers, skd distill)"
            )
        if not any(self._unseen(folder) for folder in folders):
            raise UserError(
                f"every run was trained on annotated sentences of {', '.join(self.languages)}; give --langs others"
            )
        corpora = TaggingData(self.on, self.data, list(self.languages))
        sentences = {
            language: [sentence for sentence in corpora.sentences["test"][language] if sentence.tags]
            for language in self.languages
        }
        if empty := [language for language, found in sentences.items() if not found]:
            raise UserError(f"task {self.on}: no test sentences with tags in {', '.join(empty)}")
        entities = any(corpora.schemes[language].scheme != "none" for language in self.languages)
        todo = [folder for folder in folders if self._is_to_test(folder)]
        for folder in track(
            todo, f"{self.on}: {len(todo)} runs on {' '.join(self.languages)}", transient=True
        ):
            self._test(folder, sentences, entities)

    def _test(self, folder: RunFolder, sentences: dict[str, list[Sentence]], entities: bool) -> None:
        self._trained(folder)  # a folder that is no run gets no lock file
        # Nothing may take the run's place between its test and the writing of what was found.
        with alone_in(folder.path, folder.zeroshot.path.name, wait=False):
            if not self._is_to_test(folder):
                return  # another process has just done it
            trained = self._trained(folder)
            tagger = load(folder.path, outside=self.outside)
            scheme = tagger.tag_set.scheme
            if entities != (scheme != "none"):
                have, other = ("no entities", "entities") if entities else ("entities", "no entities")
                raise UserError(f"{folder.path}: its tags mark {have}, those of task {self.on} mark {other}")
            unseen = {
                name: sentences[name] if scheme == "none" else in_scheme(sentences[name], scheme)
                for name in self._unseen(folder)
            }
            with warnings.catch_warnings():  # that the tagger does not know the languages is the point here
                warnings.filterwarnings("ignore", message="the language ")
                found, counts = evaluate(tagger, unseen)
            found["languages"], found["types"] = split_types(found["languages"])
            labels = trained.model_dump(include={"task", "role", "loss", "objective", "variant", "seed"})
            results = ZeroshotResults(
                **labels, asked=sorted(self.languages), on=self.on, **found, **surroundings(self.command)
            )
            results, counts = self._with_earlier(folder, results, counts)
            results.save(folder.zeroshot, counts)

    def _with_earlier(
        self, folder: RunFolder, results: ZeroshotResults, counts: dict[str, np.ndarray]
    ) -> tuple[ZeroshotResults, dict[str, np.ndarray]]:
        """Return results and counts together with those of an earlier test on other languages of the same corpora."""
        earlier = self._earlier(folder)
        if earlier is None:
            return results, counts
        kept = [language for language in earlier.languages if language not in counts]
        try:
            of_earlier = {language: np.load(folder.zeroshot.counts / f"{language}.npy") for language in kept}
        except (OSError, ValueError):  # damaged: a test without its counts is none
            return results, counts
        return results.beside(earlier), {**of_earlier, **counts}

    def _trained(self, folder: RunFolder) -> Results:
        """Return the results of a run of the task; refuse a folder that holds none."""
        trained = Results.read_or_refuse(folder)
        if trained is None:
            raise UserError(f"{folder.path}: no results.json there; name folders of finished runs")
        if trained.task != self.task:
            raise UserError(
                f"{folder.path}: a run of task {trained.task}, not of {self.task}; add --task {trained.task}"
            )
        return trained


def _annotated(folder: RunFolder) -> set[str]:
    """Return the languages whose annotation a run was trained on; none for a folder without results."""
    trained = Results.read_or_refuse(folder)
    if trained is None:
        return set()
    if trained.annotated is not None:
        return set(trained.annotated)
    # An earlier version has not written them: those that it was tested on are the best guess.
    return set(trained.languages) - set(read_settings(folder).data.text_only)


def evaluate(
    tagger: Tagger, sentences: dict[str, list[Sentence]]
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return scores of a tagger on annotated sentences, and its counts in each sentence.

    Tags that the tagger does not know count against it.

    Args:
        tagger: any.
        sentences: {language: annotated sentences}, entity tags in the tagger's scheme.

    Returns:
        What :meth:`TaggingScores.compute` returns; {language: (sentences, 9)}, see ``metrics.COLUMNS``.
    """
    gold = {tag for group in sentences.values() for sentence in group for tag in sentence.tags or ()}
    tag_set = TagSet.of({*tagger.tag_set.names, *gold}, tagger.tag_set.scheme)
    scores = TaggingScores(tag_set, list(sentences))
    counts: dict[str, np.ndarray] = {}
    for place, (language, group) in enumerate(sentences.items()):
        lengths = torch.tensor([len(sentence.words) for sentence in group])
        predicted = [prediction.tags for prediction in tagger.predict([s.words for s in group], language)]
        own, true = _padded(predicted, tag_set), _padded([s.tags or () for s in group], tag_set)
        scores.update(own, true, lengths, torch.full((len(group),), place))
        counts[language] = scores.count(own, true, lengths).numpy()
    return scores.compute(), counts


def _padded(tags: Sequence[Sequence[str]], tag_set: TagSet) -> torch.Tensor:
    """Return (sentences, words) numbers of the tags, 0 at padding."""
    rows = [torch.tensor(tag_set.encode(row), dtype=torch.int64) for row in tags]
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)


def show(transfer: ZeroshotTest) -> None:
    """Print what a test and earlier ones have found, a line a run; a run that had nothing to be tested on has none."""
    read = [(folder, transfer.found(folder)) for folder in transfer.tested_runs()]
    asked = {*transfer.languages}
    found = [(folder, results) for folder, results in read if results and asked & results.languages.keys()]
    languages = sorted({language for _, results in found for language in results.languages})
    metric = found[0][1].metric if found else ""
    table = Table("zeroshot", f"Zero-shot {metric} in per cent", ["run", *languages, "average"])
    for folder, results in found:
        cells = [points(results.score(name)) if name in results.languages else "" for name in languages]
        table.rows.append(["/".join(folder.path.parts[-2:]), *cells, points(results.average)])
    terminal.show(table, languages[::-1])
