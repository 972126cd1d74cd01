"""The one exception that a user is meant to read."""


class UserError(ValueError):
    """Something the user can mend: what is wrong, where (file and line), what to do; one line.

    The command line prints it without a traceback and exits with status 2.
    """

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows in the place of a traceback."""
        return [f"skd: error: {self}"]


def user_error(error: BaseException | None) -> UserError | None:
    """The UserError that an exception is or was caused by: libraries wrap what constructors raise."""
    while error is not None and not isinstance(error, UserError):
        error = error.__cause__ or error.__context__
    return error
