"""How the loops are compiled: once for each type of argument, kept on disk for the next process."""

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

Array = NDArray[np.float64]
Kept = NDArray[np.float64]
"""Messages of all sentences that the adjoint finds again."""
Integers = NDArray[np.int64]
Potentials = NDArray[Any]
"""float32 or float64, as the caller has them; the sums inside are float64."""


def _cache_folder() -> Path:
    """Where machine code of these very sources is kept: beside them, or under the user's cache if that is read-only.

    numba compiles a function again when its own file changed, but not when a function that it calls changed in
    another file. So the name holds a hash of all of them; what belongs to other sources is removed.
    """
    here = Path(__file__).parent
    sources = b"".join(path.read_bytes() for path in sorted(here.glob("*.py")))
    if config.CACHE_DIR:
        parent = Path(config.CACHE_DIR)
    elif os.access(here, os.W_OK):
        parent = here / "__pycache__"
    else:
        parent = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "skd_lightning"
    folder = parent / f"kernels-{hashlib.sha256(sources).hexdigest()[:16]}"
    if not folder.exists():
        for outdated in parent.glob("kernels-*"):
            shutil.rmtree(outdated, ignore_errors=True)
    return folder


_FOLDER = _cache_folder()


def _compiled(function: Callable[..., Any], **options: Any) -> Any:
    before = config.CACHE_DIR
    config.CACHE_DIR = str(_FOLDER)  # read when a function is decorated
    try:
        return numba.njit(cache=True, error_model="numpy", **options)(function)
    finally:
        config.CACHE_DIR = before


def compiled(function: Callable[..., Any]) -> Any:
    """Sums may be reordered for the vector units; infinities and NaN keep their meaning."""
    return _compiled(function, fastmath={"reassoc", "contract"})


def released(function: Callable[..., Any]) -> Any:
    """The same for what Python calls: its other threads run meanwhile."""
    return _compiled(function, fastmath={"reassoc", "contract"}, nogil=True)


def in_order(function: Callable[..., Any]) -> Any:
    """No sum is reordered, for code that lives by the order of its roundings."""
    return _compiled(function, fastmath={"contract"})
