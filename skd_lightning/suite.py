"""A whole table of experiments from one YAML file: what is finished is skipped, what is missing is run."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, get_args

import yaml
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from skd_lightning import zeroshot
from skd_lightning.data.corpora import training_languages
from skd_lightning.distillation import Loss
from skd_lightning.errors import UserError
from skd_lightning.experiment import Plan, Recipe, Run


@dataclass(frozen=True)
class Variant:
    """One kind of student.

    Attributes:
        loss: the objective.
        recipe: choices beyond the objective.
        options: further options of ``skd fit``, {name with dots: value}.
    """

    loss: Loss
    recipe: Recipe | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SuiteTask:
    """What is particular to one task of a suite.

    Attributes:
        languages: codes, or None for all with training data.
        zeroshot: languages on which all runs are evaluated in the end, without having been trained on them.
        zeroshot_task: of another task's corpora, if not None.
        options: of all its runs.
    """

    languages: list[str] | None = None
    zeroshot: list[str] = field(default_factory=list)
    zeroshot_task: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Suite:
    """Teachers and students of some tasks.

    Attributes:
        title: what it is about.
        tasks: {name of the task: what is particular to it}.
        variants: {name: kind of student}.
        seeds: each variant is trained with each.
        runs: folder of all its runs; suites that name the same one share teachers, caches and variants.
        recipe: of the teachers, and of the variants that name none.
        options: of all runs, {name of an option of ``skd fit``, with dots: value}; the path of a ``config`` is
            relative to the suite's file.
        teachers: options of the teachers.
        students: options of the students.
    """

    title: str
    tasks: Mapping[str, SuiteTask]
    variants: Mapping[str, Variant]
    seeds: Sequence[int] = (1,)
    runs: Path = Path("runs")
    recipe: Recipe | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    teachers: Mapping[str, Any] = field(default_factory=dict)
    students: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """One command of a suite, and how to know that it has been run."""

    title: str
    command: tuple[str, ...]
    log: Path
    run: Run | None = None
    zeroshot: tuple[Path, str, tuple[str, ...]] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    def finished(self) -> bool:
        """Whether its results are there."""
        if self.run is not None:
            return self.run.finished()
        assert self.zeroshot is not None
        runs, task, languages = self.zeroshot
        folders = zeroshot.finished_runs(runs, task)
        return bool(folders) and all(zeroshot.is_evaluated(folder, languages) for folder in folders)


def read_suite(file: Path) -> Suite:
    """A suite from its YAML file.

    Raises:
        UserError: no such file, no YAML, or a setting that does not exist; the line says which.
    """
    try:
        content = yaml.safe_load(file.read_text())
    except FileNotFoundError:
        raise UserError(f"{file}: no such suite") from None
    except yaml.YAMLError as error:
        raise UserError(f"{file}: not YAML: {' '.join(str(error).split())}") from None
    settings = _known(content, Suite, str(file))
    for name in ("options", "teachers", "students"):
        if "config" in (settings.get(name) or {}):
            settings[name]["config"] = str(file.parent / settings[name]["config"])
    for name in ("title", "tasks", "variants"):
        if not settings.get(name):
            raise UserError(f"{file}: '{name}' is missing")
    tasks = {
        name: SuiteTask(**_known(task or {}, SuiteTask, f"{file}: task {name}"))
        for name, task in settings["tasks"].items()
    }
    for name, task in tasks.items():
        for code in [*(task.languages or ()), *task.zeroshot]:
            if not isinstance(code, str):  # YAML reads no as false
                raise UserError(
                    f'{file}: task {name}: language {code} is not a word; write Norwegian as "no"'
                )
    variants = {name: _variant(name, value or {}, file) for name, value in settings["variants"].items()}
    _one_of(settings.get("recipe"), (*get_args(Recipe), None), f"{file}: recipe")
    runs = Path(settings.get("runs", "runs"))
    return Suite(**{**settings, "tasks": tasks, "variants": variants, "runs": runs})


def _variant(name: str, settings: dict[str, Any], file: Path) -> Variant:
    """``loss`` and ``recipe``, and every other setting an option; a variant called like an objective has it."""
    where = f"{file}: variant {name}"
    loss = settings.pop("loss", name)
    recipe = settings.pop("recipe", None)
    _one_of(loss, get_args(Loss), f"{where}: loss")
    _one_of(recipe, (*get_args(Recipe), None), f"{where}: recipe")
    return Variant(loss, recipe, settings)


def _one_of(value: Any, choices: Sequence[Any], where: str) -> None:
    if value not in choices:
        raise UserError(f"{where} is '{value}'; choose one of {', '.join(str(c) for c in choices if c)}")


def _known(settings: Any, kind: type, where: str) -> dict[str, Any]:
    names = [attribute.name for attribute in fields(kind)]
    if not isinstance(settings, dict):
        raise UserError(f"{where}: expected settings ({', '.join(names)}), found {settings!r}")
    if unknown := [name for name in settings if name not in names]:
        raise UserError(f"{where}: unknown setting '{unknown[0]}'; there are {', '.join(names)}")
    return settings


def phases(suite: Suite, data: str | None = None) -> list[list[Job]]:
    """Teachers, then students, then transfer: the jobs of a phase do not depend on one another."""
    teachers, students, transfers = [], [], []
    for task, own in suite.tasks.items():
        where = ["--runs", str(suite.runs), "--task", task, *(["--data", data] if data else [])]
        shared = {**suite.options, **own.options}
        options = _words({**shared, **suite.teachers})
        plan = Plan(suite.runs, task, data, own.languages, options, suite.recipe)
        recipe = ["--recipe", suite.recipe] if suite.recipe else []
        for language in own.languages or training_languages(task, data):
            words = ["teachers", *where, "--langs", language, *recipe, *options]
            teachers.append(_job(plan.teacher(language), f"{task}: teacher {language}", words))
        for seed in suite.seeds:
            for name, variant in suite.variants.items():
                options = _words({**shared, **suite.students, **variant.options})
                chosen = variant.recipe or suite.recipe
                plan = Plan(suite.runs, task, data, own.languages, options, chosen)
                words = ["distill", *where, *(["--langs", *own.languages] if own.languages else [])]
                words += ["--recipe", chosen] if chosen else []
                words += ["--loss", variant.loss, "--seed", str(seed), "--name", name, *options]
                students.append(
                    _job(plan.student(variant.loss, seed, name), f"{task}: {name} seed {seed}", words)
                )
        if own.zeroshot:
            words = ["zeroshot", *where, "--langs", *own.zeroshot]
            words += ["--on", own.zeroshot_task] if own.zeroshot_task else []
            log = suite.runs / "logs" / f"{task}-zeroshot.txt"
            asked = (suite.runs, task, tuple(own.zeroshot))
            transfers.append(Job(f"{task}: on {' '.join(own.zeroshot)}", tuple(words), log, zeroshot=asked))
    return [teachers, students, transfers]


def _job(run: Run, title: str, words: list[str]) -> Job:
    log = run.folder.parents[2] / "logs" / f"{'-'.join(run.folder.parts[-3:])}.txt"
    return Job(title, tuple(words), log, run)


def _words(options: Mapping[str, Any]) -> tuple[str, ...]:
    """The options as on a command line."""
    return tuple(
        word
        for name, value in options.items()
        for word in (f"--{name}", value if isinstance(value, str) else json.dumps(value))
    )


def run_suite(suite: Suite, data: str | None, jobs: int, dry_run: bool) -> None:
    """Run what is not finished yet, each in a process of its own.

    Args:
        suite: what to run.
        data: folder of the corpora, or None for the default.
        jobs: processes at a time; each gets its share of the cores.
        dry_run: print the commands, and which are finished, and run nothing.

    Raises:
        UserError: some runs failed; the others have been run all the same.
    """
    console = Console()
    console.print(f"[bold]{suite.title}[/]", highlight=False)
    planned = phases(suite, data)
    if dry_run:
        for job in (job for phase in planned for job in phase):
            state = "[green]finished[/]" if job.finished() else "[yellow]to run  [/]"
            console.print(state, shlex.join(["skd", *job.command]), highlight=False, soft_wrap=True)
        return
    run_phases(planned, jobs, console)


def run_phases(planned: Sequence[Sequence[Job]], jobs: int, console: Console) -> None:
    """Run the jobs that are not finished, one phase after the other, under a progress bar.

    Raises:
        UserError: some jobs of a phase failed; the others of this phase have been run all the same.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    failed: list[str] = []
    with Progress(*columns, console=console) as bar:
        whole = bar.add_task("runs", total=sum(len(phase) for phase in planned))
        for phase in planned:
            with ThreadPoolExecutor(jobs) as pool:
                # Configurations are parsed here, one after the other; the processes do the work.
                waiting = [pool.submit(_run, job, jobs) for job in phase if not _skip(job, bar, whole)]
                try:
                    for done in as_completed(waiting):
                        job, status, seconds = done.result()
                        bar.advance(whole)
                        if status:
                            failed.append(job.title)
                        bar.console.print(_outcome(job, status, seconds), highlight=False)
                except KeyboardInterrupt:
                    pool.shutdown(cancel_futures=True)
                    raise
            if failed:
                raise UserError(
                    f"{len(failed)} runs failed: {', '.join(failed)}; the same command tries again"
                )


def _skip(job: Job, bar: Progress, whole: Any) -> bool:
    finished = job.finished()
    if finished:
        bar.advance(whole)
    return finished


def _run(job: Job, jobs: int) -> tuple[Job, int, float]:
    began = time.perf_counter()
    threads = os.environ.get("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // jobs)))
    job.log.parent.mkdir(parents=True, exist_ok=True)
    with job.log.open("w") as log:
        status = subprocess.run(
            [sys.executable, "-m", "skd_lightning", *job.command],
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "OMP_NUM_THREADS": threads, "COLUMNS": "120", **job.environment},
            check=False,
        ).returncode
    return job, status, time.perf_counter() - began


def _outcome(job: Job, status: int, seconds: float) -> str:
    if status:
        lines = [line for line in job.log.read_text(errors="replace").splitlines() if line.strip()]
        return f"[red]{job.title}[/]: {lines[-1] if lines else 'failed'} (see {job.log})"
    if job.run is None:
        return f"[green]{job.title}[/] ({seconds:.0f} s)"
    results = json.loads((job.run.folder / "results.json").read_text())
    return f"[green]{job.title}[/]: {results['metric']} {results['average']:.2%} ({seconds:.0f} s)"
