"""Sentences with marked parts, one line a reading: for pages and for Markdown."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Piece:
    """Some words of a sentence.

    Attributes:
        text: the words.
        label: what a reading says of them; empty for words that are not marked.
        right: False for a label that is marked as wrong.
    """

    text: str
    label: str = ""
    right: bool = True


@dataclass(frozen=True)
class Passage:
    """One sentence in several readings.

    Attributes:
        title: says which sentence it is.
        readings: who reads it so, and the pieces of the sentence in order.
    """

    title: str
    readings: Sequence[tuple[str, Sequence[Piece]]]


@dataclass
class Passages:
    """Sentences under one heading.

    Attributes:
        name: of the Markdown file, without suffix.
        title: one line.
        passages: in order.
    """

    name: str
    title: str
    passages: list[Passage] = field(default_factory=list)

    def html(self) -> str:
        """Return a table a sentence, without the heading; the words run from right to left where theirs do."""
        return "".join(_html(passage) for passage in self.passages)

    def markdown(self) -> str:
        r"""Return a heading, and a list a sentence; what is marked stands in brackets, what is wrong in bold.

        >>> print(Passages("p", "One", [Passage("en 1", [("gold", [Piece("Ann", "PER"), Piece("ran")])])]).markdown())
        ## One
        <BLANKLINE>
        ### en 1
        <BLANKLINE>
        - gold: \[Ann\] PER ran
        <BLANKLINE>
        """
        text = f"## {self.title}\n"
        for passage in self.passages:
            text += f"\n### {_plain(passage.title)}\n\n"
            for name, pieces in passage.readings:
                text += f"- {_plain(name)}: {' '.join(map(_markdown, pieces))}\n"
        return text


def _html(passage: Passage) -> str:
    rows = ""
    for name, pieces in passage.readings:
        words = " ".join(_mark(piece) for piece in pieces)
        rows += f'<tr><th scope="row">{html.escape(name)}</th><td dir="auto">{words}</td></tr>\n'
    caption = html.escape(passage.title)
    return f'<table class="passage">\n<caption>{caption}</caption>\n<tbody>\n{rows}</tbody></table>\n'


def _mark(piece: Piece) -> str:
    text = html.escape(piece.text)
    if not piece.label:
        return text
    kind, sign = ("", "") if piece.right else (' class="wrong"', " ✗")
    # The label stands in its own direction, beside words that may run the other way.
    return f'<mark{kind}>{text} <small dir="ltr">{html.escape(piece.label)}{sign}</small></mark>'


def _markdown(piece: Piece) -> str:
    if not piece.label:
        return _plain(piece.text)
    text = f"\\[{_plain(piece.text)}\\] {_plain(piece.label)}"
    return text if piece.right else f"**{text} ✗**"


def _plain(text: str) -> str:
    """Write text so that Markdown takes no sign of it for its own."""
    return re.sub(r"([\\`*_\[\]<>|~&])", r"\\\1", text)
