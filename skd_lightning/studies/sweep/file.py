"""A sweep's YAML file, and the command of each of its trials as the W&B agent makes it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from skd_lightning.errors import UserError
from skd_lightning.studies.sweep.space import Parameter, read_parameter

KEYS = (
    "program", "method", "metric", "parameters", "command", "name", "description", "project", "entity",
    "early_terminate", "run_cap",
)  # fmt: skip
METHODS = ("grid", "random", "bayes")


@dataclass(frozen=True)
class Sweep:
    """A search.

    Attributes:
        file: where it is written.
        method: ``grid``, ``random`` or ``bayes``.
        metric: what is to be best.
        goal: ``maximize`` or ``minimize``.
        parameters: what is varied.
        program: what takes the place of ``${program}``.
        command: words, with W&B's placeholders.
        run_cap: most trials, or None.
    """

    file: Path
    method: str
    metric: str
    goal: str
    parameters: list[Parameter]
    program: str
    command: list[Any]
    run_cap: int | None = None

    def words(self, trial: Mapping[str, Any]) -> list[str]:
        """The command line of a trial, {option: value}, as the agent would start it."""
        from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args

        parts = create_sweep_command_args({"args": {name: {"value": value} for name, value in trial.items()}})
        parts |= {"interpreter": ["python"], "program": [self.program], "env": ["/usr/bin/env"]}
        found: list[str] = []
        for chunk in map(str, create_sweep_command(list(self.command))):
            placeholder = chunk.startswith("${") and chunk.endswith("}")
            found += parts.get(chunk[2:-1], []) if placeholder else [chunk]
        return found

    def arguments(self, trial: Mapping[str, Any]) -> list[str]:
        """What follows ``skd distill`` in a trial's command.

        Raises:
            UserError: the command is another one.
        """
        words = self.words(trial)
        for i, word in enumerate(words):
            module = words[max(0, i - 1) : i + 1] == ["-m", "skd_lightning"]
            if (module or Path(word).name == "skd") and words[i + 1 : i + 2] == ["distill"]:
                return words[i + 2 :]
        raise UserError(f"{self.file}: command: '{' '.join(words[:4])} …' is not one of skd distill")


def read_sweep(file: Path) -> Sweep:
    """A sweep from its file.

    Raises:
        UserError: no such file, no YAML, or something in it that is not understood; the line says which.
    """
    try:
        content = yaml.safe_load(file.read_text())
    except FileNotFoundError:
        raise UserError(f"{file}: no such sweep") from None
    except yaml.YAMLError as error:
        raise UserError(f"{file}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise UserError(f"{file}: expected settings ({', '.join(KEYS)})")
    if unknown := [key for key in content if key not in KEYS]:
        raise UserError(f"{file}: unknown setting '{unknown[0]}'; there are {', '.join(KEYS)}")
    for key in ("program", "method", "metric", "parameters", "command"):
        if not content.get(key):
            raise UserError(f"{file}: '{key}' is missing")
    metric = content["metric"] if isinstance(content["metric"], dict) else {}
    for value, choices, where in (
        (content["method"], METHODS, "method"),
        (metric.get("goal", "minimize"), ("maximize", "minimize"), "metric: goal"),
    ):
        if value not in choices:
            raise UserError(f"{file}: {where} is '{value}'; choose one of {', '.join(choices)}")
    if not isinstance(content["parameters"], dict) or not isinstance(content["command"], list):
        raise UserError(f"{file}: parameters must be a mapping, and command a list of words")
    if "${args}" not in content["command"]:
        raise UserError(f"{file}: command: without ${{args}} no parameter reaches a trial")
    return Sweep(
        file,
        content["method"],
        str(metric.get("name")),
        metric.get("goal", "minimize"),  # W&B's default
        [read_parameter(str(name), value, str(file)) for name, value in content["parameters"].items()],
        content["program"],
        content["command"],
        content.get("run_cap"),
    )


def trial_name(trial: Mapping[str, Any]) -> str:
    """The same for the same values, whatever other trials there are."""
    return hashlib.sha256(json.dumps(dict(trial), sort_keys=True, default=str).encode()).hexdigest()[:8]
