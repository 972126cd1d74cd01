"""Settings and records that are read back: bounded text, parsed without running anything, compared with a schema.

Every way in which a file can be wrong ends in one line that names the file and, where there is one, the key.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from skd_lightning.errors import UserError
from skd_lightning.yaml_limits import Loader, refuse_excess

T = TypeVar("T")

A_LIST = "expected a list, such as [1, 2]"
EXPECTED = {"tuple_type": A_LIST, "list_type": A_LIST, "string_type": "expected a text"}
"""What is said of a value, by the kind of pydantic's error, where its own words are those of Python."""

LONGEST = 2**24
"""Bytes of a file of settings that is read."""


def read_text(file: Path, missing: str = "no such file", longest: int = LONGEST) -> str:
    """Return the content of a UTF-8 file.

    Args:
        file: any path.
        missing: what the message says where nothing has that name.
        longest: bytes of a file that is read.

    Raises:
        UserError: it is no file, too large, not readable, or of another encoding.
    """
    try:
        if not file.exists():
            raise UserError(f"{file}: {missing}")
        if not file.is_file():
            raise UserError(f"{file}: not a file")  # to open a pipe would wait
        if file.stat().st_size > longest:
            raise UserError(f"{file}: larger than {longest >> 20} MiB")
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{file}: not UTF-8 text; save it as UTF-8") from None


def read_yaml(file: Path, missing: str = "no such file") -> Any:
    """Return the content of a YAML file: plain values, whatever tags it has.

    Args:
        file: any path.
        missing: what the message says where nothing has that name.

    Raises:
        UserError: as of :func:`read_text`, or it is no YAML, nested too deeply, or holds itself.
    """
    text = read_text(file, missing)
    try:
        refuse_excess(text, str(file))
        return yaml.load(text, Loader)
    except UserError:
        raise
    # Such as the date 2001-99-99, a list as a key, or !!bool of another word.
    except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise UserError(f"{file}: not YAML: {' '.join(str(error).split())[:300]}") from None


def checked(kind: type[T], content: Any, where: str) -> T:
    """Return plain values as an object of a type, whose annotations are the schema.

    Args:
        kind: a type that pydantic can check.
        content: plain values.
        where: the file, and the part of it, for messages.

    Raises:
        UserError: naming the first key whose value is not of its type.
    """
    try:
        with first_error():
            found: T = TypeAdapter(kind).validate_python(content)
    except ValueError as error:
        raise UserError(f"{where}: {str(error).removeprefix('file: ')}") from None
    return found


def read_json(kind: type[T], file: Path, remedy: str, longest: int = LONGEST) -> T:
    """Return the content of a JSON file as an object of a type.

    Args:
        kind: a type that pydantic can check.
        file: that exists.
        remedy: what the message tells the user to do.
        longest: bytes of a file that is read.

    Raises:
        UserError: as of :func:`read_text`, or it is no JSON, or not of the type; the line names the first wrong key.
    """
    text = read_text(file, longest=longest)
    try:
        return parsed(kind, text)
    except ValueError as error:
        raise UserError(f"{file}: damaged ({error}); {remedy}") from None


def parsed(kind: type[T], text: str) -> T:
    """Return a JSON text as an object of a type.

    Raises:
        ValueError: it is no JSON, or not of the type; the message names the first wrong key.
    """
    with first_error():
        found: T = TypeAdapter(kind).validate_json(text)
    return found


@contextmanager
def first_error() -> Iterator[None]:
    """Let what does not follow a schema raise a ValueError of one line, which names the first key that does not."""
    try:
        yield
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        if first["type"] == "value_error":  # of our own validators
            raise ValueError(first["msg"].removeprefix("Value error, ")) from None
        place = ".".join(map(str, first["loc"])) or "file"
        raise ValueError(f"{place}: {EXPECTED.get(first['type'], first['msg'])}"[:400]) from None
