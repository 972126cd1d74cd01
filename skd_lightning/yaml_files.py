"""YAML files of a user's own making, read within a second whatever is in them."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import yaml

from skd_lightning.errors import UserError

LARGEST = 10_000_000
"""Bytes of a file, a thousand times what settings take."""
DEEPEST = 100
"""Levels of lists and settings in one another; far more of them exhaust the stack of a parser."""
MOST = 1_000_000
"""Values of a file, those counted again that an alias repeats."""

Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(file: Path) -> Any:
    """Return the content of a YAML file, plain values.

    Raises:
        UserError: the file is missing, is no text in UTF-8 or no YAML, or is larger or deeper than settings are.
    """
    text = read_text(file)
    try:
        return yaml.load(text, Loader)
    except (
        yaml.YAMLError,
        ValueError,
        TypeError,
    ) as error:  # such as the date 2001-99-99, or a list as a key
        raise UserError(f"{file}: not YAML: {' '.join(str(error).split())}") from None


def read_text(file: Path) -> str:
    """Return the text of a YAML file, after a look at its size, its depth and its aliases.

    Raises:
        UserError: as :func:`read_yaml`.
    """
    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):
            raise UserError(f"{file}: is no file; give a file in YAML")
        if status.st_size > LARGEST:
            raise UserError(f"{file}: {status.st_size:,} bytes; a file of settings has at most {LARGEST:,}")
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{file}: not UTF-8 (byte {error.start}); save it as UTF-8") from None
    except (OSError, ValueError) as error:  # the latter of a name with the character NUL
        if isinstance(error, UserError):
            raise
        raise UserError(f"{file}: {getattr(error, 'strerror', None) or error}") from None
    try:
        refuse_excess(text, str(file))
    except yaml.YAMLError as error:
        raise UserError(f"{file}: not YAML: {' '.join(str(error).split())}") from None
    return text


def refuse_excess(text: str, where: str) -> None:
    """Refuse what would take a parser more than a moment or its whole stack.

    Args:
        text: in YAML.
        where: it stands, for the message.

    Raises:
        UserError: it is deep, an alias stands within what it names, or all aliases together repeat too much.
        yaml.YAMLError: it is no YAML.
    """
    sizes: dict[str | None, int] = {}
    open_nodes: list[tuple[str | None, int]] = []
    total = 0
    for event in yaml.parse(text, Loader):
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_nodes.pop()
            if anchor:
                sizes[anchor] = total - before
        elif isinstance(event, yaml.AliasEvent):
            if any(event.anchor == anchor for anchor, _ in open_nodes):
                raise UserError(f"{where}: the alias *{event.anchor} stands within what it names")
            total += sizes.get(event.anchor, 1)
        elif isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append((event.anchor, total))
            total += 1
        elif isinstance(event, yaml.ScalarEvent):
            total += 1
        if len(open_nodes) > DEEPEST:
            raise UserError(f"{where}: more than {DEEPEST} levels in one another")
        if total > MOST:
            raise UserError(f"{where}: more than {MOST:,} values, those that aliases repeat included")
