"""One training: its settings, its place on disk, and the key that tells whether it has been done."""

from __future__ import annotations

import hashlib
import itertools
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import yaml

from skd_lightning.data.corpora import training_languages
from skd_lightning.distillation.names import BASELINE
from skd_lightning.distillation.objectives import by_name, objective_names
from skd_lightning.distillation.teachers import TeacherSet
from skd_lightning.distillation.teachers.kinds import identity
from skd_lightning.errors import UserError
from skd_lightning.run_folder import RunFolder
from skd_lightning.runs.lightning_cli import TaggingCLI
from skd_lightning.runs.succession import has_finished

INCIDENTAL = {
    "trainer": ("default_root_dir", "logger", "callbacks", "enable_progress_bar", "enable_checkpointing"),
    "data": ("workers",),
    "distillation": ("cache", "teachers", "outside"),  # of the teachers, their own keys count
}
"""Settings that do not change what is learned, by section; sections that hold none are not named."""

SURROUNDING = ("wandb", "threads")
"""Whole sections that do not change what is learned."""


@dataclass(frozen=True)
class Run:
    """One training.

    Attributes:
        path: folder where its files go.
        arguments: options of ``skd fit``.
        task: name of the task.
        role: ``teacher`` or ``student``.
        loss: the objective's name; ``none`` for teachers and the baseline.
        variant: what tables call it; ``teachers``, or the name of a student's folder.
        title: what the screen calls it.
        command: what was typed to start it, for the record; the command line of the process if empty.
    """

    path: Path
    arguments: tuple[str, ...]
    task: str
    role: Literal["teacher", "student"]
    loss: str
    variant: str
    title: str
    command: str = ""

    @property
    def folder(self) -> RunFolder:
        """Return the folder with the names of its files."""
        return RunFolder(self.path)

    def parse(self) -> Settings:
        """Return its settings, checked option by option.

        Raises:
            UserError: an option or its value does not exist, or is out of range.
        """
        arguments = [*self.arguments, "--trainer.default_root_dir", str(self.path)]
        settings = Settings(TaggingCLI(arguments, run=False, instantiate=False), self.loss != BASELINE)
        if (task := settings.cli.config.data.task) != self.task:
            raise UserError(f"--config sets the task {task}, the command {self.task}: give --task {task}")
        if self.role == "student":
            self._refuse_other_objective(settings.cli.config.model.init_args.objective)
        return settings

    def _refuse_other_objective(self, objective: Any) -> None:
        """Refuse a class that has another name than the loss, under which the run would be recorded."""
        place = objective.class_path if objective else "null"
        package, name = place.split(".")[0], place.split(".")[-1]
        if objective and package != __name__.partition(".")[0]:
            if self.loss == BASELINE or self.variant == self.loss:
                raise UserError(
                    f"--model.objective {place} is a class of your own: give its run a --name, and a --loss"
                )
            return
        losses = {by_name(loss).__name__: loss for loss in objective_names()} | {"null": BASELINE}
        if losses[name] != self.loss:
            raise UserError(
                f"--model.objective {place} and --loss {self.loss}: give --loss {losses[name]} alone"
            )

    def teacher_paths(self) -> list[Path]:
        """Return the folders that are named as teachers, as the last ``--distillation.teachers`` does."""
        names = [b for a, b in itertools.pairwise(self.arguments) if a == "--distillation.teachers"]
        if not names:
            return []
        return [Path(name) for name in (json.loads(names[-1]) if names[-1].startswith("[") else [names[-1]])]

    def finished(self) -> bool:
        """Return True where a run with these very settings has written its results."""
        return has_finished(self.folder, self.parse().key())


@dataclass
class Settings:
    """The settings of a run, and what makes the objects from them.

    Attributes:
        cli: parsed, nothing made yet.
        taught: the run learns from teachers.
    """

    cli: TaggingCLI
    taught: bool

    @cached_property
    def text(self) -> str:
        """Return all settings as YAML."""
        return str(self.cli.parser.dump(self.cli.config, skip_none=False))

    @cached_property
    def data(self) -> dict[str, Any]:
        """Return the settings of the data as plain values."""
        values: dict[str, Any] = yaml.safe_load(self.text)["data"]
        return values

    @property
    def teachers(self) -> TeacherSet | None:
        """Return the teachers that it learns from, if any."""
        return named_teachers(self.cli) if self.taught else None

    def languages(self) -> list[str]:
        """Return the languages of the corpora: those that are named, else all that have training data."""
        data = self.data
        return list(data["languages"] or training_languages(data["task"], data["data"]))

    def key(self) -> str:
        """Return a hash of the settings that change what is learned, those of its teachers included.

        Options at their defaults do not count, so that a new option leaves the keys of older runs as they are. A
        default that changes does not count either: the provenance tells that the code has changed.
        """
        settings = (
            yaml.safe_load(self.cli.parser.dump(self.cli.config, skip_none=False, skip_default=True)) or {}
        )
        for name in SURROUNDING:
            settings.pop(name, None)
        for section, incidental in INCIDENTAL.items():
            for name in incidental:
                settings.get(section, {}).pop(name, None)
        settings = {name: value for name, value in settings.items() if value != {}}
        wide = settings.get("model", {}).get("init_args", {}).get("wide") or {}
        # Of a dataclass, the parser writes defaults as well; and no teacher says anything about text.
        if wide.get("of_text", "") is None or not self.taught:
            wide.pop("of_text", None)
        if not self.taught:
            settings.pop("distillation", None)
        elif (teachers := self.teachers) is not None:
            settings["teachers"] = {
                language: [
                    part
                    for fold, pool in teachers.pools(language).items()
                    for part in (
                        *([f"fold {fold}"] if fold else []),
                        *(identity(folder) for folder in pool.folders),
                        *pool.description(),
                    )
                ]
                for language in self.languages()
            }
            if teachers.tags:
                settings["tags of teachers"] = dict(teachers.tags)
            if teachers.pieces:
                settings["pieces of teachers"] = {
                    str(name): chosen for name, chosen in teachers.pieces.items()
                }
        return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()[:16]


def named_teachers(cli: TaggingCLI) -> TeacherSet:
    """Return the teachers that the settings name."""
    chosen = cli.config.distillation
    return TeacherSet.named(chosen.teachers, chosen.pool, chosen.weights, chosen.folds)
