"""Compilation of loops over arrays of features."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def loop(function: Callable[..., Any]) -> Any:
    """Compile a function at its first call and keep the machine code on disk, if it can; it runs without the GIL.

    numba sees a change in the function's own file only: what it calls has to stand there, too.
    """
    try:
        return numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:  # no folder can be written to: compiled anew in each process
        return numba.njit(nogil=True, error_model="numpy")(function)
