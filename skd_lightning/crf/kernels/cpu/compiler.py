"""Compilation of the loops: once for each type of argument, kept on disk for the next process."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

config: Any = numba.config  # its settings are attributes made at run time

Doubles = NDArray[np.float64]
Integers = NDArray[np.int64]
Floats = NDArray[Any]
"""float32 or float64, as the caller has them; the sums inside are float64."""


def _cache_folder() -> Path:
    """Return the folder for the machine code of these very sources: beside them, or in the user's cache.

    numba compiles a function again when its own file changed, but not when a function that it calls changed in
    another file. The folder's name therefore holds a hash of all files here; folders of other sources with such a name
    are removed.
    """
    here = Path(__file__).parent
    sources = b"".join(path.read_bytes() for path in sorted(here.glob("*.py")))
    if config.CACHE_DIR:
        parent = Path(config.CACHE_DIR)
    elif os.access(here, os.W_OK):
        parent = here / "__pycache__"
    else:
        parent = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "skd_lightning"
    folder = parent / f"skd-kernels-{hashlib.sha256(sources).hexdigest()[:16]}"
    if not folder.exists():
        for outdated in parent.glob("skd-kernels-" + 16 * "[0-9a-f]"):
            shutil.rmtree(outdated, ignore_errors=True)
    return folder


_FOLDER = _cache_folder()


def _compiled(function: Callable[..., Any], **options: Any) -> Any:
    before = config.CACHE_DIR
    config.CACHE_DIR = str(_FOLDER)  # read when a function is decorated
    try:
        return numba.njit(cache=True, error_model="numpy", **options)(function)
    except RuntimeError:  # no folder can be written to: compiled anew in each process
        return numba.njit(error_model="numpy", **options)(function)
    finally:
        config.CACHE_DIR = before


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function whose sums may be reordered for the vector units; infinities and NaN keep their meaning."""
    return _compiled(function, fastmath={"reassoc", "contract"})


def released(function: Callable[..., Any]) -> Any:
    """Like :func:`compiled`, for entry points called from Python; releases the GIL."""
    return _compiled(function, fastmath={"reassoc", "contract"}, nogil=True)


def in_order(function: Callable[..., Any]) -> Any:
    """Like :func:`compiled`, but no sum is reordered: for code that relies on the order of its roundings."""
    return _compiled(function, fastmath={"contract"})
