"""Tags of any kind: spans read are spans written, in every scheme, and their probabilities are those of all paths."""

from __future__ import annotations

from functools import partial
from itertools import pairwise, product
from typing import Any

import numpy as np
from fuzzing import attempt, tries
from hypothesis import example, given
from hypothesis import strategies as st

from skd_lightning.data.sentence import Sentence
from skd_lightning.entity_spans import entities_with_probabilities
from skd_lightning.serving.chain import Chain
from skd_lightning.tags import TagSet, convert, entities, recognise, split_tag

TYPES = st.sampled_from(["PER", "LOC", "a", "-", "B-X", "a b", "é", "\u2028", "\n", "O", "\ud800"]) | st.text(
    st.characters(codec=None), min_size=1, max_size=3
)
SHAPES = [
    "O",
    "B",
    "B-",
    "-",
    "o",
    "",
    " ",
    "O-PER",
    "X-PER",
    "L-PER",
    "b-PER",
    "BPER",
    "B_PER",
    "NOUN",
    "\x00",
]
TAGS = st.builds("{}-{}".format, st.sampled_from("BIES"), TYPES) | st.just("O")
SPANS = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3), TYPES), max_size=4)
"""Entities of a sentence: words before each, words in it, its type."""


def placed(gaps: list[tuple[int, int, str]]) -> tuple[list[tuple[str, int, int]], int]:
    """Return entities as (type, first word, last word + 1), and the number of words."""
    found, word = [], 0
    for gap, size, label in gaps:
        found.append((label, word + gap, word + gap + size))
        word += gap + size
    return found, word + 1


def written(spans: list[tuple[str, int, int]], words: int, scheme: str) -> list[str]:
    """Return the tags of entities in a scheme, as its definition says, without the package."""
    tags, before = ["O"] * words, ("", -1)
    for label, first, end in spans:
        for word in range(first, end):
            begins, ends = word == first, word == end - 1
            prefix = {
                "iob1": "B" if begins and before == (label, first) else "I",
                "iob2": "B" if begins else "I",
                "bioes": "S" if begins and ends else "B" if begins else "E" if ends else "I",
            }[scheme]
            tags[word] = f"{prefix}-{label}"
        before = (label, end)
    return tags


@tries(300)
@given(gaps=SPANS, scheme=st.sampled_from(["iob1", "iob2", "bioes"]))
@example(gaps=[(0, 1, "\n"), (0, 2, "\n")], scheme="iob1")
def test_spans_read_are_spans_written(gaps: list[tuple[int, int, str]], scheme: str) -> None:
    spans, words = placed(gaps)
    tags = written(spans, words, scheme)
    assert entities(tags) == spans
    for target in ("iob2", "bioes"):
        assert list(convert(tags, target)) == written(spans, words, target)  # type: ignore[arg-type]
    report = recognise([Sentence(("w",) * words, tuple(tags))])
    assert (report.entities, report.violations) == (len(spans), 0)


@tries(300)
@given(rows=st.lists(st.lists(TAGS | st.sampled_from(SHAPES) | st.text(max_size=3), max_size=6), max_size=4))
def test_tags_that_nobody_checked(rows: list[list[str]]) -> None:
    sentences = [
        Sentence(("w",) * len(row), tuple(row), "en", "train.tsv", tuple(range(len(row)))) for row in rows
    ]
    report = attempt(lambda: recognise(sentences))
    for row in rows:
        covered = [word for _, first, end in entities(row) for word in range(first, end)]
        assert covered == [word for word, tag in enumerate(row) if split_tag(tag)[1]]
        assert convert(convert(row, "bioes"), "iob2") == convert(row, "iob2")
    if report is None or report.scheme == "none":
        return
    for scheme in ("iob2", "bioes"):
        tag_set = TagSet.of((tag for row in rows for tag in row), scheme)
        neighbours, first, last = (mask.tolist() for mask in tag_set.forbidden())
        for row in filter(None, rows):
            numbers = tag_set.encode(convert(row, scheme))
            assert not first[numbers[0]]
            assert not last[numbers[-1]]
            assert not any(neighbours[a][b] for a, b in pairwise(numbers))
        attempt(partial(tag_set.encode, rows[0]))


@tries(100)
@given(
    types=st.lists(TYPES, min_size=1, max_size=2),
    scheme=st.sampled_from(["iob2", "bioes"]),
    words=st.integers(1, 4),
    constrain=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_probabilities_of_entities(
    types: list[str], scheme: Any, words: int, constrain: bool, seed: int
) -> None:
    tag_set = TagSet.of([f"B-{label}" for label in types], scheme)
    if len(tag_set) ** words > 5000:
        words = 3
    draw = np.random.default_rng(seed)
    transitions, start, end = (2 * draw.normal(size=(len(tag_set),) * n) for n in (2, 1, 1))
    if constrain:
        for scores, mask in zip((transitions, start, end), tag_set.forbidden(), strict=True):
            scores[mask] = -np.inf
    chain = Chain(2 * draw.normal(size=(1, words, len(tag_set))), transitions, np.array([words]), start, end)
    paths = np.array(list(product(range(len(tag_set)), repeat=words)))
    probabilities = np.exp([chain.log_prob(path[None])[0] for path in paths])
    assert abs(probabilities.sum() - 1) < 1e-9
    read = [entities(tag_set.decode(path)) for path in paths.tolist()]
    best = paths[draw.choice(len(paths), p=probabilities / probabilities.sum())]
    (found,) = entities_with_probabilities(chain.span_log_prob, [tag_set.decode(best)], tag_set, constrain)
    for entity in found:
        span = (entity.label, entity.first, entity.last + 1)
        expected = sum(p for p, spans in zip(probabilities, read, strict=True) if span in spans)
        assert abs(entity.probability - expected) < 1e-9
