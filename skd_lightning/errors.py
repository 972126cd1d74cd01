"""The one exception that a user is meant to read."""


class UserError(Exception):
    """Something the user can mend: what is wrong, where (file and line), what to do; one line.

    The command line prints it without a traceback and exits with status 2.
    """
