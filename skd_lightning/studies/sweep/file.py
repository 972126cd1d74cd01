"""The YAML file of a sweep, and the command of each of its trials as the W&B agent builds it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, PositiveInt

from skd_lightning.errors import UserError
from skd_lightning.parsing import checked, read_yaml
from skd_lightning.runs.configurations import file_names, named_file
from skd_lightning.studies.sweep.space import Parameter, read_parameter

KEYS = (
    "program", "method", "metric", "parameters", "command", "name", "description", "project", "entity",
    "early_terminate", "run_cap",
)  # fmt: skip
METHODS = ("grid", "random", "bayes")


@dataclass(frozen=True)
class Sweep:
    """A hyperparameter search.

    Attributes:
        file: the YAML file.
        method: ``grid``, ``random`` or ``bayes``.
        metric: name of the logged value that is optimised.
        goal: ``maximize`` or ``minimize``.
        parameters: the options that are varied.
        program: replaces ``${program}`` in the command.
        command: words of the command, with W&B's placeholders.
        run_cap: largest number of trials; None for no limit.
    """

    file: Path
    method: str
    metric: str
    goal: str
    parameters: list[Parameter]
    program: str
    command: list[str]
    run_cap: int | None = None

    def words(self, trial: Mapping[str, Any]) -> list[str]:
        """Return the command line of a trial, {option: value}, as the W&B agent would start it."""
        from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args

        parts = create_sweep_command_args({"args": {name: {"value": value} for name, value in trial.items()}})
        parts |= {"interpreter": ["python"], "program": [self.program], "env": ["/usr/bin/env"]}
        found: list[str] = []
        for chunk in map(str, create_sweep_command(list(self.command))):
            placeholder = chunk.startswith("${") and chunk.endswith("}")
            found += parts.get(chunk[2:-1], []) if placeholder else [chunk]
        return found

    def arguments(self, trial: Mapping[str, Any]) -> list[str]:
        """Return the words after ``skd distill`` in the command of a trial, {option: value}.

        Raises:
            UserError: the command does not call ``skd distill``.
        """
        words = self.words(trial)
        for i, word in enumerate(words):
            module = words[max(0, i - 1) : i + 1] == ["-m", "skd_lightning"]
            if (module or Path(word).name == "skd") and words[i + 1 : i + 2] == ["distill"]:
                return words[i + 2 :]
        raise UserError(f"{self.file}: command: '{' '.join(words[:4])} …' is not one of skd distill")


class _Metric(BaseModel):
    name: str
    goal: str = "minimize"  # W&B's default


class _Content(BaseModel):
    """The part of a sweep's file that is read."""

    program: str
    method: str
    metric: _Metric
    parameters: dict[str, Any]
    command: list[str]
    run_cap: PositiveInt | None = None


def read_sweep(file: Path) -> Sweep:
    """Read a sweep from its YAML file.

    Args:
        file: of yours, or the name of one in ``experiments/sweeps``, as the package has them, too.

    Raises:
        UserError: the file is missing, is not YAML, or holds an unknown or wrong setting; the message names it.
    """
    file = named_file(file, "sweeps")
    content = read_yaml(file, f"no such sweep; give a file of yours, or one of {file_names('sweeps')}")
    if not isinstance(content, dict):
        raise UserError(f"{file}: expected settings ({', '.join(KEYS)})")
    if unknown := [key for key in content if key not in KEYS]:
        raise UserError(f"{file}: unknown setting '{unknown[0]}'; there are {', '.join(KEYS)}")
    for key in ("program", "method", "metric", "parameters", "command"):
        if not content.get(key):
            raise UserError(f"{file}: '{key}' is missing")
    found = checked(_Content, content, str(file))
    for value, choices, where in (
        (found.method, METHODS, "method"),
        (found.metric.goal, ("maximize", "minimize"), "metric: goal"),
    ):
        if value not in choices:
            raise UserError(f"{file}: {where} is '{value}'; choose one of {', '.join(choices)}")
    if "${args}" not in found.command:
        raise UserError(f"{file}: command: without ${{args}} no parameter reaches a trial")
    return Sweep(
        file,
        found.method,
        found.metric.name,
        found.metric.goal,
        [read_parameter(name, value, str(file)) for name, value in found.parameters.items()],
        found.program,
        found.command,
        found.run_cap,
    )


def trial_name(trial: Mapping[str, Any]) -> str:
    """Return a name for a trial, {option: value}, that depends on its values only.

    >>> trial_name({"model.objective.k": 5}) == trial_name({"model.objective.k": 5})
    True
    """
    return hashlib.sha256(json.dumps(dict(trial), sort_keys=True, default=str).encode()).hexdigest()[:8]
