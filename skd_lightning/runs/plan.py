"""Plans: the settings that the runs of a task share, from which each teacher's and student's run is made."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from skd_lightning.data import tasks
from skd_lightning.data.folds import Fold
from skd_lightning.data.module import TaggingData
from skd_lightning.distillation.names import BASELINE
from skd_lightning.distillation.objectives import by_name
from skd_lightning.distillation.teachers.cross_fitting import folder_without
from skd_lightning.run_folder import CACHE, LOGS, PEERS, REPORT, TEACHERS, refuse_name
from skd_lightning.runs.configurations import experiments
from skd_lightning.runs.record import typed_command
from skd_lightning.runs.run import Run


@dataclass(frozen=True)
class Plan:
    """The settings that the runs of a task share.

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
    recipe: str | None = None

    def __post_init__(self) -> None:
        """Refuse a task whose runs would not lie in a folder of their own."""
        refuse_name("task", self.task, (CACHE, LOGS))

    @property
    def teachers(self) -> Path:
        """Folder with one run folder for each teacher."""
        return self.runs / self.task / TEACHERS

    def teacher(self, language: str, fold: Fold | None = None) -> Run:
        """Return the monolingual tagger of one language.

        Args:
            language: its code.
            fold: of the training sentences that it is trained without; None for all sentences.
        """
        configs, options = _configs_first(self.options)
        arguments = [*self._configs("teacher"), *configs, *self._corpora([language]), *options]
        refuse_name("language", language)
        folder, title = self.teachers, language
        if fold is not None:
            folder, title = folder_without(folder, fold), f"{language} without fold {fold}"
            arguments += ["--data.without_fold", str(fold)]
        return self._run(folder / language, arguments, "teacher", BASELINE, folder.name, title)

    def student(self, loss: str, seed: int, name: str | None = None) -> Run:
        """Return a multilingual tagger; ``loss`` "none" is the baseline.

        Args:
            loss: the objective's name.
            seed: of everything random.
            name: of the variant; by default the objective's, after the recipe's.
        """
        variant = (f"{self.recipe}-{loss}" if self.recipe else loss) if name is None else name
        refuse_name("name of the run (--name)", variant, (TEACHERS, PEERS, REPORT))
        objective = None if loss == BASELINE else by_name(loss)
        arguments = [
            *self._configs("student"),
            "--model.objective",
            objective.__name__ if objective else "null",
        ]
        if objective and "crf" not in objective.decoders:
            arguments += ["--model.decoder", objective.decoders[0]]
        arguments += ["--distillation.teachers", str(self.teachers)]
        arguments += ["--distillation.cache", str(self.runs / CACHE)]
        configs, options = _configs_first(self.options)
        arguments += [*configs, "--seed_everything", str(seed), "--data.seed", str(seed)]
        arguments += [*self._corpora(self.languages), *options]
        folder = self.runs / self.task / variant / f"seed{seed}"
        return self._run(folder, arguments, "student", loss, variant, f"{variant} seed {seed}")

    def _run(
        self,
        folder: Path,
        arguments: list[str],
        role: Literal["teacher", "student"],
        loss: str,
        variant: str,
        title: str,
    ) -> Run:
        return Run(folder, tuple(arguments), self.task, role, loss, variant, title, typed_command())

    def _configs(self, role: str) -> list[str]:
        """Return the role's settings, the task's own (a task of the user's own has none), then the recipe's."""
        folder, task = experiments(), tasks.entry(self.task)
        arguments = [*_config(folder / f"{role}.yaml"), *as_words(task.options)]
        if self.recipe:
            arguments += _config(folder / "recipes" / self.recipe / f"{role}.yaml")
            arguments += as_words(task.recipes.get(self.recipe, {}))
        return [*arguments, "--data.task", self.task]

    def _corpora(self, languages: list[str] | None) -> list[str]:
        folder = ["--data.data", self.data] if self.data else []
        return folder + (["--data.languages", json.dumps(languages)] if languages else [])


def _configs_first(options: Sequence[str]) -> tuple[list[str], list[str]]:
    """Part the files of settings from other options, which count more than they do wherever they stand.

    >>> _configs_first(["--model.objective.k", "3", "--config", "a.yaml", "--config=b.yaml"])
    (['--config', 'a.yaml', '--config=b.yaml'], ['--model.objective.k', '3'])
    """
    configs: list[str] = []
    others: list[str] = []
    words = iter(options)
    for word in words:
        if word == "--config":
            configs += [word, *itertools.islice(words, 1)]
        else:
            (configs if word.startswith("--config=") else others).append(word)
    return configs, others


def as_words(options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return options, {name with dots: value}, as on a command line.

    >>> as_words({"trainer.max_epochs": 5, "data.sample": {"en": 100}})
    ('--trainer.max_epochs', '5', '--data.sample', '{"en": 100}')
    """
    return tuple(
        word
        for name, value in options.items()
        for word in (f"--{name}", value if isinstance(value, str) else json.dumps(value))
    )


def _config(file: Path) -> list[str]:
    return ["--config", str(file)] if file.is_file() else []


def student_data(plan: Plan) -> TaggingData:
    """Return the data that a student of this plan learns from and is tested on."""
    return TaggingData(**plan.student("none", seed=1).parse().cli.config["data"].as_dict())
