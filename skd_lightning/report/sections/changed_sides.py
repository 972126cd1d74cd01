"""The section of sentences that changed sides: drawn examples of what a student gains and loses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from skd_lightning.analysis.changed_sides import changed_sides, take_turns
from skd_lightning.analysis.finished import FinishedRun
from skd_lightning.analysis.tagged_words import TaggedWords, read_tagged_words
from skd_lightning.analysis.tested_corpus import read_corpus
from skd_lightning.data.sentence import Sentence
from skd_lightning.display.formats import plain
from skd_lightning.display.passages import Passage, Passages, Piece
from skd_lightning.errors import UserError
from skd_lightning.report.findings import Findings, Section
from skd_lightning.report.labels import label
from skd_lightning.tags import entities

EACH = 10
"""Sentences that are shown of those a student gains, and of those it loses."""

Reading = tuple[str, Sequence[str]]
"""Who gave the tags of a sentence, and the tags."""


@dataclass(frozen=True)
class Pair:
    """The baseline and a student, both with their test words.

    Attributes:
        baseline: the run of the baseline.
        student: the run of the student, of the same seed where there is one.
        before: test words of the baseline by language.
        after: test words of the student by language.
    """

    baseline: FinishedRun
    student: FinishedRun
    before: dict[str, TaggedWords]
    after: dict[str, TaggedWords]


def section(findings: Findings) -> Section | None:
    """Return ten sentences that the best student gains and ten that it loses, against the baseline.

    None without a baseline and a student that have kept their predictions, or without the sentences.
    """
    pair = _pair(findings)
    if pair is None:
        return None
    metric = findings.runs.metric
    baseline, student = (run.test.only(pair.before) for run in (pair.baseline, pair.student))
    sides = changed_sides(baseline, student, metric)
    try:
        corpus = read_corpus(pair.baseline, pair.before)
    except (UserError, OSError, ValueError):  # whose messages may hold paths
        findings.notes.append(
            f"{pair.baseline.name}: its test sentences are not at hand, or others; no sentences that changed sides"
        )
        return None
    teachers = {
        language: found[language]
        for language, run in findings.runs.teachers.items()
        if language in (found := read_tagged_words(run, []))
    }
    before, after = label(findings.runs.baseline), pair.student.variant
    gained, lost = (sum(map(len, side.values())) for side in (sides.gained, sides.lost))
    whole = "every word" if metric == "accuracy" else "every entity and no other"
    text = (
        f"{pair.student.name} against {pair.baseline.name}: {plain(gained)} test sentences are right ({whole}) with "
        f"the student alone, {plain(lost)} with the baseline alone. At most {EACH} of each are shown, in turn one of "
        "each language, drawn at random with a fixed seed; none was chosen by hand."
    )
    content: list[str | Passages] = [text]
    for name, title, side in (
        ("gained", f"Right with {after}, wrong with {before}", sides.gained),
        ("lost", f"Right with {before}, wrong with {after}", sides.lost),
    ):
        passages = Passages(f"sentences-{name}", title)
        for language, place in take_turns(side, EACH, f"{findings.runs.name} {name}"):
            sources = {before: pair.before[language], after: pair.after[language]}
            if language in teachers:
                sources = {"teacher": teachers[language], **sources}
            passages.passages.append(passage(corpus[language][place], place, sources, metric))
        content += [passages] if passages.passages else []
    return Section("sides", "Sentences that changed sides", [*content])


def _pair(findings: Findings) -> Pair | None:
    """Return the runs to compare: of the first seed that both have, else the first ones."""
    runs = findings.runs
    kept = {
        name: found
        for name, group in runs.students.items()
        if (found := {run.results.seed: run for run in group if run.folder.predictions.is_dir()})
    }
    best = findings.trained.best_rival(kept)
    if best is None or runs.baseline not in kept:
        return None
    ours, theirs = kept[runs.baseline], kept[best]
    seed = next((seed for seed in ours if seed in theirs), None)
    baseline, student = (next(iter(own.values())) if seed is None else own[seed] for own in (ours, theirs))
    before, after = (
        read_tagged_words(run, []) for run in (baseline, student)
    )  # the section of seen words notes
    languages = [language for language in before if language in after]
    if not languages:
        return None
    return Pair(baseline, student, *({name: own[name] for name in languages} for own in (before, after)))


def passage(sentence: Sentence, place: int, sources: dict[str, TaggedWords], metric: str) -> Passage:
    """Return a sentence in several readings, the gold one first.

    Args:
        sentence: with gold tags.
        place: among the test sentences of its language, from 0.
        sources: who tagged it, and all that was tagged; those that were not tested on this sentence are left out.
        metric: ``f1`` to mark entities; else words that somebody tags wrongly are marked with their tags.
    """
    gold = list(sentence.tags or ())
    readings: list[Reading] = [("gold", gold)]
    for name, tagged in sources.items():
        if place < len(tagged.lengths):
            predicted, true = tagged.sentence(place)
            readings += [(name, predicted)] if true == gold else []
    if metric == "f1":
        right = set(entities(gold))
        lines = [(name, entity_pieces(sentence.words, tags, right)) for name, tags in readings]
    else:
        open_to_doubt = [len({*tags}) > 1 for tags in zip(*(tags for _, tags in readings), strict=True)]
        lines = [(name, word_pieces(sentence.words, tags, gold, open_to_doubt)) for name, tags in readings]
    return Passage(f"{sentence.language}, test sentence {place + 1}", lines)


def entity_pieces(words: Sequence[str], tags: Sequence[str], right: set[tuple[str, int, int]]) -> list[Piece]:
    """Return the words with each entity as one piece, which is right if it is among those of the gold tags."""
    pieces, done = [], 0
    for kind, first, end in entities(tags):
        pieces += [Piece(word) for word in words[done:first]]
        pieces.append(Piece(" ".join(words[first:end]), kind, (kind, first, end) in right))
        done = end
    return pieces + [Piece(word) for word in words[done:]]


def word_pieces(
    words: Sequence[str], tags: Sequence[str], gold: Sequence[str], shown: Sequence[bool]
) -> list[Piece]:
    """Return the words, those that are to be shown with their tags."""
    return [
        Piece(word, tag, tag == true) if show else Piece(word)
        for word, tag, true, show in zip(words, tags, gold, shown, strict=True)
    ]
