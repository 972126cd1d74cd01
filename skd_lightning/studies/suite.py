"""A whole table of experiments from one YAML file: what is finished is skipped, what is missing is run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from pydantic import JsonValue, NonNegativeInt
from rich.console import Console

from skd_lightning.data.corpora import refuse_missing_corpora, training_languages
from skd_lightning.data.folds import Fold
from skd_lightning.distillation.names import BASELINE, losses
from skd_lightning.errors import UserError
from skd_lightning.parsing import checked, read_yaml
from skd_lightning.run_folder import refuse_name
from skd_lightning.runs.configurations import file_names, named_file, recipe_names
from skd_lightning.runs.execution import job
from skd_lightning.runs.jobs import Job, run_jobs
from skd_lightning.runs.plan import Plan, as_words
from skd_lightning.runs.run import Run
from skd_lightning.studies.teaching_order import generations, refuse_missing_teachers
from skd_lightning.studies.zeroshot import ZeroshotTest


@dataclass(frozen=True)
class Variant:
    """One kind of student.

    Attributes:
        loss: the objective.
        recipe: choices beyond the objective.
        options: further options of ``skd fit``, {name with dots: value}.
    """

    loss: str
    recipe: str | None = None
    options: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True)
class SuiteTask:
    """The settings of one task of a suite.

    Attributes:
        languages: codes, or None for all with training data.
        zeroshot: languages on which all runs are evaluated in the end, without having been trained on them.
        zeroshot_task: of another task's corpora, if not None.
        options: of all its runs.
    """

    languages: list[str] | None = None
    zeroshot: list[str] = field(default_factory=list)
    zeroshot_task: str | None = None
    options: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True)
class Suite:
    """Teachers and students of some tasks.

    Attributes:
        title: what it is about.
        tasks: {name of the task: what is particular to it}.
        variants: {name: kind of student}; none in a suite of teachers alone.
        seeds: each variant is trained with each.
        runs: folder of all its runs; suites that name the same one share teachers, caches and variants.
        recipe: of the teachers, and of the variants that name none.
        options: of all runs, {name of an option of ``skd fit``, with dots: value}; the path of a ``config`` is
            relative to the suite's file.
        teachers: options of the teachers.
        students: options of the students.
        vary: one option and its values, {name: values}: everything is run for each value, in ``<runs>/<value>``.
    """

    title: str
    tasks: Mapping[str, SuiteTask]
    variants: Mapping[str, Variant] = field(default_factory=dict)
    seeds: tuple[NonNegativeInt, ...] = (1,)
    runs: Path = Path("runs")
    recipe: str | None = None
    options: Mapping[str, JsonValue] = field(default_factory=dict)
    teachers: Mapping[str, JsonValue] = field(default_factory=dict)
    students: Mapping[str, JsonValue] = field(default_factory=dict)
    vary: Mapping[str, tuple[int | float | str, ...]] = field(default_factory=dict)

    def by_value(self) -> dict[str, Suite]:
        """Return the suite of each value of the option that varies; itself under "" where none does."""
        return {
            str(value): dataclasses.replace(
                self, runs=self.runs / str(value), options={**self.options, option: value}, vary={}
            )
            for option, values in self.vary.items()
            for value in values
        } or {"": self}


def read_suite(file: Path) -> Suite:
    """Read a suite from its YAML file.

    Args:
        file: of yours, or the name of one in ``experiments/suites``, as the package has them, too.

    Raises:
        UserError: no such file, no YAML, or a setting that does not exist; the line says which.
    """
    file = named_file(file, "suites")
    missing = f"no such suite; give a file of yours, or one of {file_names('suites')}"
    settings = _known(read_yaml(file, missing), Suite, str(file))
    for name in ("options", "teachers", "students"):
        settings[name] = checked(dict[str, JsonValue], settings.get(name) or {}, f"{file}: {name}")
        settings[name] = _found_beside(file, settings[name])
    for name, kind in (("title", str), ("tasks", dict[str, Any])):
        if not settings.get(name):
            raise UserError(f"{file}: '{name}' is missing")
        settings[name] = checked(kind, settings[name], f"{file}: {name}")
    settings["variants"] = checked(dict[str, Any], settings.get("variants") or {}, f"{file}: variants")
    _check_vary(settings.get("vary"), f"{file}: vary")
    tasks = {name: _task(name, value or {}, file) for name, value in settings["tasks"].items()}
    variants = {name: _variant(name, value or {}, file) for name, value in settings["variants"].items()}
    _one_of(settings.get("recipe"), (*recipe_names(), None), f"{file}: recipe")
    suite = checked(Suite, {**settings, "tasks": tasks, "variants": variants}, str(file))
    for option in suite.vary:
        if option in suite.students or any(option in task.options for task in suite.tasks.values()):
            raise UserError(f"{file}: vary: {option} is set again for tasks or students, which would win")
    return suite


def _task(name: str, settings: Any, file: Path) -> SuiteTask:
    where = f"{file}: task {name}"
    settings = _known(settings, SuiteTask, where)
    for codes in (settings.get("languages"), settings.get("zeroshot")):
        for code in codes if isinstance(codes, list) else ():
            if not isinstance(code, str):  # YAML reads no as false
                raise UserError(f'{where}: language {code} is not a word; write Norwegian as "no"')
            refuse_name(f"{where}: language", code)
    task = checked(SuiteTask, {key: value for key, value in settings.items() if value is not None}, where)
    return dataclasses.replace(task, options=_found_beside(file, task.options))


def _found_beside(file: Path, options: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Return options in which the path of a ``config`` begins at the suite's folder."""
    config = {"config": str(file.parent / str(options["config"]))} if "config" in options else {}
    return {**options, **config}


