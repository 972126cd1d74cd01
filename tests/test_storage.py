"""Files on disk are complete or absent, are held by one process, and are never somebody else's."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from skd_lightning import storage
from skd_lightning.errors import UserError
from skd_lightning.run_folder import RunFolder
from skd_lightning.runs.record import ZeroshotResults
from skd_lightning.runs.succession import make_room, take_place
from skd_lightning.storage import (
    LOCK,
    alone_in,
    new_file,
    new_folder,
    remove_unfinished,
    write_text,
)

PERSONS = (".my-chapters", ".a-12345678", "notes.skd-unfinished-12345678", ".x.skd-unfinished-12345678.bak")
"""Files whose names look temporary and belong to a person."""


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    """A folder outside of what the program writes, with a file in it."""
    folder = tmp_path / "precious"
    folder.mkdir()
    (folder / "thesis.txt").write_text("years of work")
    return folder


@pytest.fixture(autouse=True)
def _nothing_precious_is_lost(tmp_path: Path) -> Iterator[None]:
    yield
    if (tmp_path / "precious").exists():
        assert [path.name for path in (tmp_path / "precious").iterdir()] == ["thesis.txt"]
        assert (tmp_path / "precious/thesis.txt").read_text() == "years of work"


def test_a_file_is_written_wholly_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "deep/down/file"
    write_text(file, "one")
    with pytest.raises(ZeroDivisionError), new_file(file) as opened:  # noqa: PT012 - what happens on the way
        opened.write(b"tw")
        assert file.read_text() == "one"
        assert len(list(file.parent.glob(".file.skd-unfinished-????????"))) == 1
        _ = 1 / 0
    assert file.read_text() == "one"
    assert [path.name for path in file.parent.iterdir()] == ["file"]


def test_a_folder_has_its_new_content_before_the_old_is_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To delete a large one takes seconds, in which a process may be killed."""
    folder = tmp_path / "folder"
    folder.mkdir()
    seen: list[bool] = []
    monkeypatch.setattr(storage.shutil, "rmtree", lambda *_, **__: seen.append((folder / "new").is_file()))
    with new_folder(folder) as temporary:
        (temporary / "new").touch()
    assert seen == [True]


def test_a_folder_is_written_wholly_or_not_at_all(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    with new_folder(folder) as temporary:
        (temporary / "old").touch()
        assert not folder.exists()
    with pytest.raises(ZeroDivisionError), new_folder(folder) as temporary:
        _ = 1 / 0
    assert [path.name for path in folder.iterdir()] == ["old"]
    with new_folder(folder) as temporary:
        (temporary / "new").touch()
    assert [path.name for path in folder.iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_links_are_replaced_and_their_targets_stay(tmp_path: Path, precious: Path) -> None:
    (tmp_path / "file").symlink_to(precious / "thesis.txt")
    write_text(tmp_path / "file", "new")
    (tmp_path / "folder").symlink_to(precious)
    with new_folder(tmp_path / "folder") as temporary:
        (temporary / "new").touch()
    assert (tmp_path / "file").read_text() == "new"
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["new"]
    assert not (tmp_path / "file").is_symlink()
    assert not (tmp_path / "folder").is_symlink()


def test_only_what_bears_our_mark_is_removed(tmp_path: Path, precious: Path) -> None:
    run = tmp_path / "run"
    killed = new_file(run / "file"), new_folder(run / "folder")
    for writing in killed:
        writing.__enter__()
    assert len(list(run.iterdir())) == 2
    for name in PERSONS:
        (run / name).touch()
    (run / ".venv-deadbeef/lib").mkdir(parents=True)
    (run / ".venv-deadbeef/.inner.skd-unfinished-12345678").touch()  # another program's folder
    (run / ".link.skd-unfinished-12345678").symlink_to(precious)
    (run / "elsewhere").symlink_to(precious)
    with alone_in(run):
        pass
    assert {path.name for path in run.iterdir()} == {*PERSONS, ".venv-deadbeef", "elsewhere", LOCK}
    assert len(list((run / ".venv-deadbeef").iterdir())) == 2


def test_folders_below_are_cleared_where_they_are_named(tmp_path: Path) -> None:
    for name in ("checkpoints", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / ".last.ckpt.skd-unfinished-12345678").touch()
    with alone_in(tmp_path, "checkpoints", "missing"):
        pass
    assert not list((tmp_path / "checkpoints").iterdir())
    assert list((tmp_path / "other").iterdir())
    assert not (tmp_path / "missing").exists()


@pytest.mark.parametrize("target", ["precious", "nowhere"])
def test_a_linked_folder_below_is_refused(tmp_path: Path, precious: Path, target: str) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/checkpoints").symlink_to(tmp_path / target)
    with (
        pytest.raises(UserError, match="run/checkpoints: is a link"),
        alone_in(tmp_path / "run", "checkpoints"),
    ):
        pytest.fail("not reached")


def test_the_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "big_disk").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "big_disk")
    with alone_in(tmp_path / "run"):
        write_text(tmp_path / "run/config.yaml", "a: 1")
    assert (tmp_path / "big_disk/config.yaml").read_text() == "a: 1"


