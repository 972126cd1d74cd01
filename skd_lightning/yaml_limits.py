"""Limits of what a YAML text may hold, found before a parser makes anything of it."""

from __future__ import annotations

from typing import Any

import yaml

from skd_lightning.errors import UserError

DEEPEST = 100
"""Levels of lists and settings in one another; far more of them exhaust the stack of a parser."""
MOST = 1_000_000
"""Values of a file, those counted again that an alias repeats."""

Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


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
