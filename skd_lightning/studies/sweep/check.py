"""Checks of sweeps: every trial is parsed as a command, and none is run."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from jsonargparse import ArgumentParser, Namespace
from rich.console import Console
from rich.table import Table

from skd_lightning.errors import UserError, one_line, user_error
from skd_lightning.runs.run import Run
from skd_lightning.studies.sweep.file import Sweep, read_sweep
from skd_lightning.studies.sweep.space import Parameter, grid, grid_size, random_trials
from skd_lightning.taggers import Student, Tagger
from skd_lightning.taggers.optimization import MONITOR

MOST = 50
"""Trials of a grid that are all parsed (a trial takes a fifth of a second); of a larger one, values of every kind."""

SAMPLES = 10
"""Random trials beside those with the values of every kind."""

LOGGED = (*Student.curves, MONITOR)
"""Values that a search can optimise, besides the dev scores of a language."""


def check_sweeps(files: Sequence[Path], run_of: Callable[[Sequence[str]], Run]) -> None:
    """Parse the trials of each file, and print a table of its parameters.

    Args:
        files: of the sweeps.
        run_of: makes the run of a trial from the words after ``skd distill``.

    Raises:
        UserError: a file, a parameter, a value or the metric is wrong; the message says which and why.
    """
    console = Console()
    for file in files:
        sweep = read_sweep(file)
        check_metric(sweep)
        trials, how = _trials(sweep)
        for trial in trials:
            _check_trial(sweep, trial, run_of)
        console.print(
            f"[bold]{file}[/]: {sweep.method}, {sweep.goal} {sweep.metric}", highlight=False, soft_wrap=True
        )
        table = Table()
        for heading in ("parameter", "distribution", "values"):
            table.add_column(heading)
        for parameter in sweep.parameters:
            table.add_row(parameter.name, parameter.distribution, _shown(parameter))
        console.print(table)
        console.print(f"[green]{how} understood[/]", highlight=False, soft_wrap=True)


def check_metric(sweep: Sweep) -> None:
    """Refuse a metric that no trial logs, one of test data, and a goal that would call the worst trial the best.

    Raises:
        UserError: naming the file, the metric and what to write.
    """
    name = sweep.metric
    score = re.fullmatch(r"dev/([^/]+/(f1|accuracy)|average)", name)
    if name.startswith("test/"):
        raise UserError(f"{sweep.file}: metric {name}: choices are made on dev data; take dev/average")
    if name not in LOGGED and not score:
        raise UserError(
            f"{sweep.file}: metric {name} is not logged; there are {', '.join(LOGGED)}, dev/<language>/f1 "
            "and dev/<language>/accuracy"
        )
    wanted = "maximize" if score else "minimize"
    if sweep.goal != wanted:
        raise UserError(f"{sweep.file}: metric {name}: goal is {sweep.goal} (W&B's default); write {wanted}")


def _trials(sweep: Sweep) -> tuple[list[dict[str, Any]], str]:
    """Return the trials to parse, and the beginning of a sentence that says they are understood."""
    number = grid_size(sweep.parameters)
    if number is not None and number <= MOST:
        return list(
            grid(sweep.parameters, str(sweep.file))
        ), "the only trial is" if number == 1 else f"all {number} trials: all are"
    if number is None and sweep.method == "grid":
        next(grid(sweep.parameters, str(sweep.file)))  # says which parameter has no end of values
    trials = random_trials(sweep.parameters, SAMPLES, seed=1)
    first = {parameter.name: parameter.extremes()[0] for parameter in sweep.parameters}
    kinds = [{**first, p.name: value} for p in sweep.parameters for value in p.representatives()]
    return [
        *kinds,
        *trials,
    ], f"{len(kinds)} trials with values of every kind and {len(trials)} drawn with seed 1: all are"


def _check_trial(sweep: Sweep, trial: Mapping[str, Any], run_of: Callable[[Sequence[str]], Run]) -> None:
    if not (reason := _refusal(sweep, trial, run_of)):
        return
    for name, value in trial.items():
        if alone := _refusal(sweep, {name: value}, run_of):
            raise UserError(f"{sweep.file}: parameter {name}: value {value!r}: {alone}")
    values = ", ".join(f"{name}={value}" for name, value in trial.items())
    raise UserError(f"{sweep.file}: {values}: {reason}")


def _refusal(sweep: Sweep, trial: Mapping[str, Any], run_of: Callable[[Sequence[str]], Run]) -> str | None:
    """Return the reason why ``skd distill`` would refuse a trial, in one line; None if it would accept it."""
    try:
        _make_model(run_of(sweep.arguments(trial)).parse().cli.config)
    except argparse.ArgumentError as error:
        return one_line(error)
    except Exception as error:
        mendable = user_error(error)
        if mendable is None:
            raise
        return str(mendable)
    return None


def _make_model(config: Namespace) -> None:
    """Make the model without memory: only its classes know which values of the right type are out of range."""
    model = config.model.as_dict()
    model["init_args"] |= {"tags": ["O"], "scheme": "none", "languages": ["en"]}
    small = "skd_lightning.encoders.NgramEmbedder"
    if not model["init_args"]["embedder"]["class_path"].endswith(
        ".NgramEmbedder"
    ):  # others may load a large model
        model["init_args"]["embedder"] = {"class_path": small}
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(Tagger, "model")
    with torch.device("meta"):  # sizes without memory
        parser.instantiate_classes(parser.parse_object({"model": model}))


def _shown(parameter: Parameter) -> str:
    if parameter.values is not None and len(parameter.values) <= 12:
        return ", ".join(map(str, parameter.values))
    low, high = parameter.extremes()
    return f"{low:.3g} … {high:.3g}"
