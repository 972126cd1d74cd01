"""Divide the minutes of a search among its targets."""

from __future__ import annotations

import os
import time

import pytest
from fuzzing import MINUTES
from hypothesis import is_hypothesis_test


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Search a target again and again until its share of the time is over; without minutes, as pytest does it."""
    if not MINUTES or not is_hypothesis_test(pyfuncitem.obj):
        return None
    targets = sum(is_hypothesis_test(getattr(item, "obj", None)) for item in pyfuncitem.session.items)
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1))
    end = time.monotonic() + 60 * MINUTES * workers / targets
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    while time.monotonic() < end:
        pyfuncitem.obj(**arguments)
    return True
