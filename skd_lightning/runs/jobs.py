"""Commands of skd that run side by side, each in a process and on devices of its own."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from skd_lightning.errors import UserError
from skd_lightning.runs.lightning_cli import default_threads


@dataclass(frozen=True)
class Job:
    """One command.

    Attributes:
        title: what the screen calls it.
        command: the words after ``skd``.
        log: gets all that it prints.
        finished: whether its results are there already.
        outcome: what to say when it has run; a few words, or nothing.
        environment: variables that it gets beside those of this process.
    """

    title: str
    command: tuple[str, ...]
    log: Path
    finished: Callable[[], bool]
    outcome: Callable[[], str] = lambda: ""
    environment: Mapping[str, str] = field(default_factory=dict)


def run_jobs(phases: Sequence[Sequence[Job]], at_once: int, devices: int = 1) -> None:
    """Run what is not finished yet.

    Args:
        phases: the jobs of a phase do not depend on one another, but on those of the phases before.
        at_once: processes at a time. On a machine with GPUs each has its own, shared only where they are too few.
        devices: GPUs of each process.

    Raises:
        UserError: some failed; the others of their phase have been run all the same.
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


def visible_devices() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name for name in named.split(",") if name]
    return [str(number) for number in range(torch.cuda.device_count())]


def device_shares(at_once: int, each: int, visible: Sequence[str]) -> list[str | None]:
    """CUDA_VISIBLE_DEVICES of each of the processes that run at a time; None leaves it as it is.

    Args:
        at_once: how many processes; a single one has all devices.
        each: devices of one of them.
        visible: the devices there are.

    Raises:
        UserError: one process wants more devices than there are.
    """
    if not visible or at_once == 1:
        return [None] * at_once
    if each > len(visible):
        raise UserError(f"a run wants {each} GPUs, {len(visible)} can be used; lower --trainer.devices")
    firsts = [slot * each % (len(visible) // each * each) for slot in range(at_once)]
    return [",".join(visible[first : first + each]) for first in firsts]


def _run(job: Job, at_once: int, shares: queue.Queue[str | None]) -> tuple[Job, int, float]:
    began = time.perf_counter()
    share = shares.get()
    environment = {**os.environ, "COLUMNS": "120", **job.environment}
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
        return f"[red]{job.title}[/]: {lines[-1] if lines else 'failed'} (see {job.log})"
    said = job.outcome()
    return f"[green]{job.title}[/]{': ' if said else ''}{said} ({seconds:.0f} s)"