def _variant(name: str, settings: Any, file: Path) -> Variant:
    """Read a variant: ``loss`` (where its name is no objective's), ``recipe``, and every other setting as an option."""
    where = f"{file}: variant {name}"
    options = dict(checked(dict[str, JsonValue], settings, where))
    loss, recipe = options.pop("loss", name), options.pop("recipe", None)
    if "loss" not in settings and name not in losses():
        raise UserError(
            f"{where}: loss is '{name}', the variant's name, since it has no 'loss:'; give it one of "
            f"{', '.join(losses())}"
        )
    _one_of(loss, losses(), f"{where}: loss")
    _one_of(recipe, (*recipe_names(), None), f"{where}: recipe")
    options = _found_beside(file, options)
    return checked(Variant, {"loss": loss, "recipe": recipe, "options": options}, where)


def _check_vary(vary: Any, where: str) -> None:
    """Refuse more than one option, and values that could not be the names of different folders."""
    if vary is None:
        return
    if not isinstance(vary, dict) or len(vary) != 1:
        raise UserError(f"{where}: expected one option and a list of its values, found {vary!r:.80}")
    ((option, values),) = vary.items()
    values = checked(list[int | float | str], values, f"{where}: {option}")
    if not values or len(set(map(str, values))) < len(values):
        raise UserError(f"{where}: {option}: name each value once, and at least one")
    for value in values:
        refuse_name(f"{where}: {option}", str(value))


def _one_of(value: Any, choices: Sequence[Any], where: str) -> None:
    if value not in choices:
        raise UserError(f"{where} is '{value}'; choose one of {', '.join(str(c) for c in choices if c)}")


def _known(settings: Any, kind: type, where: str) -> dict[str, Any]:
    names = [attribute.name for attribute in fields(kind)]
    if not isinstance(settings, dict):
        raise UserError(f"{where}: expected settings ({', '.join(names)}), found {settings!r:.80}")
    if unknown := [name for name in settings if name not in names]:
        raise UserError(f"{where}: unknown setting '{unknown[0]}'; there are {', '.join(names)}")
    return settings


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
