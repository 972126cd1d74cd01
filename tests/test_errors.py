"""Errors of the system that a person can mend become one line."""

import errno

import pytest

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
