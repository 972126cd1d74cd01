"""Tagged sentences as one HTML page that needs nothing but itself."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterable, Iterator

from skd_lightning.predictions import Entity
from skd_lightning.serving.text.page_style import HEAD, LEGEND, colour_of
from skd_lightning.serving.text.tagging import Tagged, iob2, mark_entities
from skd_lightning.tags import OUTSIDE, entities

_PARAGRAPH = re.compile(r"\n[^\S\n]*\n|\r[^\S\r\n]*\r|[\u2029\x0c]")
_UNSEEN = {code: "\ufffd" for code in range(32) if chr(code) not in "\t\n\r"}
"""Control characters, which a page may not hold."""


def html_page(tagged: Iterable[Tagged], threshold: float = 0.0) -> Iterator[str]:
    """Yield the parts of the page: entities in the colour of their type, the shade is their probability.

    A panel shows what is said about an entity, a word or a sentence while the pointer or the keyboard is on it: its
    probability, the confidences of its words, and how the other most probable tag sequences read them.

    Args:
        tagged: sentences with their predictions.
        threshold: least probability of an entity that is marked.
    """
    yield HEAD
    counts: Counter[str] = Counter()
    document = None
    for one in tagged:
        sentence = one.sentence
        if sentence.document != document:
            yield "</p>\n" if document is not None else ""
            document = sentence.document
            yield f"<h2>{_escaped(document)}</h2>\n{_paragraph(sentence.language)}"
        elif _PARAGRAPH.search(sentence.before):
            yield f"</p>\n{_paragraph(sentence.language)}"
        else:
            yield _escaped(sentence.before)
        if mark_entities(one.prediction.tags):
            yield _entities(one, one.entities(threshold), counts)
        else:
            yield _words(one, counts)
        yield _sentence_note(one)
    yield "</p>\n" if document is not None else "<p>The text has no words.</p>\n"
    names = "".join(
        f'<span><span class="e {colour_of(name)}" style="--p:1"><b>{_escaped(name)}</b></span> {count:,}</span> '
        for name, count in counts.most_common()
    )
    yield LEGEND.format(names=names or "None found.")


def _entities(one: Tagged, found: list[Entity], counts: Counter[str]) -> str:
    """Return the text of a sentence with its entities marked."""
    text, places = one.sentence.text, one.sentence.places()
    parts: list[str] = []
    last = 0
    for entity in found:
        counts[entity.label] += 1
        start, end = places[entity.first][0], places[entity.last][1]
        parts.append(_escaped(text[last:start]))
        note = [f"<b>{_escaped(entity.label)}</b> {_percent(entity.probability)}", _confidences(one, entity)]
        note += _other_readings(one, entity)
        unsure = " unsure" if entity.probability < 0.5 else ""
        parts.append(
            f'<span class="e {colour_of(entity.label)}{unsure}" style="--p:{entity.probability:.2f}" tabindex="0">'
            f"{_escaped(text[start:end])}<b>{_escaped(entity.label)}</b>{_note(note)}</span>"
        )
        last = end
    return "".join([*parts, _escaped(text[last:])])


def _words(one: Tagged, counts: Counter[str]) -> str:
    """Return the text of a sentence with the tag of each word below it."""
    text, last = one.sentence.text, 0
    parts: list[str] = []
    prediction = one.prediction
    rows = zip(one.sentence.places(), prediction.tags, prediction.confidences, strict=True)
    for place, ((start, end), tag, confidence) in enumerate(rows):
        counts[tag] += 1
        note = [f"<b>{_escaped(tag)}</b> {_percent(confidence)}"]
        note += _other_readings(one, Entity(place, place, tag, confidence))
        unsure = " unsure" if confidence < 0.5 else ""
        parts.append(
            f'{_escaped(text[last:start])}<ruby class="e {colour_of(tag)}{unsure}" style="--p:{confidence:.2f}" '
            f'tabindex="0">{_escaped(text[start:end])}<rt>{_escaped(tag)}</rt>{_note(note)}</ruby>'
        )
        last = end
    return "".join([*parts, _escaped(text[last:])])


def _confidences(one: Tagged, entity: Entity) -> str:
    """Return the tag of each word of an entity, and its confidence."""
    own = slice(entity.first, entity.last + 1)
    rows = zip(one.sentence.words[own], one.tags[own], one.prediction.confidences[own], strict=True)
    return " · ".join(f"{_escaped(word)} {_escaped(tag)} {_percent(p)}" for word, tag, p in rows)


def _other_readings(one: Tagged, entity: Entity) -> list[str]:
    """Return a line on the other tags that the words have in the best tag sequences; none without others."""
    own = slice(entity.first, entity.last + 1)
    best = one.tags[own]
    others: Counter[tuple[str, ...]] = Counter()
    for tags, probability in one.prediction.alternatives:
        others[iob2(tags)[own]] += probability  # type: ignore[assignment]
    del others[best]
    if not others:
        return []
    listed = [
        f"{_escaped(' '.join(tags))} {_percent(probability)}" for tags, probability in others.most_common()
    ]
    return [f"else, in the {len(one.prediction.alternatives)} best sequences: {', '.join(listed)}"]


def _sentence_note(one: Tagged) -> str:
    """Return the mark behind a sentence: the probability of its tag sequence, and the best sequences with theirs."""
    prediction = one.prediction
    lines = [f"<b>This sentence's tags</b> {_percent(prediction.probability)}"]
    lines += [
        f"{_percent(probability)} {_reading(one, tags)}" for tags, probability in prediction.alternatives
    ]
    return f'<span class="q" tabindex="0">{_percent(prediction.probability)}{_note(lines)}</span>'


def _reading(one: Tagged, tags: tuple[str, ...]) -> str:
    """Return the entities that a tag sequence spells; of other tags, those that differ from the predicted ones."""
    words = one.sentence.words
    if mark_entities(tags):
        spans = [(" ".join(words[first:end]), label) for label, first, end in entities(tags)]
        return (
            " · ".join(f"{_escaped(text)} <b>{_escaped(label)}</b>" for text, label in spans)
            or f"all {OUTSIDE}"
        )
    differing = [
        f"{_escaped(word)} <b>{_escaped(tag)}</b>"
        for word, tag, predicted in zip(words, tags, one.prediction.tags, strict=True)
        if tag != predicted
    ]
    return " · ".join(differing) or "as shown"


def _paragraph(language: str | None) -> str:
    return f'<p dir="auto" lang="{_escaped(language)}">' if language else '<p dir="auto">'


def _note(lines: list[str]) -> str:
    return f'<span class="note">{"<br>".join(lines)}</span>'


def _percent(probability: float) -> str:
    """Return a probability in per cent, never rounded to certainty.

    >>> _percent(0.99999), _percent(0.5), _percent(0.00001)
    ('&gt;99.9%', '50.0%', '&lt;0.1%')
    """
    if probability < 0.0005:
        return "&lt;0.1%"
    return "&gt;99.9%" if probability > 0.9995 else f"{100 * probability:.1f}%"


def _escaped(text: str) -> str:
    return html.escape(text.translate(_UNSEEN))