def test_a_run_that_takes_a_place_leaves_what_links_lead_to(tmp_path: Path, precious: Path) -> None:
    run = RunFolder(tmp_path / "run")
    for folder in (run, run.successor):
        folder.path.mkdir()
        folder.results.write_text("{}")
        folder.config.touch()
    run.previous.path.symlink_to(precious)
    run.zeroshot.path.symlink_to(precious)
    run.confusion.symlink_to(precious / "thesis.txt")
    take_place(run)
    assert {path.name for path in run.path.iterdir()} == {"previous", "results.json", "config.yaml"}
    assert {path.name for path in run.previous.path.iterdir()} == {
        "zeroshot",
        "confusion.npy",
        "results.json",
        "config.yaml",
    }
    make_room(run)
    assert [path.name for path in run.stopped.path.iterdir() if path.is_dir()] == []


def test_results_are_written_over_links_and_not_through_them(tmp_path: Path, precious: Path) -> None:
    run = RunFolder(tmp_path / "run")
    run.path.mkdir()
    run.confusion.symlink_to(precious / "thesis.txt")
    run.counts.symlink_to(precious)
    results = ZeroshotResults.model_validate(
        {
            **{
                "task": "mine",
                "role": "student",
                "loss": "none",
                "variant": "none",
                "seed": 1,
                "metric": "accuracy",
            },
            "languages": {"de": {"accuracy": 1.0, "sentences": 2, "words": 3}},
            **{"average": 1.0, "asked": ["de"], "peak_memory_mib": 1, "command": "skd", "versions": {}},
        }
    )
    results.save(run, {"de": np.zeros((2, 9))}, np.eye(2))
    assert ZeroshotResults.read(run) == results
    assert (np.load(run.confusion) == np.eye(2)).all()
    assert np.load(run.counts / "de.npy").shape == (2, 9)


HOLD = """
import os, sys, time
from pathlib import Path
from skd_lightning.storage import alone_in
print("asking", flush=True)
with alone_in(Path(sys.argv[1])):
    if len(sys.argv) > 2:  # a worker as loaders make them, which says when it runs
        if os.fork() == 0:
            print("there", flush=True)
            time.sleep(600)
    else:
        print("there", flush=True)
    sys.stdin.read()
"""


def _asking(folder: Path, *more: str) -> subprocess.Popen[str]:
    """A process that is about to ask for the lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder), *more],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "asking\n"
    return process


def _holder(folder: Path, *more: str) -> subprocess.Popen[str]:
    process = _asking(folder, *more)
    assert process.stdout is not None
    assert process.stdout.readline() == "there\n"
    return process


def test_one_process_at_a_time(tmp_path: Path) -> None:
    other = _holder(tmp_path)
    assert other.stdin is not None
    waiting = _asking(tmp_path)
    with (
        pytest.raises(UserError, match="another process is at work there; wait for it or stop it"),
        alone_in(tmp_path, wait=False),
    ):
        pytest.fail("not reached")
    assert waiting.stdout is not None
    assert not select.select([waiting.stdout], [], [], 1)[0]  # it waits
    other.stdin.close()
    assert other.wait() == 0
    assert waiting.communicate() == ("there\n", None)
    assert waiting.returncode == 0
    with alone_in(tmp_path, wait=False):
        pass


def test_a_lock_ends_with_its_process_and_not_with_the_last_loader_worker(tmp_path: Path) -> None:
    other = _holder(tmp_path, "and a worker")
    other.kill()
    other.wait()
    try:
        with alone_in(tmp_path, wait=False):
            assert (tmp_path / LOCK).is_file()
    finally:
        os.killpg(other.pid, signal.SIGKILL)  # the worker


def test_a_report_folder_may_hold_a_persons_files(tmp_path: Path) -> None:
    (tmp_path / ".venv-deadbeef").mkdir()
    (tmp_path / ".my-chapters").touch()
    remove_unfinished(tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def test_kernels_remove_their_own_outdated_code_alone(tmp_path: Path) -> None:
    """NUMBA_CACHE_DIR is a folder of the person's choice."""
    outdated = tmp_path / f"skd-kernels-{'0' * 16}"
    kept = ["kernels-notes", "skd-kernels-notes", f"skd-kernels-{'0' * 17}"]
    for name in (*kept, outdated.name):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
    subprocess.run(
        [sys.executable, "-c", "import skd_lightning.crf.kernels.cpu.compiler"],
        env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)},
        check=True,
    )
    assert not outdated.exists()
    assert all((tmp_path / name / "file").is_file() for name in kept)
