"""The one exception that a user is meant to read, and the one that a signal ends in."""

from __future__ import annotations

import errno
import signal


class UserError(ValueError):
    """Something the user can mend: what is wrong, where (file and line), what to do; one line.

    The command line prints it without a traceback and exits with status 2.
    """

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows in the place of a traceback."""
        return [f"skd: error: {self}"]


class Stopped(SystemExit):
    """A signal asked a training to stop, and its state is on disk; the exit status is the shell's, 128 + signal."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.signal = signal.Signals(number)


def user_error(error: BaseException | None) -> UserError | None:
    """The UserError that an exception is or was caused by (libraries wrap what is raised); a full disk makes one."""
    while error is not None and not isinstance(error, UserError):
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            place = f"{error.filename}: " if error.filename else ""
            return UserError(f"{place}{error.strerror}; make room, and the same command goes on")
        error = error.__cause__ or error.__context__
    return error
