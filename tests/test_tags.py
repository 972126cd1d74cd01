"""Tag schemes: reading, writing, recognising them, and what they forbid."""

from __future__ import annotations

from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities

from skd_lightning.data.sentence import Sentence
from skd_lightning.errors import UserError
from skd_lightning.tags import TagSet, convert, entities, recognise, split_tag

IOB2 = TagSet.of(["B-PER", "B-LOC"], "iob2")
BIOES = TagSet.of(["B-PER", "B-LOC"], "bioes")


def sequences(tag_set: TagSet, words: int = 9) -> st.SearchStrategy[list[str]]:
    """Any sequences of these tags, most of them ill-formed."""
    return st.lists(st.sampled_from(tag_set.names), max_size=words)


def split(text: str) -> list[str]:
    """Tags written with blanks between."""
    return text.split()


def corpus(*sentences: str) -> list[Sentence]:
    """Sentences from their tags with blanks between; one word a line of a file, an empty line after each."""
    made, line = [], 1
    for text in sentences:
        tags = tuple(text.split())
        lines = tuple(range(line, line + len(tags)))
        made.append(Sentence(("w",) * len(tags), tags, "en", "data/en/train.tsv", lines))
        line += len(tags) + 1
    return made


def to_iob1(tags: list[str]) -> str:
    """The same entities in IOB1, written independently of the package."""
    words, before = ["O"] * len(tags), ("", -1)
    for kind, first, end in entities(tags):
        words[first:end] = [f"I-{kind}"] * (end - first)
        if before == (kind, first):
            words[first] = f"B-{kind}"
        before = (kind, end)
    return " ".join(words)


def conlleval(tags: list[str]) -> list[tuple[str, int, int]]:
    """Chunks by the start and end conditions of conlleval as its script lists them, one by one.

    The script knows no S; here a chunk both starts and ends at every S.
    """
    ends = {("B", "B"), ("B", "O"), ("I", "B"), ("I", "O"), ("B", "S"), ("I", "S")}
    ends |= {(before, now) for before in "ES" for now in "BIOES"}
    starts = {(before, now) for before in "BIOES" for now in "BS"}
    starts |= {(before, now) for before in "OES" for now in "IE"}
    found, first, before, before_type = [], 0, "O", ""
    for i, tag in enumerate([*tags, "O"]):
        now, _, now_type = tag.partition("-")
        if before != "O" and ((before, now) in ends or before_type != now_type):
            found.append((before_type, first, i))
        if now != "O" and ((before, now) in starts or before_type != now_type):
            first = i
        before, before_type = now, now_type
    return found


def test_split_tag() -> None:
    assert split_tag("B-PER") == ("B", "PER")
    assert split_tag("S-a-b") == ("S", "a-b")
    assert split_tag("O") == ("O", "")
    assert split_tag("NOUN") == ("NOUN", "")
    assert split_tag("B-") == ("B-", "")


@given(sequences(IOB2) | sequences(BIOES))
def test_entities_are_those_of_conlleval(tags: list[str]) -> None:
    assert entities(tags) == conlleval(tags)
    assert entities(tags) == [(kind, first, last + 1) for kind, first, last in get_entities(tags)]


def test_entities_by_hand() -> None:
    assert entities(split("O I-PER I-PER B-PER I-LOC O")) == [("PER", 1, 3), ("PER", 3, 4), ("LOC", 4, 5)]
    assert entities(split("S-LOC I-LOC E-LOC E-LOC")) == [("LOC", 0, 1), ("LOC", 1, 3), ("LOC", 3, 4)]
    assert entities([]) == []


@given(sequences(BIOES))
def test_conversion_keeps_entities_and_is_its_own_inverse(tags: list[str]) -> None:
    iob2, bioes = convert(tags, "iob2"), convert(tags, "bioes")
    assert entities(iob2) == entities(bioes) == entities(tags)
    assert convert(iob2, "bioes") == bioes
    assert convert(bioes, "iob2") == iob2
    assert convert(iob2, "iob2") == iob2
    assert convert(bioes, "bioes") == bioes
    assert convert(to_iob1(tags).split(), "iob2") == iob2
    assert set(iob2) <= set(IOB2.names)


def test_conversion_by_hand() -> None:
    assert convert(split("I-PER I-PER B-PER O I-LOC"), "iob2") == tuple(split("B-PER I-PER B-PER O B-LOC"))
    assert convert(split("B-PER I-PER I-PER B-PER"), "bioes") == tuple(split("B-PER I-PER E-PER S-PER"))


