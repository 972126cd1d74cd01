"""Tables in the terminal, short names, and colours."""

import subprocess
import sys

import pytest

from skd_lightning.display import terminal
from skd_lightning.display.formats import short_names
from skd_lightning.display.style import Look, looks
from skd_lightning.display.table import Table

LANGUAGES = ["de", "en", "es", "fi", "nl", "sv"]
TABLE = Table("t", "T", ["", *LANGUAGES, "average"], [["none (baseline)", *["91.23"] * 6, "91.23 ± 0.12"]])


@pytest.mark.parametrize("width", [200, 80, 60, 40, 20])
def test_whole_columns_go_and_are_named(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    terminal.show(TABLE, LANGUAGES[::-1])
    shown, _, named = capsys.readouterr().out.partition("left out")
    assert "…" not in shown
    assert "91.23 ± 0.12" in shown
    there = [language for language in LANGUAGES if language in shown]
    assert shown.count("91.23") == len(there) + 1
    assert there == LANGUAGES[: len(there)]
    gone = LANGUAGES[len(there) :]
    assert named.strip() == (f", the terminal has {width} columns: {', '.join(gone)}" if gone else "")
    if width >= 40:
        assert max(map(len, shown.splitlines())) <= width
    assert bool(gone) == (width < 80)


def test_a_file_gets_every_column(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    wide = [f"x{i}" for i in range(60)]
    terminal.show(Table("t", "Wide", ["", *wide], [["a", *wide]]), wide)
    shown = capsys.readouterr().out
    assert "left out" not in shown
    assert "x59" in shown


def test_a_table_without_a_column_keeps_what_is_bold() -> None:
    table = Table("t", "T", ["", "a", "b"], [["x", "1", "2"], []], {(0, 0), (0, 1), (0, 2)}, [{"a": 1}])
    found = table.without("a")
    assert (found.columns, found.rows, found.strong) == (["", "b"], [["x", "2"], []], {(0, 0), (0, 1)})
    assert found.csv() == table.csv()
    assert table.columns == ["", "a", "b"]


def test_options_keep_what_tells_them_apart() -> None:
    names = ["model.optimization.learning_rate", "model.context.dropout", "model.embedder.dropout", "dropout"]
    assert short_names(names) == ["learning_rate", "context.dropout", "embedder.dropout", "dropout"]
    assert short_names(["data.tokens"]) == ["tokens"]
    assert short_names([]) == []


def test_a_fixed_look_is_kept_and_the_others_differ() -> None:
    own = Look("#000000", "#ffffff", "o")
    found = looks(["a", "b", "c"], {"b": own})
    assert found["b"] is own
    assert len({look.colour for look in found.values()}) == 3


@pytest.mark.parametrize("package", ["analysis", "display", "report"])
def test_a_room_is_light(package: str) -> None:
    """The command line starts without what draws and trains."""
    code = f"import sys, skd_lightning.{package}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"matplotlib", "pandas", "torch"} & set(done.stdout.split())


@pytest.mark.parametrize(
    ("room", "forbidden"),
    [
        ("analysis", ("display", "report", "studies", "cli")),
        ("display", ("analysis", "report", "runs", "data", "metrics")),
    ],
)
def test_numbers_and_pictures_are_apart(room: str, forbidden: tuple[str, ...]) -> None:
    """Importing every module of one room imports nothing of the other."""
    code = (
        f"import sys, pkgutil, importlib, skd_lightning.{room} as room\n"
        "for found in pkgutil.iter_modules(room.__path__, room.__name__ + '.'):\n"
        "    importlib.import_module(found.name)\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert f"skd_lightning.{room}" in loaded
    assert not {f"skd_lightning.{name}" for name in forbidden} & loaded
