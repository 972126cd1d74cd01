"""A sentence: the unit that readers produce and everything else consumes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sentence:
    """Words of one language, with their tags if somebody annotated them.

    Attributes:
        words: the surface forms, in reading order; may be empty.
        tags: one tag a word, or None for text without annotation (only teachers speak on it).
        language: code of the language (the name of its folder), such as ``"en"``.
        file: the file that the sentence was read from, for messages; empty for generated text.
        lines: line number (from 1) of each word in ``file``; empty for generated text.
    """

    words: tuple[str, ...]
    tags: tuple[str, ...] | None = None
    language: str = ""
    file: str = ""
    lines: tuple[int, ...] = ()

    def place(self, word: int) -> str:
        """Return ``file:line`` of one word, for a message.

        >>> Sentence(("Anna", "reads"), file="train.tsv", lines=(4, 5)).place(1)
        'train.tsv:5'
        """
        return f"{self.file}:{self.lines[word]}" if self.lines else (self.file or "<generated>")
