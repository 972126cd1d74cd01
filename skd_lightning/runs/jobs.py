"""Commands of skd that run side by side, each in its own process and on its own devices."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import BinaryIO

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from skd_lightning.display.formats import counted
from skd_lightning.errors import Stopped, UserError
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
    processes = Processes()
    shares: queue.Queue[str | None] = queue.Queue()
    for share in device_shares(at_once, devices, visible_devices()):
        shares.put(share)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with stopped_by_sigterm(), Progress(*columns, console=Console()) as bar:
        whole = bar.add_task("runs", total=sum(len(phase) for phase in phases))
        for phase in phases:
            failed = _run_phase(
                phase, at_once, partial(_run, at_once, shares, processes), processes, bar, whole
            )
            if failed:
                raise UserError(
                    f"{counted(len(failed), 'run', 'runs')} failed: {', '.join(failed)}; the same command tries again"
                )


def _run_phase(
    phase: Sequence[Job],
    at_once: int,
    run: Callable[[Job], tuple[Job, int, float]],
    processes: Processes,
    bar: Progress,
    whole: TaskID,
) -> list[str]:
    """Run the jobs of a phase that are not finished yet, and return the titles of those that failed."""
    failed: list[str] = []

    def fail(job: Job, error: UserError) -> None:
        failed.append(job.title)
        bar.console.print(f"[red]{escape(job.title)}[/]: {escape(str(error))}", highlight=False)

    with ThreadPoolExecutor(at_once) as pool:
        try:
            waiting = []
            for job in phase:  # configurations are parsed here, one after the other
                try:
                    finished = job.finished()
                except UserError as error:  # of this job alone: the others go on
                    fail(job, error)
                    finished = True
                if finished:
                    bar.advance(whole)
                else:
                    waiting.append(pool.submit(run, job))
            for done in as_completed(waiting):
                job, status, seconds = done.result()
                bar.advance(whole)
                try:
                    bar.console.print(_told(job, status, seconds), highlight=False)
                except UserError as error:
                    fail(job, error)
        except BaseException:  # a signal: trainings save their state when they are asked to stop
            processes.stop()
            pool.shutdown(cancel_futures=True)
            raise
    return failed


class Processes:
    """The processes that run now, so that none is left behind."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._stopping = False

    def run(self, command: Sequence[str], log: BinaryIO, environment: Mapping[str, str]) -> int:
        """Run a command to its end, and return its exit status; after :meth:`stop`, none is started."""
        with self._lock:
            if self._stopping:
                return -signal.SIGTERM
            process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)
            self._running.add(process)
        try:
            return process.wait()
        finally:
            with self._lock:
                self._running.discard(process)

    def stop(self) -> None:
        """Ask all to stop, with SIGTERM, and start no more."""
        with self._lock:
            self._stopping = True
            for process in self._running:
                process.terminate()


@contextmanager
def stopped_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end the block with :class:`Stopped`, so that what it started can be ended too."""
    if threading.current_thread() is not threading.main_thread():  # only that one may set a handler
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise Stopped(number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _run(
    at_once: int, shares: queue.Queue[str | None], processes: Processes, job: Job
) -> tuple[Job, int, float]:
    began = time.perf_counter()
    share = shares.get()
    try:
        environment = {**os.environ, "COLUMNS": "120"}
        environment.setdefault("OMP_NUM_THREADS", str(default_threads(at_once)))
        if share is not None:
            environment["CUDA_VISIBLE_DEVICES"] = share
        job.log.parent.mkdir(parents=True, exist_ok=True)
        with job.log.open("wb") as log:
            status = processes.run([sys.executable, "-m", "skd_lightning", *job.command], log, environment)
    finally:
        shares.put(share)
    return job, status, time.perf_counter() - began


def _told(job: Job, status: int, seconds: float) -> str:
    """Return what to say of a job that has run.

    Raises:
        UserError: it has failed, or its results cannot be read.
    """
    if status:
        lines = [line for line in job.log.read_text(errors="replace").splitlines() if line.strip()]
        raise UserError(f"{lines[-1] if lines else 'failed'} (see {job.log})")
    said = job.outcome()
    return f"[green]{escape(job.title)}[/]{': ' if said else ''}{escape(said)} ({seconds:.0f} s)"
