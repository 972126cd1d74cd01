"""An eye on what the interpreter does: files opened, processes started, code imported or run."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ACTS = (
    *("os.system", "os.exec", "os.posix_spawn", "os.fork", "os.spawn", "subprocess.Popen", "pty.spawn"),
    *(
        "socket.connect",
        "socket.getaddrinfo",
        "urllib.Request",
        "pickle.find_class",
        "exec.file",
        "code.__new__",
    ),
    *("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.symlink", "os.link", "os.chmod", "os.truncate"),
)
"""Events of ``sys.audit`` that have no place in the loading of a tagger."""
CODE = (sys.prefix, sys.base_prefix, str(Path(__file__).parents[2] / "skd_lightning"))
"""Folders from which modules are imported late; only their code may be opened."""

_folder: Path | None = None
_seen: list[str] = []
_installed = False


@contextmanager
def watched(folder: Path) -> Iterator[list[str]]:
    """Yield a list of what the block does besides reading files of a folder; it is complete when the block ends."""
    global _folder, _installed
    if not _installed:
        sys.addaudithook(_look)  # for good: there is no way to take a hook away
        _installed = True
    _folder = folder.resolve()
    _seen.clear()
    try:
        yield _seen
    finally:
        _folder = None


def _look(event: str, arguments: tuple[Any, ...]) -> None:
    if _folder is None:
        return
    if event in ACTS:
        _seen.append(f"{event} {arguments!r:.200}")
    elif event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
        path, flags = os.path.abspath(os.fsdecode(arguments[0])), arguments[2]
        writes = bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
        code = path.endswith((".py", ".pyc", ".so")) and path.startswith(CODE)
        own = Path(path).is_relative_to(_folder)
        if writes or not (own or code):
            _seen.append(f"open {path} {arguments[1]} {flags}")
