"""Errors of the system that a person can mend become one line."""

import errno

import pytest

from skd_lightning.cli import main
from skd_lightning.cli.command import Command
from skd_lightning.cli.commands import COMMANDS
from skd_lightning.errors import UserError, user_error


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device", "runs/cache/x.npy"),
        OSError("6864 requested and 6080 written"),  # numpy's, without a number
    ],
)
def test_a_full_disk_is_named_however_it_is_reported(error: OSError) -> None:
    wrapped = RuntimeError("while saving")
    wrapped.__cause__ = error
    found = user_error(wrapped)
    assert isinstance(found, UserError)
    assert "No space left on device; make room, and the same command goes on" in str(found)


def test_other_errors_are_bugs() -> None:
    assert user_error(OSError("something else")) is None
    assert user_error(KeyError("x")) is None


@pytest.mark.parametrize(("name", "goes_on"), [("teachers", True), ("tag", False)])
def test_ctrl_c_speaks_of_checkpoints_where_something_was_trained(
    name: str, goes_on: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    command = Command(name, "", lambda parser: None, interrupted, resumes=COMMANDS[name].resumes)
    monkeypatch.setitem(COMMANDS, name, command)
    with pytest.raises(SystemExit) as stop:
        main([name])
    assert stop.value.code == 130
    assert ("checkpoint" in capsys.readouterr().err) == goes_on
