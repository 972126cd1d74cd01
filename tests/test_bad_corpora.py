"""Corpora as they come: read, with a word on every choice, or refused with one line before anything is shown."""

import shlex
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest
from bad_corpora import READ, REFUSED, make

from skd_lightning.cli import main

HANGS = 20
"""Seconds after which a command counts as hanging."""


@pytest.fixture
def alarm() -> Iterator[None]:
    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise AssertionError("it hangs")

    before = signal.signal(signal.SIGALRM, stop)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def answer(root: Path, options: str, capsys: pytest.CaptureFixture) -> tuple[object, str, str]:
    """Status, output and errors of ``skd corpus``."""
    words = ["corpus", "--task", "mine", "--data", str(root), "--runs", str(root / "runs")]
    words += shlex.split(options.replace("{root}", str(root)))
    capsys.readouterr()
    status: object = 0
    signal.alarm(HANGS)
    try:
        main(words)
    except SystemExit as stop:
        status = stop.code
    finally:
        signal.alarm(0)
    said = capsys.readouterr()
    return status, said.out, said.err


@pytest.mark.usefixtures("alarm")
def test_each_is_refused_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table rather than a test each: collecting and setting up hundreds of tests takes longer than they do."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("SKD_DATA", raising=False)
    short = []
    for i, (name, files, options, expected) in enumerate(REFUSED):
        root = tmp_path / f"c{i}"
        root.mkdir()
        make(root, files)
        before = sorted(root.rglob("*"))
        try:
            status, out, err = answer(root, options, capsys)
        except BaseException as error:
            short.append(f"{name}: {type(error).__name__} {str(error)[:200]}")
            continue
        lines = [line for line in err.splitlines() if line.startswith("skd: error: ")]
        good = status == 2 and len(lines) == 1 and expected in lines[0] and "Traceback" not in err and not out
        if not good or not lines[0].isprintable() or sorted(root.rglob("*")) != before:
            said = (err.splitlines() or ["nothing"])[-1]
            short.append(
                f"{name}: status {status}, said {said[:300]!r}, expected {expected!r}{out and ', after a table'}"
            )
    assert not short, f"{len(short)} of {len(REFUSED)} fall short:\n" + "\n".join(short)


@pytest.mark.usefixtures("alarm")
def test_each_is_read(tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every line fits 80 columns, and no number is cut."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("SKD_DATA", raising=False)
    short = []
    for i, (name, files, options, expected) in enumerate(READ):
        root = tmp_path / f"c{i}"
        root.mkdir()
        make(root, files)
        try:
            status, out, err = answer(root, options, capsys)
        except BaseException as error:
            short.append(f"{name}: {type(error).__name__} {str(error)[:200]}")
            continue
        wide = [line for line in out.splitlines() if len(line.rstrip()) > 80]
        if status != 0 or expected not in " ".join(out.split()) or wide:
            said = (err.splitlines() or [" ".join(out.split())])[-1]
            short.append(
                f"{name}: status {status}, said {said[-300:]!r}, expected {expected!r}, wide {wide[:1]}"
            )
    assert not short, f"{len(short)} of {len(READ)} fall short:\n" + "\n".join(short)
