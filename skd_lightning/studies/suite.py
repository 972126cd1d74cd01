"""A whole table of experiments: what is finished is skipped, what is missing is run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from skd_lightning.data.corpora import refuse_missing_corpora, training_languages
from skd_lightning.data.folds import Fold
from skd_lightning.distillation.names import BASELINE
from skd_lightning.errors import UserError
from skd_lightning.runs.execution import job
from skd_lightning.runs.jobs import Job, run_jobs
from skd_lightning.runs.plan import Plan, as_words
from skd_lightning.runs.run import Run
from skd_lightning.studies.suite_file import Suite
from skd_lightning.studies.teaching_order import generations, refuse_missing_teachers
from skd_lightning.studies.zeroshot import ZeroshotTest


def phases(suite: Suite, data: str | None = None, anew: bool = False) -> list[list[Job]]:
    """Return teachers, then students, then transfer: the jobs of a phase do not depend on one another.

    Students that learn from other students of the suite are a phase after them.

    Args:
        suite: what to run.
        data: folder of the corpora, or None for the default.
        anew: a training that was stopped starts from scratch; finished ones stay finished.
    """
    runs = [run for task in suite.tasks for run in planned_runs(suite, task, data)]
    teachers, students = ([run for run in runs if run.role == role] for role in ("teacher", "student"))
    trainings = [
        [dataclasses.replace(job(run, anew), finished=run.finished) for run in phase]
        for phase in (teachers, *generations(students))
    ]
    transfers = [_transfer(suite, task, data).job() for task, own in suite.tasks.items() if own.zeroshot]
    return [*trainings, transfers]


def _transfer(suite: Suite, task: str, data: str | None) -> ZeroshotTest:
    """Return the test on further languages; it may read what the students' teachers may (``distillation.outside``)."""
    own = suite.tasks[task]
    outside = bool(
        students_plan(suite, task, data).student(BASELINE, 1).parse().cli.config.distillation.outside
    )
    return ZeroshotTest(
        suite.runs, task, own.zeroshot_task or task, data, tuple(own.zeroshot), outside=outside
    )


def planned_runs(suite: Suite, task: str, data: str | None = None) -> list[Run]:
    """Return the teachers and students of one task of a suite."""
    languages = suite.tasks[task].languages or training_languages(task, data)
    teachers = _plan(suite, task, data, [suite.teachers])
    divisions = {
        {**suite.options, **suite.tasks[task].options, **suite.students, **variant.options}.get(
            "distillation.folds"
        )
        for variant in suite.variants.values()
    }
    numbers = sorted(folds for folds in divisions if isinstance(folds, int))
    left_out = [None, *(fold for folds in numbers for fold in Fold.all(folds))]
    runs = [teachers.teacher(language, fold) for fold in left_out for language in languages]
    for seed in suite.seeds:
        for name, variant in suite.variants.items():
            student = _plan(suite, task, data, [suite.students, variant.options], variant.recipe)
            runs.append(student.student(variant.loss, seed, name))
    return runs


def students_plan(suite: Suite, task: str, data: str | None = None) -> Plan:
    """Return what the students of one task of a suite share; no variant's own options are in it."""
    return _plan(suite, task, data, [suite.students])


def _plan(
    suite: Suite, task: str, data: str | None, levels: Sequence[Mapping[str, Any]], recipe: str | None = None
) -> Plan:
    """Return a plan with the options of the suite, the task and further levels: later ones count more.

    In their values, ``{runs}`` stands for the folder of the runs, and ``{task}`` for the task. The levels' configs are
    all read, in the same order, and count less than any option that is named.
    """
    own = suite.tasks[task]
    levels = [suite.options, own.options, *levels]
    configs = [word for level in levels if "config" in level for word in ("--config", str(level["config"]))]
    named = {name: value for level in levels for name, value in level.items() if name != "config"}
    words = [word.replace("{runs}", f"{suite.runs}").replace("{task}", task) for word in as_words(named)]
    return Plan(suite.runs, task, data, own.languages, (*configs, *words), recipe or suite.recipe)


def run_suite(suite: Suite, data: str | None, jobs: int, dry_run: bool, anew: bool = False) -> None:
    """Run what is not finished yet, each in a process of its own, for one value after another where an option varies.

    Args:
        suite: what to run.
        data: folder of the corpora, or None for the default.
        jobs: processes at a time; each gets its share of the cores, and a GPU where there are any.
        dry_run: print what would be run, and what is finished, and run nothing.
        anew: see :func:`phases`.

    Raises:
        UserError: an option of some run is refused, and nothing has been run; or some runs failed: the others of their
            phase and all other values have been run, the later phases of that value have not.
    """
    console = Console()
    console.print(suite.title, style="bold", highlight=False, markup=False)
    suites = suite.by_value()
    for own in suites.values():
        for task in own.tasks:
            _refuse_options(own, task, data)
    failed = []
    for value, own in suites.items():
        if value:
            console.print(f"{next(iter(suite.vary))} {value}", highlight=False, markup=False)
        planned = phases(own, data, anew)
        if not dry_run:
            try:
                run_jobs(planned, jobs)
            except UserError as error:
                failed.append(f"{value}: {error}" if value else str(error))
            continue
        for each in (each for phase in planned for each in phase):
            state = "[green]finished[/]" if _finished(each) else "[yellow]to run  [/]"
            console.print(state, each.title, highlight=False, soft_wrap=True)
    if failed:
        raise UserError("; ".join(failed))


def _finished(planned: Job) -> bool:
    """Return True where a job has been done; one whose teachers are still to be trained has not."""
    try:
        return planned.finished()
    except UserError:
        return False


def _refuse_options(suite: Suite, task: str, data: str | None) -> None:
    """Refuse a task without corpora, and a variant with a wrong option; one seed and one teacher tell it of all."""
    runs = planned_runs(suite, task, data)
    own = suite.tasks[task]
    refuse_missing_corpora(task, data, own.languages or ())
    refuse_missing_corpora(own.zeroshot_task or task, data, own.zeroshot)
    planned = [run.path for run in runs]
    variants = {run.variant: run for run in runs}
    for name, run in variants.items():
        try:
            run.parse()
            refuse_missing_teachers(run, planned)
        except UserError as error:
            raise UserError(f"task {task}: {name}: {error}") from None