@pytest.mark.parametrize(
    ("sentences", "scheme", "found", "violations"),
    [
        (["I-PER I-PER O", "I-LOC B-LOC I-PER"], "iob1", 4, 0),
        (["B-PER I-PER O", "B-LOC B-LOC B-PER"], "iob2", 4, 0),
        (["B-PER I-PER O", "I-LOC O I-PER"], "iob2", 3, 2),
        (["I-PER O B-PER"], "iob2", 2, 1),
        (["I-PER B-LOC"], "iob2", 2, 1),
        (["B-PER E-PER O", "S-LOC S-LOC O"], "bioes", 3, 0),
        (["B-PER I-PER O", "S-LOC E-LOC O"], "bioes", 3, 2),
        (["O O", "O", ""], "iob2", 0, 0),
        (["NOUN VERB X", "ADP"], "none", 0, 0),
        (["", ""], "none", 0, 0),
        ([], "none", 0, 0),
    ],
)
def test_recognise(sentences: list[str], scheme: str, found: int, violations: int) -> None:
    report = recognise(corpus(*sentences))
    assert (report.scheme, report.sentences, report.entities) == (scheme, len(sentences), found)
    assert report.violations == violations


@given(st.lists(sequences(IOB2), min_size=1))
def test_recognise_what_was_written(written: list[list[str]]) -> None:
    total = sum(len(entities(tags)) for tags in written)
    for scheme in ("iob1", "iob2", "bioes"):
        rows = [
            to_iob1(tags) if scheme == "iob1" else " ".join(convert(tags, scheme))  # type: ignore[arg-type]
            for tags in written
        ]
        report = recognise(corpus(*rows))
        assert (report.entities, report.violations) == (total, 0)
        if total:
            assert report.scheme == scheme or (scheme == "bioes" and " ".join(rows).count("-") == 0)


def test_recognise_passes_over_unannotated_text() -> None:
    report = recognise([Sentence(("a", "b")), *corpus("B-PER O")])
    assert (report.scheme, report.sentences, report.entities) == ("iob2", 1, 1)


@pytest.mark.parametrize(
    ("sentences", "place", "tag"),
    [
        (["O B-LOC", "O X-LOC"], "data/en/train.tsv:5", "X-LOC"),
        (["NOUN B-LOC"], "data/en/train.tsv:1", "NOUN"),
        (["O O", "O U-LOC"], "data/en/train.tsv:5", "U-LOC"),
        (["O B", "I O"], "data/en/train.tsv:2", "B"),
        (["O-LOC"], "data/en/train.tsv:1", "O-LOC"),
        (["O B-"], "data/en/train.tsv:2", "B-"),
        (["O B-LOC b-LOC"], "data/en/train.tsv:3", "b-LOC"),
    ],
)
def test_a_tag_of_no_scheme_is_named_with_its_place(sentences: list[str], place: str, tag: str) -> None:
    with pytest.raises(UserError) as error:
        recognise(corpus(*sentences))
    message = str(error.value)
    assert message.startswith(
        f"{place}: tag {tag!r} belongs to no known scheme (IOB1, IOB2, BIOES, BILOU); expected 'O'"
    )
    assert "\n" not in message
    assert ("like 'B-LOC' at data/en/train.tsv:2" in message) == ("B-LOC" in sentences[0].split())


def test_tag_set_of_a_corpus() -> None:
    assert TagSet.of(["O", "S-b", "I-a"], "iob2").names == ("O", "B-a", "I-a", "B-b", "I-b")
    assert TagSet.of(["I-a"], "bioes").names == ("O", "B-a", "I-a", "E-a", "S-a")
    assert TagSet.of(["VERB", "ADP", "VERB"], "none").names == ("ADP", "VERB")
    assert TagSet.of([], "bioes").names == ("O",)
    with pytest.raises(ValueError, match="'PER'"):
        TagSet.of(["PER"], "iob2")


def test_tag_set_numbers() -> None:
    assert len(IOB2) == 5
    assert IOB2.index("O") == 0
    assert IOB2.decode(IOB2.encode(["B-PER", "I-PER", "O"])) == ("B-PER", "I-PER", "O")
    with pytest.raises(UserError, match=r"tag 'S-PER' is unknown; known are O, B-LOC, I-LOC, B-PER, I-PER"):
        IOB2.encode(["O", "S-PER"])
    with pytest.raises(ValueError, match="twice"):
        TagSet(("a", "a"), "none")
    with pytest.raises(ValueError, match="iob1"):
        TagSet(("O",), "iob1")  # type: ignore[arg-type]


@pytest.mark.parametrize("tag_set", [IOB2, TagSet.of(["B-PER", "B-LOC"], "bioes"), TagSet.of([], "bioes")])
def test_forbidden_leaves_exactly_the_well_formed(tag_set: TagSet) -> None:
    neighbours, start, end = (mask.tolist() for mask in tag_set.forbidden())
    for words in range(1, 5):
        for path in product(range(len(tag_set)), repeat=words):
            broken = start[path[0]] or end[path[-1]] or any(neighbours[a][b] for a, b in pairwise(path))
            tags = tag_set.decode(path)
            assert broken == (convert(tags, tag_set.scheme) != tags)  # type: ignore[arg-type]


def test_nothing_is_forbidden_without_scheme() -> None:
    tag_set = TagSet.of(["ADP", "I-PER", "X"], "none")
    neighbours, start, end = tag_set.forbidden()
    assert (neighbours.shape, start.shape, end.shape) == ((3, 3), (3,), (3,))
    assert not any(mask.any() for mask in (neighbours, start, end))
