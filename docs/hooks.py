"""MkDocs hooks: the help of the commands, as the installed version prints it, and the roles of docstrings."""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
from functools import cache
from typing import Any
from unittest import mock

from mkdocs.exceptions import PluginError


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace ``{{ skd WORDS }}`` on a line of its own by the output of that command."""
    return re.sub(r"^\{\{ skd (.+) \}\}$", lambda found: _output(found[1]), markdown, flags=re.MULTILINE)


def on_page_content(html: str, **_: Any) -> str:
    """Drop the Sphinx roles of docstrings (``:class:`X```), which Markdown does not know."""
    return re.sub(r":(?:class|func|meth|mod|attr|data):(?=<code>)", "", html)


@cache
def _output(words: str) -> str:
    """Return what ``skd WORDS`` prints; run in this process, since each new one would import torch again.

    Raises:
        PluginError: the command failed; the build stops, since the page would lie.
    """
    from skd_lightning.cli import main

    printed, complaints = io.StringIO(), io.StringIO()
    with (
        mock.patch.dict(os.environ, {"COLUMNS": "100", "NO_COLOR": "1"}),
        mock.patch.object(sys, "argv", ["skd"]),
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(complaints),
    ):
        try:
            main(words.split())
        except SystemExit as end:
            if end.code:
                raise PluginError(f"docs: 'skd {words}' failed: {complaints.getvalue().strip()}") from None
    return re.sub(r":(?:class|func|meth|mod|attr|data):`", "`", printed.getvalue().rstrip())
