"""Commands of skd that run side by side, each in its own process and on its own devices."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from skd_lightning.errors import UserError
from skd_lightning.runs.devices import default_threads, device_shares, visible_devices


@dataclass(frozen=True)
class Job:
    """One command.

    Attributes:
        title: name on the screen.
        command: the words after ``skd``.
        log: gets all that it prints.
        finished: returns True where its results are there already.
        outcome: what to say when it has run; a few words, or nothing.
    """

    title: str
    command: tuple[str, ...]
    log: Path
    finished: Callable[[], bool]
    outcome: Callable[[], str] = lambda: ""


def run_jobs(phases: Sequence[Sequence[Job]], at_once: int, devices: int = 1) -> None:
    """Run the jobs that are not finished yet.

    Args:
        phases: jobs by phase; the jobs of a phase depend on those of earlier phases, not on each other.
        at_once: number of processes at a time. Each has its own GPUs; they share GPUs only if there are too few.
        devices: GPUs of each process.

    Raises:
        UserError: a job failed; the other jobs of its phase have been run, those of later phases have not.
    """
    shares: queue.Queue[str | None] = queue.Queue()
    for share in device_shares(at_once, devices, visible_devices()):
        shares.put(share)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console()) as bar:
        whole = bar.add_task("runs", total=sum(len(phase) for phase in phases))
        for phase in phases:
            failed = []
            with ThreadPoolExecutor(at_once) as pool:
                waiting = []
                for job in phase:  # configurations are parsed here, one after the other
                    if job.finished():
                        bar.advance(whole)
                    else:
                        waiting.append(pool.submit(_run, job, at_once, shares))
                try:
                    for done in as_completed(waiting):
                        job, status, seconds = done.result()
                        bar.advance(whole)
                        if status:
                            failed.append(job.title)
                        bar.console.print(_told(job, status, seconds), highlight=False)
                except KeyboardInterrupt:
                    pool.shutdown(cancel_futures=True)
                    raise
            if failed:
                raise UserError(
                    f"{len(failed)} runs failed: {', '.join(failed)}; the same command tries again"
                )


def _run(job: Job, at_once: int, shares: queue.Queue[str | None]) -> tuple[Job, int, float]:
    began = time.perf_counter()
    share = shares.get()
    environment = {**os.environ, "COLUMNS": "120"}
    environment.setdefault("OMP_NUM_THREADS", str(default_threads(at_once)))
    if share is not None:
        environment["CUDA_VISIBLE_DEVICES"] = share
    job.log.parent.mkdir(parents=True, exist_ok=True)
    with job.log.open("w") as log:
        status = subprocess.run(
            [sys.executable, "-m", "skd_lightning", *job.command],
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            check=False,
        ).returncode
    shares.put(share)
    return job, status, time.perf_counter() - began


def _told(job: Job, status: int, seconds: float) -> str:
    if status:
        lines = [line for line in job.log.read_text(errors="replace").splitlines() if line.strip()]
        said = escape(f"{lines[-1] if lines else 'failed'} (see {job.log})")
        return f"[red]{escape(job.title)}[/]: {said}"
    said = job.outcome()
    return f"[green]{escape(job.title)}[/]{': ' if said else ''}{escape(said)} ({seconds:.0f} s)"
