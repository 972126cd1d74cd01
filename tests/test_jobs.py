"""Runs side by side, each on devices of its own."""

import dataclasses
import json
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from small_corpus import write_corpus
from small_runs import SMALL

from skd_lightning.cli import main
from skd_lightning.errors import Stopped, UserError
from skd_lightning.runs import devices, jobs
from skd_lightning.runs.devices import default_threads, device_shares, refuse_too_many, visible_devices
from skd_lightning.runs.jobs import Job, run_jobs

QUICK = [*SMALL, "--trainer.max_epochs", "2", "--trainer.accelerator", "cpu"]


def test_every_run_has_its_own_devices() -> None:
    assert device_shares(4, 1, ["0", "1", "2", "3"]) == ["0", "1", "2", "3"]
    assert device_shares(2, 2, ["0", "1", "2", "3"]) == ["0,1", "2,3"]
    assert device_shares(3, 1, ["GPU-a", "GPU-b"]) == ["GPU-a", "GPU-b", "GPU-a"]
    assert device_shares(3, 2, ["0", "1", "2"]) == ["0,1", "0,1", "0,1"]
    assert device_shares(1, 1, ["0", "1"]) == [None]  # all of them, as without other runs
    assert device_shares(2, 1, []) == [None, None]
    with pytest.raises(UserError, match="wants 3 GPUs, 2 can be used"):
        device_shares(2, 3, ["0", "1"])


def test_the_devices_are_those_that_this_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    assert visible_devices() == ["2", "5"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert visible_devices() == []
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert len(visible_devices()) == torch.cuda.device_count()


def test_more_processes_than_the_machine_can_run_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    refuse_too_many(2, "auto")
    refuse_too_many("2", "auto")
    for asked in ("auto", [0, 1], -1, True):
        refuse_too_many(asked, "auto")
    with pytest.raises(UserError, match=r"--trainer\.devices is 3, this machine has 2 GPUs; give at most 2"):
        refuse_too_many(3, "auto")
    with pytest.raises(UserError, match=r"--trainer.devices is 1000000, this machine has \d+ cores"):
        refuse_too_many("1000000", "cpu")


def test_threads_are_at_most_two_and_those_of_the_machine_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.setattr(devices, "cores", lambda: 6)
    assert [default_threads(processes) for processes in (1, 3, 4, 9)] == [2, 2, 1, 1]
    for asked, given in (("5", 5), ("0", 1), ("many", 2)):
        monkeypatch.setenv("OMP_NUM_THREADS", asked)
        assert default_threads() == given


def test_runs_at_the_same_time_have_different_devices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "6,7")
    together = threading.Barrier(2)
    seen: list[str] = []

    def start(_: object, command: list[str], log: object, environment: dict[str, str]) -> int:
        seen.append(environment["CUDA_VISIBLE_DEVICES"])
        together.wait(timeout=60)  # for the other one of two
        assert sorted(seen[-2:]) == ["6", "7"]
        together.wait(timeout=60)
        return 0

    monkeypatch.setattr(jobs.Processes, "run", start)
    four = [Job(str(i), ("--version",), tmp_path / f"{i}.txt", lambda: False) for i in range(4)]
    run_jobs([four], at_once=2)
    assert sorted(seen) == ["6", "6", "7", "7"]


def test_jobs_whose_logs_cannot_be_opened_leave_their_devices_to_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs.Processes, "run", lambda *_: 0)
    (tmp_path / "taken.txt").mkdir()
    several = [Job(str(i), (), tmp_path / "taken.txt", lambda: False) for i in range(8)]
    with pytest.raises(IsADirectoryError):
        run_jobs([several], at_once=2)


def test_no_job_runs_when_the_next_one_cannot_be_planned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, planned = threading.Event(), threading.Event()
    ran: list[str] = []

    def start(processes: jobs.Processes, command: list[str], *_: object) -> int:
        ran.append(command[-1])
        began.set()
        assert planned.wait(timeout=60)
        while not processes._stopping:
            time.sleep(0.01)
        return 0

    def interrupted() -> bool:
        assert began.wait(timeout=60)
        planned.set()
        raise KeyboardInterrupt

    monkeypatch.setattr(jobs.Processes, "run", start)
    three = [Job(str(i), (str(i),), tmp_path / f"{i}.txt", lambda: False) for i in range(3)]
    with pytest.raises(KeyboardInterrupt):
        run_jobs([[*three, Job("3", ("3",), tmp_path / "3.txt", interrupted)]], at_once=1)
    assert ran == ["0"]


