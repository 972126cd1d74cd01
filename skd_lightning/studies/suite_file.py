"""The YAML file of a suite: which runs its table has, and what is particular to each."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from pydantic import JsonValue, NonNegativeInt

from skd_lightning.distillation.names import losses
from skd_lightning.errors import UserError
from skd_lightning.parsing import checked, read_yaml
from skd_lightning.run_folder import refuse_name
from skd_lightning.runs.configurations import file_names, named_file, recipe_names


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
