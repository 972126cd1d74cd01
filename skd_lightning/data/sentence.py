"""A sentence, the unit that readers produce and everything else consumes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sentence:
    """Words of one language, with their tags where somebody annotated them.

    Attributes:
        words: the surface forms, in reading order; may be empty.
        tags: one tag a word, or None for text without annotation (only teachers speak on it).
        language: code of the language (the name of its folder), such as ``"en"``.
        file: where the sentence was read, for messages; empty for generated text.
        lines: line number (from 1) of each word in ``file``; empty for generated text.
    """

    words: tuple[str, ...]
    tags: tuple[str, ...] | None = None
    language: str = ""
    file: str = ""
    lines: tuple[int, ...] = ()

    def place(self, word: int) -> str:
        """``file:line`` of one word, for a message."""
        return f"{self.file}:{self.lines[word]}" if self.lines else (self.file or "<generated>")