def test_a_job_that_cannot_be_planned_has_failed_and_the_others_of_its_phase_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    began, planned = threading.Event(), threading.Event()
    ran: list[str] = []

    def start(processes: jobs.Processes, command: list[str], *_: object) -> int:
        began.set()
        assert planned.wait(timeout=60)
        ran.append(command[-1])
        return int(processes._stopping)

    def refused() -> bool:
        assert began.wait(timeout=60)  # the job before it runs already
        planned.set()
        raise UserError("teachers.yaml: [de] holds no finished teacher")

    def one(title: str, finished: Callable[[], bool] = lambda: False) -> Job:
        return Job(title, (title,), tmp_path / f"{title}.txt", finished)

    monkeypatch.setattr(jobs.Processes, "run", start)
    with pytest.raises(UserError, match=r"^1 run failed: second; the same command tries again"):
        run_jobs([[one("first"), one("second", refused), one("third")], [one("later")]], at_once=1)
    assert ran == ["first", "third"]
    told = capsys.readouterr().out
    assert "second: teachers.yaml: [de] holds no finished teacher" in " ".join(told.split())


def test_a_job_whose_results_cannot_be_read_has_failed_and_the_others_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    ran: list[str] = []
    monkeypatch.setattr(jobs.Processes, "run", lambda _, command, *__: ran.append(command[-1]) or 0)

    def unreadable() -> str:
        raise UserError("runs/first/results.json: damaged")

    one, two = (
        Job(title, (title,), tmp_path / f"{title}.txt", lambda: False) for title in ("first", "second")
    )
    with pytest.raises(UserError, match=r"^1 run failed: first; the same command tries again"):
        run_jobs([[dataclasses.replace(one, outcome=unreadable), two]], at_once=1)
    assert ran == ["first", "second"]
    assert "first: runs/first/results.json: damaged" in " ".join(capsys.readouterr().out.split())


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM")
def test_sigterm_ends_the_processes_that_run_and_starts_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python"  # stands for a training that takes long
    python.write_text(f"#!/bin/sh\necho $$ >> {tmp_path}/started\nexec sleep 600\n")
    python.chmod(0o755)
    monkeypatch.setattr(jobs.sys, "executable", str(python))
    before = signal.getsignal(signal.SIGTERM)

    def terminate() -> None:
        while not (tmp_path / "started").exists() or (tmp_path / "started").read_text().count("\n") < 2:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=terminate).start()
    three = [Job(str(i), (), tmp_path / f"{i}.txt", lambda: False) for i in range(3)]
    with pytest.raises(Stopped, match="143"):
        run_jobs([three], at_once=2)
    started = (tmp_path / "started").read_text().split()
    assert len(started) == 2
    for process in started:
        with pytest.raises(ProcessLookupError):
            os.kill(int(process), 0)
    assert signal.getsignal(signal.SIGTERM) == before


def test_teachers_side_by_side_are_those_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # the number of threads decides about the order of additions
    write_corpus(tmp_path / "mine", ("de", "en"), {"train": 30, "dev": 10, "test": 10})
    for name, at_once in (("one", "1"), ("two", "2")):
        where = ["--runs", str(tmp_path / name), "--task", "mine", "--data", str(tmp_path)]
        main(["teachers", *where, "--devices", at_once, *QUICK])
    for language in ("de", "en"):
        folders = [tmp_path / name / "mine/teachers" / language for name in ("one", "two")]
        weights = [
            torch.load(folder / "checkpoints/best.ckpt", weights_only=True)["state_dict"]
            for folder in folders
        ]
        assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())
        results = [json.loads((folder / "results.json").read_text()) for folder in folders]
        assert results[0]["languages"] == results[1]["languages"]
    assert (tmp_path / "two/logs/mine-teachers-de.txt").is_file()
    written = {file: file.stat().st_mtime_ns for file in (tmp_path / "two").rglob("results.json")}
    assert len(written) == 2
    main(["teachers", *where, "--devices", "2", *QUICK])
    assert {file: file.stat().st_mtime_ns for file in written} == written  # nothing was trained again
