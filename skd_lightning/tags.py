"""Tags and tag schemes: how entities are written on words, and which tag sequences make sense.

An entity tag is a prefix, a hyphen and an entity type (``B-PER``); every other word of an entity corpus is
``O``. Three schemes are read: IOB1 (``B-`` only where an entity touches one of its own type before it), IOB2
(every entity begins with ``B-``) and BIOES (besides, entities end with ``E-`` and single words are ``S-``).
Two are written: IOB2 and BIOES. Tags of another kind, such as parts of speech, have the scheme ``"none"``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from skd_lightning.errors import UserError

OUTSIDE = "O"
CorpusScheme = Literal["none", "iob1", "iob2", "bioes"]
Scheme = Literal["none", "iob2", "bioes"]
EntityScheme = Literal["iob2", "bioes"]

_ENTITY_TAG = re.compile(r"[BIES]-.+", re.DOTALL)
_OF_BILOU = re.compile(r"[LU]-.+", re.DOTALL)
_PREFIXES: dict[str, str] = {"iob2": "BI", "bioes": "BIES"}


class TaggedSentence(Protocol):
    """The part of a sentence that :func:`recognise` needs."""

    @property
    def tags(self) -> tuple[str, ...] | None:
        """One tag a word, or None without annotation."""

    def place(self, word: int) -> str:
        """``file:line`` of a word."""


@cache
def split_tag(tag: str) -> tuple[str, str]:
    """Return the prefix and the entity type of a tag; a tag of no entity has the type ``""``.

    >>> split_tag("B-PER"), split_tag("O"), split_tag("NOUN")
    (('B', 'PER'), ('O', ''), ('NOUN', ''))
    """
    return (tag[0], tag[2:]) if _ENTITY_TAG.fullmatch(tag) else (tag, "")


def from_bilou(tag: str) -> str:
    """Return a tag of BILOU (spaCy's BILUO) as one of BIOES, which has the same tags under other letters.

    >>> from_bilou("U-PER"), from_bilou("L-PER"), from_bilou("I-PER"), from_bilou("NOUN")
    ('S-PER', 'E-PER', 'I-PER', 'NOUN')
    """
    return {"U": "S", "L": "E"}[tag[0]] + tag[1:] if _OF_BILOU.fullmatch(tag) else tag


@cache
def continues(previous: str, tag: str) -> bool:
    """Tell if ``tag`` carries on the entity of the word before it, whose tag is ``previous``.

    conlleval's rules for starts and ends of chunks come down to this one: an entity tag that does not carry
    on the chunk before it starts a new one, whatever its prefix.

    >>> continues("B-PER", "I-PER"), continues("B-PER", "I-LOC"), continues("I-PER", "B-PER")
    (True, False, False)
    """
    (before, before_type), (prefix, entity_type) = split_tag(previous), split_tag(tag)
    return before_type == entity_type != "" and before in "BI" and prefix in "IE"


def entities(tags: Sequence[str]) -> list[tuple[str, int, int]]:
    """Return the entities of a sentence in order, each as ``(type, first word, last word + 1)``.

    This is the lenient reading of conlleval (Tjong Kim Sang and Buchholz 2000), which repairs ill-formed sequences.

    >>> entities(["O", "I-PER", "I-PER", "B-LOC"])
    [('PER', 1, 3), ('LOC', 3, 4)]
    """
    found: list[tuple[str, int, int]] = []
    previous = OUTSIDE
    for i, tag in enumerate(tags):
        entity_type = split_tag(tag)[1]
        if continues(previous, tag):
            found[-1] = (entity_type, found[-1][1], i + 1)
        elif entity_type:
            found.append((entity_type, i, i + 1))
        previous = tag
    return found


def convert(tags: Sequence[str], target: EntityScheme) -> tuple[str, ...]:
    """Write the entities of a sentence (see :func:`entities`) in another scheme; the result is always well-formed.

    >>> convert(["I-PER", "I-PER", "O", "B-LOC"], "bioes")
    ('B-PER', 'E-PER', 'O', 'S-LOC')
    """
    return spelled(entities(tags), len(tags), target)


def spelled(found: Iterable[tuple[str, int, int]], words: int, scheme: EntityScheme) -> tuple[str, ...]:
    """Return the tags of a sentence of so many words with these entities, each ``(type, first word, last word + 1)``.

    >>> spelled([("LOC", 1, 3)], 4, "iob2")
    ('O', 'B-LOC', 'I-LOC', 'O')
    """
    written = [OUTSIDE] * words
    for entity_type, first, end in found:
        written[first:end] = [f"I-{entity_type}"] * (end - first)
        written[first] = f"B-{entity_type}"
        if scheme == "bioes":
            written[end - 1] = f"{'S' if end - first == 1 else 'E'}-{entity_type}"
    return tuple(written)


@dataclass(frozen=True)
class SchemeReport:
    """The scheme that :func:`recognise` found in a corpus, and how well its tags follow it.

    Attributes:
        scheme: the scheme of its tags.
        sentences: annotated sentences.
        entities: entities in the lenient reading; 0 for the scheme ``"none"``.
        violations: entities not written as the scheme demands; the lenient reading repairs them.
    """

    scheme: CorpusScheme
    sentences: int
    entities: int
    violations: int


def recognise(sentences: Iterable[TaggedSentence]) -> SchemeReport:
    """Find the scheme that the tags of a corpus follow; sentences without annotation are passed over.

    A corpus whose only tag is ``O`` counts as IOB2, one without any tag as ``"none"``. It is
    IOB1 where more than two entities begin with ``I-`` for each that begins with ``B-`` though none of its type ends
    before it.

    Raises:
        UserError: some tag fits no scheme that the others allow; the message names its file and line.

    >>> from types import SimpleNamespace
    >>> recognise([SimpleNamespace(tags=("I-PER", "E-PER", "O"))])  # a stand-in for a sentence
    SchemeReport(scheme='bioes', sentences=1, entities=1, violations=1)
    """
    annotated = [(sentence, sentence.tags) for sentence in sentences if sentence.tags is not None]
    names = {tag for _, tags in annotated for tag in tags}
    if not _has_entity_tags(names):
        return SchemeReport("iob2" if names == {OUTSIDE} else "none", len(annotated), 0, 0)
    _refuse_other_tags(annotated, names)

    total = from_inside = lone_begins = not_bioes = 0
    for _, tags in annotated:
        before: tuple[str, int] | None = None  # type and end of the entity before
        for entity_type, first, end in entities(tags):
            first_prefix, last_prefix = tags[first][0], tags[end - 1][0]
            total += 1
            from_inside += first_prefix == "I"
            lone_begins += first_prefix == "B" and before != (entity_type, first)
            not_bioes += first_prefix not in "BS" or last_prefix not in "ES"
            before = (entity_type, end)
    if any(split_tag(name)[0] in "ES" for name in names):
        return SchemeReport("bioes", len(annotated), total, not_bioes)
    if from_inside > 2 * lone_begins:  # of an IOB2 corpus, slips into I- are the commoner ones
        return SchemeReport("iob1", len(annotated), total, lone_begins)
    return SchemeReport("iob2", len(annotated), total, from_inside)


def _has_entity_tags(names: set[str]) -> bool:
    """Look for entity tags, or tags meant as such: ``O`` beside ``L-PER`` or bare prefixes, or ``O-PER``."""
    meant = OUTSIDE in names and (
        any(re.fullmatch(r"[A-Za-z]-.*", name, re.DOTALL) for name in names)
        or {OUTSIDE} < names <= set("OBIES")
    )
    return meant or any(_ENTITY_TAG.fullmatch(name) or name.startswith("O-") for name in names)


def _refuse_other_tags(annotated: list[tuple[TaggedSentence, tuple[str, ...]]], names: set[str]) -> None:
    """Refuse tags that are neither ``O`` nor an entity tag, with the place of the first."""
    unfit = {name for name in names if name != OUTSIDE and not _ENTITY_TAG.fullmatch(name)}
    if not unfit:
        return
    words = [(sentence, i, tag) for sentence, tags in annotated for i, tag in enumerate(tags)]
    sentence, i, tag = next(word for word in words if word[2] in unfit)
    example = next((f", like {t!r} at {s.place(j)}" for s, j, t in words if _ENTITY_TAG.fullmatch(t)), "")
    raise UserError(
        f"{sentence.place(i)}: tag {tag!r} belongs to no known scheme (IOB1, IOB2, BIOES, BILOU); "
        f"expected 'O' or an entity type after B-, I-, E- or S-{example}"
    )


@dataclass(frozen=True)
class TagSet:
    """The tags that a model knows, each with its number.

    Attributes:
        names: (tags,) the tags; a tag's number is its place.
        scheme: the meaning of a sequence of tags: nothing (``"none"``), or entities in IOB2 or BIOES.

    Raises:
        ValueError: the scheme is unknown, or a tag stands twice.

    >>> tag_set = TagSet.of(["B-PER", "O"], "iob2")
    >>> tag_set.names
    ('O', 'B-PER', 'I-PER')
    >>> tag_set.encode(["B-PER", "I-PER", "O"])
    [1, 2, 0]
    >>> tag_set.decode([0, 1])
    ('O', 'B-PER')
    """

    names: tuple[str, ...]
    scheme: Scheme

    def __post_init__(self) -> None:
        if self.scheme not in get_args(Scheme):
            raise ValueError(f"scheme is one of {', '.join(get_args(Scheme))}, not {self.scheme!r}")
        if len(set(self.names)) != len(self.names):
            raise ValueError(f"a tag stands twice among {', '.join(self.names)}")

    @classmethod
    def of(cls, tags: Iterable[str], scheme: Scheme) -> TagSet:
        """Return the set that covers a corpus with these tags.

        Args:
            tags: the tags of the corpus, in any order and number; for an entity scheme they may be written in
                any other entity scheme, only their types count.
            scheme: for ``"none"`` the set holds the tags themselves, sorted; else ``O`` and, for each type in
                sorted order, every tag that the scheme has for it, seen or not.

        Raises:
            ValueError: a tag is none of an entity scheme, though the scheme is one.

        >>> TagSet.of(["I-PER"], "bioes").names
        ('O', 'B-PER', 'I-PER', 'E-PER', 'S-PER')
        """
        names = sorted(set(tags))
        if scheme == "none":
            return cls(tuple(names), scheme)
        for name in names:
            if name != OUTSIDE and not _ENTITY_TAG.fullmatch(name):
                raise ValueError(f"{name!r} is no tag of an entity scheme; expected 'O' or such as 'B-PER'")
        types = sorted({split_tag(name)[1] for name in names} - {""})
        return cls((OUTSIDE, *(f"{prefix}-{t}" for t in types for prefix in _PREFIXES[scheme])), scheme)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.names)}

    def __len__(self) -> int:
        return len(self.names)

    def index(self, name: str) -> int:
        """Return the number of a tag.

        Raises:
            UserError: the set lacks the tag.
        """
        number = self._numbers.get(name)
        if number is None:
            raise UserError(f"tag {name!r} is unknown; known are {', '.join(self.names)}")
        return number

    def encode(self, tags: Iterable[str]) -> list[int]:
        """Return the numbers of the tags of a sentence; errors as in :meth:`index`."""
        return [self.index(tag) for tag in tags]

    def decode(self, indices: Iterable[int]) -> tuple[str, ...]:
        """Return the tags of the numbers of a sentence."""
        return tuple(self.names[i] for i in indices)

    def forbidden(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
        """Return masks of all that makes a sentence ill-formed; a sentence with none of it is well-formed.

        Returns:
            (tags, tags) bool ``[from, to]``, forbidden neighbours; (tags,) bool, tags that may not come
            first; (tags,) bool, tags that may not come last. All False for the scheme ``"none"``.

        >>> neighbours, first, last = TagSet.of(["B-PER"], "iob2").forbidden()  # O, B-PER, I-PER
        >>> neighbours  # only I-PER after O
        array([[False, False,  True],
               [False, False, False],
               [False, False, False]])
        >>> first, last
        (array([False, False,  True]), array([False, False, False]))
        """
        # Prefixes whose entity must have begun on the word before, and those whose entity must go on after.
        left, right = {"none": ("", ""), "iob2": ("I", ""), "bioes": ("IE", "BI")}[self.scheme]
        prefixes = [split_tag(name)[0] if split_tag(name)[1] else OUTSIDE for name in self.names]
        needs_left = np.array([prefix in left for prefix in prefixes], dtype=bool)
        needs_right = np.array([prefix in right for prefix in prefixes], dtype=bool)
        pairs = [continues(a, b) for a in self.names for b in self.names]
        carries_on = np.array(pairs, dtype=bool).reshape(len(self), len(self))
        neighbours = (needs_right[:, None] | needs_left) & ~carries_on
        return neighbours, needs_left, needs_right
