"""Scores on words that stand in the annotated training sentences, and on words that do not."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from skd_lightning.analysis.collection import TEACHERS, TaskRuns
from skd_lightning.analysis.comparison import Comparison
from skd_lightning.analysis.entity_types import TypeCounts
from skd_lightning.analysis.finished import Finished
from skd_lightning.analysis.scores import PARTS, Counts, Scores, ratio
from skd_lightning.analysis.scores import parts as summands
from skd_lightning.analysis.tagged_words import TaggedWords, read_tagged_words, spans
from skd_lightning.metrics import COLUMNS

Part = Literal["seen", "unseen"]
"""Words that the annotated training sentences of their language hold, or not; an entity is unseen if one word is."""

SEEN: tuple[Part, Part] = ("seen", "unseen")


def parts(words: TaggedWords) -> dict[Part, Counts]:
    """Return (sentences, 9) counts of both parts, columns as in ``metrics.COLUMNS``; those of strict entities are 0.

    A gold entity belongs to a part by its own words, and a predicted entity by its own; one that is right has the same
    words in both, so each part has a precision and a recall. The parts add up to the counts of the run.
    """
    owners = np.repeat(np.arange(len(words.lengths)), words.lengths)
    right = words.predicted == words.gold
    counts: dict[Part, Counts] = {}
    for part, there in zip(SEEN, (words.seen, ~words.seen), strict=True):
        counts[part] = np.zeros((len(words.lengths), len(COLUMNS)), dtype=np.int64)
        counts[part][:, COLUMNS.index("sentences")] = 1
        _count(counts[part], "words", owners[there])
        _count(counts[part], "correct", owners[there & right])
    gold, predicted = (spans(tags, words.lengths, words.tags) for tags in (words.gold, words.predicted))
    held = set(map(tuple, gold.tolist()))
    found = predicted[np.array([tuple(span) in held for span in predicted.tolist()], dtype=bool)]
    unseen = np.cumsum(np.append(0, ~words.seen))  # unseen words before each word
    for column, entities in (("found", found), ("predicted", predicted), ("gold", gold)):
        first, end = entities[:, 0], entities[:, 1]
        all_seen = unseen[end] == unseen[first]
        for part, there in zip(SEEN, (all_seen, ~all_seen), strict=True):
            _count(counts[part], column, owners[first[there]])
    return counts


def _count(counts: Counts, column: str, owners: NDArray[np.int64]) -> None:
    """Count items in a column, told by the sentence (items,) that each stands in."""
    counts[:, COLUMNS.index(column)] = np.bincount(owners, minlength=len(counts))


def comparisons(runs: TaskRuns, notes: list[str]) -> dict[Part, Comparison] | None:
    """Compare teachers (as one system), peers and students on each part; None where no run kept its predictions.

    A language without gold items in a part has no score there. Runs that have not kept their predictions are left out.

    Args:
        runs: of the task.
        notes: files that cannot be read are named here.
    """
    systems: dict[Part, dict[str, list[Scores]]] = {part: {} for part in SEEN}
    seeds: dict[str, list[int]] = {}
    own = {language: _of_run(run, runs.metric, notes) for language, run in runs.teachers.items()}
    for part in SEEN:
        teachers = Scores({}, {})
        for language, found in own.items():
            if found and language in found[part].languages:
                teachers.add(language, found[part])
        if teachers.languages:
            systems[part][TEACHERS] = [teachers]
    groups: dict[str, Sequence[Finished]] = {**runs.peers, **runs.students}
    for name, group in groups.items():
        tested = [(run.results.seed, found) for run in group if (found := _of_run(run, runs.metric, notes))]
        if tested:
            seeds[name] = [seed for seed, _ in tested]
            for part in SEEN:
                systems[part][name] = [found[part] for _, found in tested]
    if not any(systems.values()):
        return None
    losses = {name: loss for name, loss in runs.losses.items() if name in seeds}
    peers = [name for name in runs.peers if name in seeds]
    compared: dict[Part, Comparison] = {}
    for part in SEEN:
        of_part = {language for group in systems[part].values() for s in group for language in s.languages}
        languages = [language for language in runs.languages if language in of_part]
        compared[part] = Comparison(
            runs.metric, languages, systems[part], seeds, losses, runs.baseline, peers
        )
    return compared


def _of_run(run: Finished, metric: str, notes: list[str]) -> dict[Part, Scores]:
    """Return the scores of a run on both parts; nothing where it has not kept its predictions."""
    tested = {language: parts(words) for language, words in read_tagged_words(run, notes).items()}
    scores: dict[Part, Scores] = {part: Scores({}, {}) for part in SEEN} if tested else {}
    for part, found in scores.items():
        for language, counts in tested.items():
            if counts[part][:, COLUMNS.index(PARTS[metric][2])].any():
                found.counts[language] = counts[part]
                found.languages[language] = float(ratio(summands(counts[part], metric).sum(0)))
                found.sentences[language] = len(counts[part])
    return scores


def items(scores: Scores, language: str, metric: str) -> TypeCounts:
    """Return the entities of a part in one language, or its words, of which the right ones are found."""
    correct, predicted, gold = summands(scores.counts[language], metric).sum(0).tolist()
    return TypeCounts(correct, predicted, gold)


def recall(taggers: Sequence[Scores], metric: str, languages: Sequence[str]) -> float:
    """Return the macro mean of the recall over those of the languages that are known, taggers averaged."""
    values = [
        items(scores, language, metric).recall
        for scores in taggers
        for language in languages
        if language in scores.counts
    ]
    return fmean(values) if values else float("nan")
