"""A sweep without an account: grid or random search on this machine, each trial a process of its own."""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from skd_lightning.analysis import curves as logs
from skd_lightning.cli.arguments import distill_run
from skd_lightning.runs.jobs import Job, run_jobs
from skd_lightning.runs.plan import Run
from skd_lightning.storage import write_text
from skd_lightning.studies.sweep.file import Sweep, trial_name
from skd_lightning.studies.sweep.space import grid, random_trials
from skd_lightning.studies.sweep.trial import RUN_ID, SWEEP_ID, as_trial

TRIALS = 10
"""Of a random search that says nothing else."""


@dataclass(frozen=True)
class Trial:
    """One training of a search.

    Attributes:
        values: {option: value}.
        job: its process.
        run: its training.
    """

    values: Mapping[str, Any]
    job: Job
    run: Run


def search(sweep: Sweep, method: str | None, number: int | None, jobs: int, seed: int) -> None:
    """Run the trials that are not finished, then print all of them, the best first; ``trials.csv`` says the same.

    Args:
        sweep: what to search.
        method: ``grid`` or ``random``; None for the file's, where ``bayes`` becomes ``random``.
        number: most trials, or None for all of a grid, and ``run_cap`` or 10 of a random search.
        jobs: processes at a time.
        seed: of a random search.

    Raises:
        UserError: some trials failed; the others have been run all the same.
    """
    console = Console()
    if method is None and sweep.method == "bayes":
        console.print("method bayes needs W&B's server: random search here", style="yellow")
    method = method or ("grid" if sweep.method == "grid" else "random")
    if method == "grid":
        chosen = list(itertools.islice(grid(sweep.parameters, str(sweep.file)), number or sweep.run_cap))
    else:
        chosen = random_trials(sweep.parameters, number or sweep.run_cap or TRIALS, seed)
    trials = [_trial(sweep, values) for values in chosen]
    console.print(
        f"[bold]{sweep.file}[/]: {method} search, {len(trials)} trials", highlight=False, soft_wrap=True
    )
    try:
        run_jobs([[trial.job for trial in trials]], jobs)
    finally:
        _show(sweep, trials, console)


def _trial(sweep: Sweep, values: Mapping[str, Any]) -> Trial:
    name = trial_name(values)
    environment = {SWEEP_ID: sweep.file.stem, RUN_ID: name}
    arguments = [*sweep.arguments(values), "--wandb=None"]  # no account, so no W&B
    run = as_trial(distill_run(arguments), environment)
    title = " ".join(f"{option}={value}" for option, value in values.items())
    log = run.folder.parent / "logs" / f"{name}.txt"
    job = Job(title, ("distill", *arguments), log, run.finished, environment=environment)
    return Trial(values, job, run)


def _show(sweep: Sweep, trials: Sequence[Trial], console: Console) -> None:
    """Each trial's best epoch on dev data, that is the one that it has kept the weights of."""
    options = [parameter.name for parameter in sweep.parameters]
    sign = -1 if sweep.goal == "maximize" else 1
    rows: list[list[Any]] = []
    for trial in trials:
        if (trial.run.folder / "results.json").is_file():
            curve = sign * logs.read(trial.run.folder)[sweep.metric].dropna()
            values = [trial.values[option] for option in options]
            best = float(sign * curve.min())
            rows.append([trial.run.folder.name, *values, best, int(str(curve.idxmin()))])
    rows.sort(key=lambda row: sign * row[-2])
    if not rows:
        return
    headings = ["trial", *options, sweep.metric, "epoch"]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([headings, *rows])
    file = trials[0].run.folder.parent / "trials.csv"
    write_text(file, text.getvalue())
    console.print(
        f"[bold]{sweep.goal} {sweep.metric}[/], the best epoch of each trial", highlight=False, soft_wrap=True
    )
    table = Table()
    for heading in headings:
        table.add_column(heading)
    for row in rows:
        cells = [value if isinstance(value, str) else json.dumps(value) for value in row[:-2]]
        table.add_row(*cells, f"{row[-2]:.4f}", str(row[-1]))
    console.print(table)
    console.print(f"in {file}", highlight=False, soft_wrap=True)
