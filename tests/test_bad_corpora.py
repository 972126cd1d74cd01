"""Corpora as they come: read, with a word on every choice, or refused with one line before anything is shown."""

import argparse
import gzip
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType

import pytest
from bad_corpora import READ, REFUSED, make

from skd_lightning.cli import main
from skd_lightning.data.module import TaggingData
from skd_lightning.errors import UserError, user_error
from skd_lightning.explore.corpus_tables import show

HANGS = 20
"""Seconds of a core after which a command counts as hanging; by the clock, a busy machine takes its time."""


@pytest.fixture
def alarm() -> Iterator[None]:
    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise AssertionError("it hangs")

    before = signal.signal(signal.SIGPROF, stop)
    yield
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.signal(signal.SIGPROF, before)


def answer(root: Path, options: str, capsys: pytest.CaptureFixture) -> tuple[str | None, str]:
    """The line of error of ``skd corpus``, None if there is none, and what it has printed.

    Commands with other options than these three go the whole way, through Lightning's parser; the others save it.
    """
    words = ["--task", "mine", "--data", str(root), *shlex.split(options.replace("{root}", str(root)))]
    parser = argparse.ArgumentParser()
    parser.add_argument("--task")
    parser.add_argument("--data")
    parser.add_argument("--langs", nargs="+")
    own, rest = parser.parse_known_args(words)
    capsys.readouterr()
    signal.setitimer(signal.ITIMER_PROF, HANGS)
    try:
        if rest:
            main(["corpus", "--runs", str(root / "runs"), *words])
        else:
            show(TaggingData(own.task, own.data, own.langs))
    except SystemExit as stop:
        assert stop.code == 2  # noqa: PT017 - to read the corpus is no failure of every case
        said = capsys.readouterr()
        (line,) = [line for line in said.err.splitlines() if line.startswith("skd: error: ")]
        return line, said.out
    except Exception as error:
        if (mendable := user_error(error)) is None:
            raise
        return str(mendable), capsys.readouterr().out
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return None, capsys.readouterr().out


Case = tuple[str, Mapping[str, object], str, str]


def fallen_short(
    cases: Sequence[Case],
    check: Callable[[str, str | None, str], str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> list[str]:
    """Ask about each case's folder, and collect what a check has to say against the answers.

    A table rather than a test each: collecting and setting up hundreds of tests takes longer than they do.
    """
    short = []
    for i, (name, files, options, expected) in enumerate(cases):
        root = tmp_path / f"c{i}"
        root.mkdir()
        make(root, files)
        before = sorted(root.rglob("*"))
        try:
            line, shown = answer(root, options, capsys)
        except BaseException as error:
            short.append(f"{name}: {type(error).__name__} {str(error)[:200]}")
            continue
        complaint = check(expected, line, shown)
        if line is not None and sorted(root.rglob("*")) != before:
            complaint += " wrote files"
        if complaint:
            short.append(f"{name}: expected {expected!r}, {complaint}")
    return short


@pytest.fixture
def nothing_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("SKD_DATA", raising=False)
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.mark.usefixtures("alarm", "nothing_elsewhere")
def test_each_is_refused_with_one_line(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    def check(expected: str, line: str | None, shown: str) -> str:
        if line is None or expected not in line or "\n" in line or shown:
            return f"said {line!r}{shown and ', after a table'}"
        return ""

    short = fallen_short(REFUSED, check, tmp_path, capsys)
    assert not short, f"{len(short)} of {len(REFUSED)} fall short:\n" + "\n".join(short)


@pytest.mark.usefixtures("alarm", "nothing_elsewhere")
def test_each_is_read(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Every line fits 80 columns, and no number is cut."""

    def check(expected: str, line: str | None, shown: str) -> str:
        wide = [each for each in shown.splitlines() if len(each.rstrip()) > 80]
        words = " ".join(shown.split())
        if line is not None or expected not in words or wide:
            return f"said {line or words!r}, wide {wide[:1]}"
        return ""

    short = fallen_short(READ, check, tmp_path, capsys)
    assert not short, f"{len(short)} of {len(READ)} fall short:\n" + "\n".join(short)


MEMORY = """
import resource, sys
from pathlib import Path
from skd_lightning.data.readers import read
from skd_lightning.errors import UserError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    read(Path(sys.argv[1]), "de")
except UserError as error:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, error)
"""


@pytest.mark.parametrize("line", [b"a", b"a\tO\n"], ids=["one line", "rows"])
def test_a_bomb_takes_little_memory(line: bytes, tmp_path: Path) -> None:
    """16 GiB in 16 MiB."""
    file = tmp_path / "train.tsv.gz"
    file.write_bytes(gzip.compress(line * (2**24 // len(line)), mtime=0) * 1024)
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(file)], capture_output=True, text=True, check=True
    )
    grown, message = done.stdout.split(" ", 1)
    assert "unpacks to more than 100 times its size" in message
    assert int(grown) < 2**16, "KiB"


def test_names_that_are_no_text(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Bytes that are not UTF-8, as Linux allows them in names."""
    make(tmp_path, {f"mine/de/a\udce9.train{end}": "a\tX\n\nb\tX\n\n" for end in (".tsv", ".gold.tsv")})
    show(TaggingData("mine", str(tmp_path)))
    shown = capsys.readouterr().out
    assert "a\\udce9.train.gold.tsv is train" in shown
    make(tmp_path, {"mine/d\udce9/train.tsv": "a\tX\n"})
    with pytest.raises(UserError, match="the name of its folder is not UTF-8"):
        show(TaggingData("mine", str(tmp_path)))


def test_commas_part_no_columns(tmp_path: Path) -> None:
    make(tmp_path, {"mine/de/train.csv": "a,O\nb,B-X\n\nc,O\n", "mine/de/unlabelled.txt": "a b\n"})
    with pytest.raises(
        UserError, match=r"to learn; .*train\.csv: its lines have one column; .* not by commas"
    ):
        _ = TaggingData("mine", str(tmp_path)).tag_names


def test_encodings_by_language_from_python(tmp_path: Path) -> None:
    make(
        tmp_path,
        {"mine/es/train.tsv": "ñ\tX\n\nb\tX\n\n".encode("latin-1"), "mine/de/train.tsv": "ü\tX\n\nb\tX\n\n"},
    )
    data = TaggingData("mine", str(tmp_path), encoding={"es": "latin-1"})
    assert {word for s in data.corpora.languages["es"]["train"] for word in s.words} <= {"ñ", "b"}
    with pytest.raises(UserError, match=r"names xx; the languages are de, es"):
        _ = TaggingData("mine", str(tmp_path), ["es"], encoding={"es": "latin-1", "xx": "utf-8"}).corpora
