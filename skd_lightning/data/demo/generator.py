"""A generated corpus of four languages, so that everything runs without any file.

Persons, places and organisations (IOB2) in short sentences. The same form names a person here and a place there,
and only the words around it tell, in each language by other means: prepositions and verbs in English, articles in
German (where every noun has a capital), the personal *a* in Spanish, case endings in Finnish. Some sentences leave
it open, as real ones do, and many names of the dev and test sentences were never seen in training, or only in
another language.
"""

from __future__ import annotations

import random
import re
import zlib
from collections.abc import Sequence

from skd_lightning.data.demo import patterns
from skd_lightning.data.sentence import Sentence
from skd_lightning.errors import UserError

LANGUAGES = tuple(patterns.GRAMMARS)
SIZES = {"train": 300, "dev": 200, "test": 400}
"""Sentences of each split in each language."""
KNOWN = 0.55
"""Share of the names that a language's training sentences may use; the others occur in dev and test alone."""
OPEN = 0.3
"""Share of the clauses that do not tell the types of their names; nobody can get all of those right."""
_SLOT = re.compile(r"\{(\w+)(?::(\w+))?\}(.*)")


def demo_corpus(
    language: str, sentences: dict[str, int] | None = None, seed: int = 0
) -> dict[str, list[Sentence]]:
    """Generate the corpus of one language; the same on every machine for the same arguments.

    Args:
        language: one of :data:`LANGUAGES`.
        sentences: number of them in each split; :data:`SIZES` if None.
        seed: another one gives other sentences.

    Returns:
        ``{"train": [...], "dev": [...], "test": [...]}``; no sentence stands in two of them.

    Raises:
        UserError: an unknown language.

    >>> sentence = demo_corpus("en")["train"][0]
    >>> len(sentence.words) == len(sentence.tags)
    True
    """
    if language not in patterns.GRAMMARS:
        raise UserError(f"the demo corpus has no language '{language}'; it has {', '.join(LANGUAGES)}")
    seen: set[tuple[str, ...]] = set()
    corpus: dict[str, list[Sentence]] = {}
    for split, size in {**SIZES, **(sentences or {})}.items():
        writer = _Writer(language, split, seed)
        corpus[split] = []
        while len(corpus[split]) < size:
            sentence = writer.sentence()
            if sentence.words not in seen:
                seen.add(sentence.words)
                corpus[split].append(sentence)
    return corpus


class _Writer:
    """Writes sentences of one language and split."""

    def __init__(self, language: str, split: str, seed: int) -> None:
        self.language, self.split = language, split
        self.grammar = patterns.GRAMMARS[language]
        self.rng = random.Random(f"demo {seed} {language} {split}")

    def sentence(self) -> Sentence:
        """Write one or two clauses, with an opening or without."""
        grammar, rng = self.grammar, self.rng
        pattern = f"{rng.choice(grammar.openings)} {self._clause()}"
        if rng.random() < 0.3:
            pattern += f" {rng.choice(grammar.conjunctions)} {self._clause()}"
        tokens, tags = [], []
        for piece in f"{pattern} .".split():
            slot = _SLOT.match(piece)
            if slot is None:
                tokens.append(piece)
                tags.append("O")
            elif slot[1] in grammar.words:
                tokens.append(rng.choice(grammar.words[slot[1]]))
                tags.append("O")
            else:
                kind = rng.choices(("PER", "LOC", "ORG"), (5, 3, 2))[0] if slot[1] == "ANY" else slot[1]
                name = self._inflected(self._name(kind), slot[2])
                tokens += name
                tags += [f"B-{kind}", *[f"I-{kind}"] * (len(name) - 1)]
        tokens[0] = tokens[0][0].upper() + tokens[0][1:]
        return Sentence(tuple(tokens), tuple(tags), self.language)

    def _clause(self) -> str:
        patterns = self.grammar.open_patterns if self.rng.random() < OPEN else self.grammar.patterns
        return self.rng.choice(patterns)

    def _name(self, kind: str) -> list[str]:
        """Return the words of a name."""
        draw = self.rng.random()
        if kind == "PER":
            surname = self._one(patterns.SURNAMES + patterns.SHARED)
            if draw < 0.4:
                return [surname]
            return [self._one(patterns.FIRST), surname] if draw < 0.85 else [self._one(patterns.FIRST)]
        if kind == "LOC":
            return [self._one(patterns.SHARED if draw < 0.55 else patterns.PLACES)]
        if draw < 0.3:
            # A club or a company that is named like a town or its founder.
            return [self._one(patterns.SHARED)]
        if draw < 0.5:
            return [self._one(patterns.COMPANIES)]
        name = []
        for piece in self.rng.choice(self.grammar.organisations).split():
            slot = _SLOT.match(piece)
            if slot is None:
                name.append(piece)
                continue
            pool = {
                "P": patterns.PLACES + patterns.SHARED,
                "S": patterns.SURNAMES + patterns.SHARED,
                "C": patterns.COMPANIES,
            }
            name += self._inflected([self._one(pool[slot[1]])], slot[2])
        return name

    def _one(self, pool: Sequence[str]) -> str:
        """Return a name of the pool that this split may use, or (unseen in training) one made of syllables."""
        if self.split != "train" and self.rng.random() < 0.1:
            made = "".join(self.rng.choice(patterns.SYLLABLES) for _ in range(self.rng.randint(2, 3)))
            return made.capitalize()
        while True:
            name = self.rng.choice(pool)
            if self.split != "train" or zlib.crc32(f"{name} {self.language}".encode()) % 1000 < 1000 * KNOWN:
                return name

    @staticmethod
    def _inflected(name: list[str], ending: str | None) -> list[str]:
        """Return the name with an ending on its last word, in the vowels of Finnish harmony."""
        if not ending:
            return name
        last = name[-1]
        if last[-1].lower() not in "aeiouyäö":
            last += "i"
        if not set(last.lower()) & set("aou"):
            ending = ending.replace("a", "ä")
        return [*name[:-1], last + ending]
