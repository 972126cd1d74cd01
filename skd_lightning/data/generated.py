"""Generated text: sentences spliced from annotated ones, with words replaced by others of their tag.

Teachers label it like any unlabelled text, so a student can ask them more than the annotated sentences hold where there
is no other text. The tags that a sentence is built with are known as well; they serve as a control.

Word replacement within a tag is the "label-wise token replacement" of Dai and Adel (COLING 2020, arXiv 2010.11683, §3).
"""

from __future__ import annotations

import random
from bisect import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from skd_lightning.data.sentence import Sentence
from skd_lightning.errors import UserError

RATES = {"splice": 0.5, "replace": 0.3, "pseudo": 0.1}
"""Kinds of change and their default rates.

``splice``: share of the sentences that are the beginning of one and the end of another. The tags at the seam follow
each other somewhere in the training data, so that no impossible sequence arises.
``replace``: share of the words that give way to another training word of their tag, drawn by frequency.
``pseudo``: share of the words that become a pseudo-word: the beginning of one word of their tag and the end of another.
"""

LONG_ENOUGH = 4
"""Letters of a word that can lend its beginning or its end to a pseudo-word; shorter ones are mostly function words."""

ATTEMPTS = 10
"""Draws of a second sentence until one fits at the seam; the first sentence stays whole if none does."""


@dataclass(frozen=True)
class Generation:
    """How much text is generated for each language, and how.

    Attributes:
        sentences: unlabelled sentences that each language shall have; as many are generated as it lacks.
        rates: {kind: rate}, see :data:`RATES`; kinds that are left out do not happen.
        tagged: keep the tags that the sentences are built with. They are annotated training data then.

    Raises:
        UserError: an unknown kind, or a rate outside 0 to 1.
    """

    sentences: int
    rates: Mapping[str, float] = field(default_factory=lambda: RATES)
    tagged: bool = False

    def __post_init__(self) -> None:
        if unknown := set(self.rates) - set(RATES):
            raise UserError(
                f"--data.generated_kinds names {', '.join(sorted(unknown))}; the kinds are {', '.join(RATES)}"
            )
        for kind, rate in self.rates.items():
            if not 0 <= rate <= 1:
                raise UserError(f"--data.generated_kinds: {kind} is {rate}, it must be between 0 and 1")
        if self.rate("replace") + self.rate("pseudo") > 1:
            raise UserError("--data.generated_kinds: replace and pseudo together must be at most 1")

    def rate(self, kind: str) -> float:
        """Return the rate of a kind, 0 if it does not happen."""
        return self.rates.get(kind, 0.0)

    def from_sentences(
        self, language: str, annotated: Sequence[Sentence], unlabelled: int = 0
    ) -> list[Sentence]:
        """Return generated sentences; the same whenever the annotated sentences and the rates are the same.

        Args:
            language: code of the language of all sentences.
            annotated: training sentences; those without words or tags lend nothing.
            unlabelled: unlabelled sentences that the language has.
        """
        sources = [sentence for sentence in annotated if sentence.words and sentence.tags]
        if not sources:
            return []
        builder = _Builder(self, sources, random.Random(f"generated {language}"))
        return [builder.sentence(language) for _ in range(self.sentences - unlabelled)]

    def note(self, language: str, generated: Sequence[Sentence]) -> str:
        """Return a line for the user: how many sentences were generated."""
        kind = "annotated sentences" if self.tagged else "sentences without tags"
        return f"{language}: {len(generated):,} {kind} generated"


class _Builder:
    """Draw sentences from the words, tags and pairs of tags of annotated ones."""

    def __init__(self, generation: Generation, sources: Sequence[Sentence], draw: random.Random) -> None:
        self.generation, self.sources, self.draw = generation, sources, draw
        self.words: dict[str, list[str]] = {}
        self.pairs = set()
        for sentence in sources:
            assert sentence.tags is not None
            self.pairs |= set(pairwise(sentence.tags))
            for word, tag in zip(sentence.words, sentence.tags, strict=True):
                self.words.setdefault(tag, []).append(word)
        self.long = {
            tag: [word for word in words if len(word) >= LONG_ENOUGH] for tag, words in self.words.items()
        }

    def sentence(self, language: str) -> Sentence:
        tagged = self._tagged(self.draw.choice(self.sources))
        if self.draw.random() < self.generation.rate("splice"):
            tagged = self._spliced(tagged)
        words = tuple(self._word(word, tag) for word, tag in tagged)
        tags = tuple(tag for _, tag in tagged) if self.generation.tagged else None
        return Sentence(words, tags, language)

    def _spliced(self, first: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """Return the beginning of the sentence with the end of another where the tags at the seam are a known pair."""
        for _ in range(ATTEMPTS):
            second = self._tagged(self.draw.choice(self.sources))
            cut = self.draw.randrange(1, len(first) + 1)
            seams = [i for i, (_, tag) in enumerate(second) if (first[cut - 1][1], tag) in self.pairs]
            if seams:
                return first[:cut] + second[self.draw.choice(seams) :]
        return first

    def _word(self, word: str, tag: str) -> str:
        replace, pseudo = self.generation.rate("replace"), self.generation.rate("pseudo")
        kind = bisect([replace, replace + pseudo], self.draw.random())
        if kind == 0:
            return self.draw.choice(self.words[tag])
        if kind == 1 and len(word) >= LONG_ENOUGH:
            beginning, end = self.draw.choice(self.long[tag]), self.draw.choice(self.long[tag])
            return beginning[: self._inside(beginning)] + end[self._inside(end) :]
        return word

    def _inside(self, word: str) -> int:
        return self.draw.randrange(2, len(word) - 1)

    @staticmethod
    def _tagged(sentence: Sentence) -> list[tuple[str, str]]:
        return list(zip(sentence.words, sentence.tags or (), strict=True))
