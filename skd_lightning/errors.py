"""The exceptions that end a command: one that a user is meant to read, and one for a signal."""

from __future__ import annotations

import errno
import re
import signal

SHORT_WRITE = re.compile(r"\d+ requested and \d+ written")
"""NumPy's words for a write that a full disk has cut short; the error has no number."""
LONGEST = 2000
"""Letters of a message; only quoted files make longer ones."""
IN_THE_WAY = "what stands there is no folder; move it away, or name another place"
PLACES = {
    errno.EEXIST: IN_THE_WAY,
    errno.ENOTDIR: IN_THE_WAY,
    errno.EISDIR: "a folder stands where a file has to be; move it away",
    errno.ENOENT: "name a place that exists and can be written to",
    errno.EACCES: "name a place that you may read and write",
    errno.EPERM: "name a place that you may read and write",
    errno.EROFS: "name a place that you may read and write",
    errno.ELOOP: "a link leads back to itself; remove it",
    errno.ENAMETOOLONG: "take a shorter name",
}
"""Errors of the operating system that say something of the place that a user has named, and the remedy."""


class UserError(ValueError):
    """A mistake that the user can mend; its message is one line: what is wrong, where (file and line), what to do.

    The command line prints it without a traceback and exits with status 2. It may quote a file of anybody: what does
    not print, line breaks above all, stands there as Python writes it, see :func:`printable`, and of a line that is
    longer than a screen only the ends are kept.
    """

    def __init__(self, message: str) -> None:
        line = printable(message)
        if len(line) > LONGEST:
            line = f"{line[: LONGEST // 2]} … {line[-LONGEST // 4 :]}"
        super().__init__(line)

    def _render_traceback_(self) -> list[str]:
        """Return the line that a notebook shows in the place of a traceback."""
        return [f"skd: error: {self}"]


class Stopped(SystemExit):
    """A signal stopped a training whose state is on disk; the exit status is the shell's, 128 + signal."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.signal = signal.Signals(number)


def user_error(error: BaseException | None) -> UserError | None:
    """Return the UserError that an exception is, or that caused it; None if there is none.

    Libraries wrap exceptions in their own. A full disk makes a UserError, and so does a place on disk that is not
    what it has to be, such as a file in the place of a folder.
    """
    if (misplaced := _place(error)) is not None:
        return misplaced
    while error is not None and not isinstance(error, UserError):
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            place = f"{error.filename}: " if error.filename else ""
            return UserError(f"{place}{error.strerror}; make room, and the same command goes on")
        if isinstance(error, OSError) and SHORT_WRITE.fullmatch(str(error)):
            return UserError("No space left on device; make room, and the same command goes on")
        error = error.__cause__ or error.__context__
    return error


def _place(error: BaseException | None) -> UserError | None:
    if not isinstance(error, OSError) or error.errno not in PLACES or not error.filename:
        return None
    named = error.filename2 or error.filename  # the second is what a finished file was to be called
    return UserError(f"{named}: {error.strerror}; {PLACES[error.errno]}")


def one_line(error: Exception) -> str:
    r"""Return what an exception says, without its line breaks; its name where it says nothing.

    Examples:
        >>> one_line(ValueError("no such tag:\n  - X")), one_line(KeyError())
        ('no such tag:; X', 'KeyError')
    """
    said = "; ".join(line.strip(" -") for line in str(error).splitlines() if line.strip())
    return said or type(error).__name__


def first_line(error: Exception) -> str:
    r"""Return the first line of what an exception says; its name where it says nothing.

    Examples:
        >>> first_line(ValueError("no such tag\nhere is my life")), first_line(KeyError())
        ('no such tag', 'KeyError')
    """
    said = str(error).strip()
    return said.splitlines()[0] if said else type(error).__name__


def printable(text: str) -> str:
    r"""Return a text in which control characters, line breaks and half characters stand as Python writes them.

    Examples:
        >>> printable("a\tb" + chr(27))
        'a\\tb\\x1b'
    """
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text
    )
