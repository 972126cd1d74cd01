"""Whole experiments: train, test, write ``results.json``; what is finished is not done twice."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as pl
import yaml
from rich.console import Console

import skd_lightning
from skd_lightning.data import TaggingData
from skd_lightning.data.corpora import training_languages
from skd_lightning.distillation import DistillationCallback, Loss
from skd_lightning.lightning_cli import TaggingCLI
from skd_lightning.results import SCHEMA, put_aside, surroundings, write_results, write_text
from skd_lightning.taggers import Student, Tagger
from skd_lightning.weights_and_biases import Labels, finish, stored_run_id

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
        return _is_finished(self.folder, _key(_configuration(_parse(self)), self.teachers))


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
    return TaggingData(**_parse(plan.student("none", seed=1)).config["data"].as_dict())


def train_teachers(plan: Plan) -> None:
    """One teacher a language."""
    for language in plan.languages or training_languages(plan.task, plan.data):
        train(plan.teacher(language), plan.task)


def _experiments() -> Path:
    """The YAML files: those of the working folder, else those that came with the package."""
    package = Path(skd_lightning.__file__).parent
    candidates = (Path("experiments"), package / "experiments", package.parent / "experiments")
    return next((folder for folder in candidates if (folder / "student.yaml").is_file()), candidates[0])


def _parse(run: Run) -> TaggingCLI:
    arguments = [*run.arguments, "--trainer.default_root_dir", str(run.folder)]
    return TaggingCLI(arguments, run=False, instantiate=False)


def train(run: Run, task: str) -> None:
    """Train, test and write the results of a run, unless a run with this configuration has written them."""
    console = Console()
    began = time.perf_counter()
    cli = _parse(run)
    config = _configuration(cli)
    key = _key(config, run.teachers)
    if _is_finished(run.folder, key):
        console.print(
            f"[green]{run.title}[/]: already trained with this configuration, in {run.folder}",
            highlight=False,
        )
        return
    last = run.folder / "checkpoints" / "last.ckpt"
    resume = last if _read_key(run.folder) == key and last.is_file() else None
    run_id = stored_run_id(resume) if resume and cli.config.wandb else None
    cli.labels = Labels(run.title, f"{task}/{run.variant}", run.role, run_id)
    cli.make()
    trainer, tagger = cli.trainer, cli.model
    if trainer.is_global_zero:
        if resume:
            console.print(f"{run.title}: going on from {resume}", highlight=False)
        put_aside(run.folder, resume is not None)
        write_text(run.folder / "config.yaml", f"# key: {key}\n{config}")
        summary = cli.datamodule.corpora.summary()
        console.print(f"[bold]{task} · {run.title}[/]: {summary}", highlight=False)
    fit_began = time.perf_counter()
    trainer.fit(tagger, datamodule=cli.datamodule, ckpt_path=resume, weights_only=True)
    fit_seconds = time.perf_counter() - fit_began
    if trainer.interrupted:
        raise KeyboardInterrupt
    trainer.test(
        tagger,
        datamodule=cli.datamodule,
        ckpt_path=run.folder / "checkpoints" / "best.ckpt",
        verbose=False,
        weights_only=True,
    )
    if not trainer.is_global_zero:
        return
    labels = {"task": task, "role": run.role, "loss": run.loss, "variant": run.variant}
    results = _results(tagger, trainer, {**labels, "seed": cli.config.seed_everything}, fit_seconds)
    write_results(run.folder, results, _counts(tagger, cli.datamodule), tagger.confusion.numpy())
    finish(trainer, run.folder, Path(cli.config.distillation.teachers) if run.role == "student" else None)
    score = f"{results['metric']} {results['average']:.2%}"
    console.print(
        f"[green]{run.title}[/]: test {score} after {time.perf_counter() - began:.0f} s, in {run.folder}",
        highlight=False,
    )


def _results(
    tagger: Tagger, trainer: pl.Trainer, labels: dict[str, Any], fit_seconds: float
) -> dict[str, Any]:
    found = tagger.results
    asked = [callback for callback in trainer.callbacks if isinstance(callback, DistillationCallback)]  # type: ignore[attr-defined]
    predicting = sum(callback.seconds for callback in asked)
    settings = {"k": tagger.k, "temperature": tagger.temperature} if isinstance(tagger, Student) else {}
    return {
        "schema": SCHEMA,
        **labels,
        **settings,
        "metric": found["metric"],
        "languages": {name: row for name, row in found["languages"].items() if row["sentences"]},
        "average": found["average"],
        "tags": list(tagger.tag_set.names),
        "epochs": trainer.current_epoch,
        "steps": trainer.global_step,
        "seconds": {"teacher_predictions": round(predicting, 3), "fit": round(fit_seconds - predicting, 3)},
        "parameters": sum(parameter.numel() for parameter in tagger.parameters()),
        **surroundings(),
    }


def _counts(tagger: Tagger, data: TaggingData) -> dict[str, Any]:
    languages = data.test_dataset.languages
    counts = {
        language: tagger.sentence_counts[languages == i] for i, language in enumerate(data.all_languages)
    }
    return {language: rows.numpy() for language, rows in counts.items() if len(rows)}


def _configuration(cli: TaggingCLI) -> str:
    """All settings, as YAML."""
    return str(cli.parser.dump(cli.config, skip_none=False))


def _key(config: str, teachers: Path | None) -> str:
    """Hash of the settings that change what is learned; a student's include those of its teachers."""
    settings = yaml.safe_load(config)
    for name in INCIDENTAL:
        settings["trainer"].pop(name, None)
    for name in ("wandb", "threads", "distillation"):
        settings.pop(name, None)
    data = settings["data"]
    data.pop("workers", None)
    if teachers is not None:
        languages = training_languages(data["task"], data["data"])
        wanted = [language for language in languages if language in (data["languages"] or languages)]
        settings["teachers"] = {language: _read_key(teachers / language) for language in wanted}
    return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _is_finished(folder: Path, key: str) -> bool:
    return _read_key(folder) == key and (folder / "results.json").is_file()


def _read_key(folder: Path) -> str | None:
    file = folder / "config.yaml"
    first = file.read_text().partition("\n")[0] if file.is_file() else ""
    return first.removeprefix("# key: ") if first.startswith("# key: ") else None
