"""The work that one process gives another: a dataclass as JSON text, in the command line of ``skd job``."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, TypeVar

from skd_lightning.errors import UserError
from skd_lightning.parsing import parsed

T = TypeVar("T")


def to_json(work: Any) -> str:
    """Return work, a dataclass, as text, from which :func:`from_json` makes it again."""
    return json.dumps(dataclasses.asdict(work), default=str, ensure_ascii=False)


def from_json(kind: type[T], text: str) -> T:
    """Return the work that :func:`to_json` wrote.

    Args:
        kind: of the work, a dataclass.
        text: in JSON.

    Raises:
        UserError: the text is another one.
    """
    try:
        return parsed(kind, text)
    except ValueError as error:
        raise UserError(f"work: no {kind.__name__} as JSON ({error})") from None
