"""What is trained under which settings: one run, and what the runs of a task have in common."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

import skd_lightning
from skd_lightning.data import TaggingData
from skd_lightning.data.corpora import training_languages
from skd_lightning.distillation import Loss
from skd_lightning.runs.lightning_cli import TaggingCLI

INCIDENTAL = ("default_root_dir", "logger", "callbacks", "enable_progress_bar", "enable_checkpointing")
"""Trainer settings that do not change what is learned."""

Recipe = Literal["paper", "best"]
"""Sets of choices beyond the objective: the paper's own, and those that were found to work best."""


@dataclass(frozen=True)
class Run:
    """One training.

    Attributes:
        folder: where its files go.
        arguments: options of ``skd fit``.
        role: ``teacher`` or ``student``.
        loss: the objective; ``none`` for teachers and the baseline.
        variant: what tables call it; ``teachers``, or the name of a student's folder.
        title: what the screen calls it.
        teachers: folder of the teachers that it listens to.
    """

    folder: Path
    arguments: tuple[str, ...]
    role: Literal["teacher", "student"]
    loss: Loss
    variant: str
    title: str
    teachers: Path | None = None

    def finished(self) -> bool:
        """Whether a run with this very configuration has written its results."""
        return self.has_results(self.key(self.configuration(self.parse())))

    def parse(self) -> TaggingCLI:
        """Its settings, and what makes the objects from them."""
        arguments = [*self.arguments, "--trainer.default_root_dir", str(self.folder)]
        return TaggingCLI(arguments, run=False, instantiate=False)

    def configuration(self, cli: TaggingCLI) -> str:
        """All settings, as YAML."""
        return str(cli.parser.dump(cli.config, skip_none=False))

    def key(self, configuration: str) -> str:
        """Hash of the settings that change what is learned; a student's include those of its teachers."""
        settings = yaml.safe_load(configuration)
        for name in INCIDENTAL:
            settings["trainer"].pop(name, None)
        for name in ("wandb", "threads", "distillation"):
            settings.pop(name, None)
        settings["data"].pop("workers", None)
        if self.teachers is not None:
            languages = trained_on(settings["data"])
            settings["teachers"] = {language: read_key(self.teachers / language) for language in languages}
        return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()[:16]

    def has_results(self, key: str) -> bool:
        """Whether results of the settings with this key are in its folder."""
        return read_key(self.folder) == key and (self.folder / "results.json").is_file()


@dataclass(frozen=True)
class Plan:
    """What the experiments of a task have in common.

    Attributes:
        runs: folder of all runs.
        task: name of the task.
        data: folder of the corpora, or None for the default.
        languages: codes of the languages, or None for all with training data.
        options: further options of ``skd fit``, as on the command line.
        recipe: choices beyond the objective, from ``experiments/recipes``.
    """

    runs: Path
    task: str
    data: str | None = None
    languages: list[str] | None = None
    options: tuple[str, ...] = ()
    recipe: Recipe | None = None

    @property
    def teachers(self) -> Path:
        """Folder with one run folder for each teacher."""
        return self.runs / self.task / "teachers"

    def teacher(self, language: str) -> Run:
        """The monolingual tagger of one language."""
        arguments = [*self._configs("teacher"), "--data.languages", json.dumps([language])]
        folder = self.teachers / language
        return Run(folder, (*arguments, *self.options), "teacher", "none", "teachers", language)

    def student(self, loss: Loss, seed: int, name: str | None = None) -> Run:
        """A multilingual tagger; ``loss`` "none" is the baseline.

        Args:
            loss: the objective.
            seed: of everything random.
            name: of the variant; by default the objective's, after the recipe's.
        """
        variant = name or (f"{self.recipe}-{loss}" if self.recipe else loss)
        arguments = [*self._configs("student"), "--model.loss", loss, "--seed_everything", str(seed)]
        arguments += ["--data.seed", str(seed), "--distillation.teachers", str(self.teachers)]
        if self.languages:
            arguments += ["--data.languages", json.dumps(self.languages)]
        if loss == "token":
            arguments += ["--model.decoder", "softmax"]
        arguments += ["--distillation.cache", str(self.runs / "cache"), *self.options]
        folder = self.runs / self.task / variant / f"seed{seed}"
        teachers = self.teachers if loss != "none" else None
        return Run(folder, tuple(arguments), "student", loss, variant, f"{variant} seed {seed}", teachers)

    def teacher_command(self, language: str) -> list[str]:
        """The words after ``skd`` that train the teacher of a language."""
        recipe = ["--recipe", self.recipe] if self.recipe else []
        return ["teachers", *self._where(), "--langs", language, *recipe, *self.options]

    def student_command(self, loss: Loss, seed: int, name: str) -> list[str]:
        """The words after ``skd`` that train a student."""
        words = ["distill", *self._where(), *(["--langs", *self.languages] if self.languages else [])]
        words += ["--recipe", self.recipe] if self.recipe else []
        return [*words, "--loss", loss, "--seed", str(seed), "--name", name, *self.options]

    def _where(self) -> list[str]:
        return ["--runs", str(self.runs), "--task", self.task, *(["--data", self.data] if self.data else [])]

    def _configs(self, role: str) -> list[str]:
        """The files of ``experiments/`` for a role (a task of the user's own has none), then the corpora."""
        folder = _experiments()
        files = [folder / f"{role}.yaml", folder / f"{self.task}.yaml"]
        if self.recipe:
            files += [folder / "recipes" / self.recipe / f"{name}.yaml" for name in (role, self.task)]
        arguments = [word for file in files if file.is_file() for word in ("--config", str(file))]
        arguments += ["--data.task", self.task]
        return arguments + (["--data.data", self.data] if self.data else [])


def student_data(plan: Plan) -> TaggingData:
    """The data that a student of this plan learns from and is tested on."""
    return TaggingData(**plan.student("none", seed=1).parse().config["data"].as_dict())


def trained_on(data: dict[str, Any]) -> list[str]:
    """The languages that are trained on under these settings of the data."""
    languages = training_languages(data["task"], data["data"])
    return [language for language in languages if language in (data["languages"] or languages)]


def read_key(folder: Path) -> str | None:
    """The key of the settings that a run folder was made with."""
    file = folder / "config.yaml"
    first = file.read_text().partition("\n")[0] if file.is_file() else ""
    return first.removeprefix("# key: ") if first.startswith("# key: ") else None


def _experiments() -> Path:
    """The YAML files: those of the working folder, else those that came with the package."""
    package = Path(skd_lightning.__file__).parent
    candidates = (Path("experiments"), package / "experiments", package.parent / "experiments")
    return next((folder for folder in candidates if (folder / "student.yaml").is_file()), candidates[0])
