"""The parts that all targets share: how long they search, what they try, and the one promise that they check.

``make test`` tries the same few inputs every time. With ``FUZZ_MINUTES`` set (``make fuzz MINUTES=60``), the targets
share so many minutes among them and try new inputs each time; see ``conftest.py``.
"""

from __future__ import annotations

import copy
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from skd_lightning.errors import LONGEST, UserError

T = TypeVar("T")

MINUTES = float(os.environ.get("FUZZ_MINUTES") or 0)
"""For all targets together; 0 for the few inputs of ``make test``."""
PATIENCE = 60
"""Seconds after which something hangs: a thousand times as long as these inputs take."""


def tries(number: int) -> settings:
    """Return settings for so many inputs, always the same ones, or for a search that begins elsewhere each time."""
    return settings(
        max_examples=30 if MINUTES else number,  # few, so that the time is kept
        derandomize=not MINUTES,
        deadline=None,
        print_blob=True,
        suppress_health_check=[*HealthCheck],
    )


def attempt(make: Callable[[], T]) -> T | None:
    """Return what is made; None where it is refused in one line. Whatever else happens is a bug."""
    try:
        with _no_hang():
            return make()
    except UserError as error:
        said = str(error)
        assert said
        assert len(said.splitlines()) == 1, repr(said)
        assert said.isprintable(), repr(said)
        assert len(said) <= LONGEST, f"{len(said)} letters: {said[:200]}"
        return None


@contextmanager
def _no_hang() -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise AssertionError(f"still at work after {PATIENCE} seconds")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


SPOILERS = (
    *(bytes([n]) for n in (0, 9, 10, 13, 11, 12, 28, 31, 32, 34, 35, 37, 39, 127, 128, 255)),
    *("\u00a0\u0085\u2028\u200b\ufeff\u0301\U0001f600".encode(), b"\xed\xa0\x80", b"\xff\xfe", b"\r\n\r\n"),
    *(b"-1", b"1e999", b"9" * 5000, b"NaN", b"null", b"{}", b"[[", b"'", b"../../x", b"%s", b"\\ud800"),
)
"""Bytes at which parsers stumble, whatever the format."""


@st.composite
def spoiled(draw: st.DrawFn, samples: Sequence[bytes], words: Sequence[bytes] = ()) -> bytes:
    """Draw the content of a file: one of the samples after a few cuts, flips, repetitions and foreign bytes.

    Args:
        draw: given by hypothesis.
        samples: well-formed contents.
        words: of the format, to put where they do not belong.
    """
    content = draw(st.sampled_from(samples))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(content)))
        before, behind = content[:at], content[at:]
        edit = draw(st.sampled_from(["insert", "replace", "delete", "flip", "repeat", "cut", "splice"]))
        if edit in ("insert", "replace"):
            new = draw(st.sampled_from((*SPOILERS, *words)) | st.binary(max_size=8))
            content = before + new + (behind if edit == "insert" else behind[len(new) :])
        elif edit == "delete":
            content = before + behind[draw(st.integers(1, 20)) :]
        elif edit == "flip" and behind:
            content = before + bytes([behind[0] ^ (1 << draw(st.integers(0, 7)))]) + behind[1:]
        elif edit == "repeat":
            content = before + behind[: draw(st.integers(1, 40))] * draw(st.integers(2, 50)) + behind
        elif edit == "cut":
            content = before
        elif edit == "splice":
            other = draw(st.sampled_from(samples))
            content = before + other[draw(st.integers(0, len(other))) :]
    return content


DEEP: Any = []
for _ in range(200):
    DEEP = [DEEP]
ODD: list[Any] = [
    *(None, True, False, -1, 0, 1, 2, 7, 2**31, 2**63, 2**64, -(2**63), 10**40, 0.5, -0.0, 1e300),
    *(float("nan"), float("inf"), "", " ", "\0", "a\nb", "\ud800", "../../x", "os.system", "x" * 5000, "é"),
    *([], {}, [[]], {"": None}, {"a": {"b": 1}}, [1, "a", None], DEEP),
]
"""Values that nobody expects, whatever the setting."""


@st.composite
def changed(draw: st.DrawFn, tree: Any) -> Any:
    """Draw a tree of lists and mappings in which a few values are others, missing, or in each other's place."""
    tree = copy.deepcopy(tree)
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(tree))
        if not places:
            break
        holder, key = draw(st.sampled_from(places))
        edit = draw(st.sampled_from(["odd", "odd", "near", "delete", "another", "more"]))
        if edit == "odd":
            holder[key] = copy.deepcopy(draw(st.sampled_from(ODD)))
        elif edit == "near" and isinstance(holder[key], int | float):
            holder[key] += draw(st.sampled_from([-1, 1, 0.5]))
        elif edit == "delete":
            del holder[key]
        elif edit == "another":
            other, place = draw(st.sampled_from(places))
            holder[key] = copy.deepcopy(other[place])
        elif isinstance(holder, dict):
            holder[draw(st.sampled_from(["", "x", "name", "../x", "a\nb"]))] = copy.deepcopy(holder[key])
        else:
            holder.insert(key, copy.deepcopy(holder[key]))
    return tree


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(tree, dict | list):
        for key in list(tree) if isinstance(tree, dict) else range(len(tree)):
            yield tree, key
            yield from _places(tree[key])
