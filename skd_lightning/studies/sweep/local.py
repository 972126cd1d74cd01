"""Sweeps without an account: grid or random search on this machine, with one process per trial."""

from __future__ import annotations

import csv
import dataclasses
import io
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from skd_lightning.analysis import training_logs
from skd_lightning.display import terminal
from skd_lightning.display.formats import counted, short_names
from skd_lightning.display.table import Table
from skd_lightning.run_folder import LOGS
from skd_lightning.runs.execution import job
from skd_lightning.runs.jobs import Job, run_jobs
from skd_lightning.runs.run import Run
from skd_lightning.storage import write_text
from skd_lightning.studies.sweep.check import check_metric
from skd_lightning.studies.sweep.file import Sweep, trial_name
from skd_lightning.studies.sweep.space import grid, random_trials
from skd_lightning.studies.sweep.trial import RUN_ID, SWEEP_ID, as_trial

TRIALS = 10
"""Number of trials of a random search that names none."""


@dataclass(frozen=True)
class Trial:
    """One training of a search.

    Attributes:
        values: {option: value}.
        job: the process that trains it.
        run: the training.
    """

    values: Mapping[str, Any]
    job: Job
    run: Run


def search(
    sweep: Sweep,
    run_of: Callable[[Sequence[str]], Run],
    method: str | None,
    number: int | None,
    jobs: int,
    seed: int,
) -> None:
    """Run the trials that are not finished, then print all of them, the best first, and write them to ``trials.csv``.

    Args:
        sweep: the search.
        run_of: makes the run of a trial from the words after ``skd distill``.
        method: ``grid`` or ``random``; None for the method of the file, where ``bayes`` becomes ``random``.
        number: largest number of trials; None for the whole grid, or ``run_cap`` or 10 trials of a random search.
        jobs: number of processes at a time.
        seed: seed of a random search.

    Raises:
        UserError: a metric that is not logged; or some trials failed, and the others have been run all the same.
    """
    console = Console()
    check_metric(sweep)
    if method is None and sweep.method == "bayes":
        console.print("method bayes needs W&B's server: random search here", style="yellow")
    method = method or ("grid" if sweep.method == "grid" else "random")
    if method == "grid":
        chosen = list(itertools.islice(grid(sweep.parameters, str(sweep.file)), number or sweep.run_cap))
    else:
        chosen = random_trials(sweep.parameters, number or sweep.run_cap or TRIALS, seed)
    trials = [_trial(sweep, values, run_of) for values in chosen]
    console.print(
        f"[bold]{sweep.file}[/]: {method} search, {counted(len(trials), 'trial', 'trials')}",
        highlight=False,
        soft_wrap=True,
    )
    try:
        run_jobs([[trial.job for trial in trials]], jobs)
    finally:
        _show(sweep, trials, console)


def _trial(sweep: Sweep, values: Mapping[str, Any], run_of: Callable[[Sequence[str]], Run]) -> Trial:
    name = trial_name(values)
    words = [*sweep.arguments(values), "--wandb=None"]  # no account, so no W&B
    run = as_trial(run_of(words), {SWEEP_ID: sweep.file.stem, RUN_ID: name})
    title = " ".join(f"{option}={value}" for option, value in values.items())
    log = run.path.parent / LOGS / f"{name}.txt"
    return Trial(values, dataclasses.replace(job(run), title=title, log=log), run)


def _show(sweep: Sweep, trials: Sequence[Trial], console: Console) -> None:
    """Print and store the best score of each trial; by dev/average, that of the weights that the trial has kept."""
    options = [parameter.name for parameter in sweep.parameters]
    sign = -1 if sweep.goal == "maximize" else 1
    rows: list[list[Any]] = []
    for trial in trials:
        if trial.run.folder.finished:
            log = training_logs.read_steps(trial.run.folder)
            if sweep.metric not in log or log[sweep.metric].isna().all():
                console.print(
                    f"{trial.run.path.name}: no {sweep.metric} was logged", style="yellow", markup=False
                )
                continue
            curve = sign * log[sweep.metric].dropna()
            values = [trial.values[option] for option in options]
            best = float(sign * curve.min())
            rows.append([trial.run.path.name, *values, best, int(str(curve.idxmin()))])
    rows.sort(key=lambda row: sign * row[-2])
    if not rows:
        return
    headings = ["trial", *options, sweep.metric, "epoch"]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([headings, *rows])
    file = trials[0].run.path.parent / "trials.csv"
    write_text(file, text.getvalue())
    title = f"{sweep.goal} {sweep.metric}, the best epoch of each trial"
    short = short_names(options)
    table = Table("trials", title, ["trial", *short, sweep.metric, "epoch"])
    for row in rows:
        cells = [value if isinstance(value, str) else json.dumps(value) for value in row[:-2]]
        table.rows.append([*cells, f"{row[-2]:.4f}", str(row[-1])])
    terminal.show(table, ["epoch", *short[::-1]])
    console.print(f"in {file}", highlight=False, soft_wrap=True)
