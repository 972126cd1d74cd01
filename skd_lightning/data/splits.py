"""Train, dev and test sets: cut where a corpus does not have them, sampled, cleaned; the same in every run."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from skd_lightning.data.sentence import Sentence
from skd_lightning.data.unlabelled import without_tags
from skd_lightning.errors import UserError
from skd_lightning.tags import split_tag

Splits = dict[str, list[Sentence]]


def complete(language: str, splits: Splits, size: int | None, annotated: bool) -> list[str]:
    """Draw a sample of all splits, if one is wanted, and make the dev and test sets that are missing, in place.

    Args:
        language: code.
        splits: of the language.
        size: of the sample, see :func:`sample_size`.
        annotated: False for a language whose tags nobody is to see, which needs no dev set.

    Returns:
        A line for each thing done.
    """
    notes = [] if size is None else [resample(language, splits, size)]
    tagged = sum(sentence.tags is not None for sentence in splits["train"])
    if annotated and not splits["dev"] and tagged > 1:
        notes.append(cut_dev(language, splits))
    if not splits["test"] and splits["dev"]:
        notes.append(halve_dev(language, splits))
    return notes


def cut_dev(language: str, splits: Splits) -> str:
    """Make a tenth of the annotated training sentences (at least one) the dev set, in place.

    Returns:
        A line that says so.
    """
    train = splits["train"]
    annotated = [i for i, sentence in enumerate(train) if sentence.tags is not None]
    chosen = set(random.Random(f"{language} dev").sample(annotated, max(1, len(annotated) // 10)))
    splits["dev"] = [sentence for i, sentence in enumerate(train) if i in chosen]
    splits["train"] = [sentence for i, sentence in enumerate(train) if i not in chosen]
    return f"{language}: no dev file; a tenth of train ({len(chosen):,} sentences) became dev"


def halve_dev(language: str, splits: Splits) -> str:
    """Halve dev into dev and test, in place, without the sentences that also stand in train.

    Returns:
        A line that says so.
    """
    same = set(duplicates(splits["dev"], splits["train"]))
    rest = [sentence for i, sentence in enumerate(splits["dev"]) if i not in same]
    random.Random(f"{language} test").shuffle(rest)
    if len(rest) < 2:
        return f"{language}: no test sentences; it is not tested"
    half = len(rest) // 2
    splits["dev"], splits["test"] = rest[:half], rest[half:]
    return (
        f"{language}: no test file; dev without {len(same):,} sentences of train was halved into dev and test"
    )


def sample_size(sample: int | Mapping[str, int] | None, language: str) -> int | None:
    """Return the number of sentences to draw of a language; None for all as they are.

    Args:
        sample: a number for all languages, or one by language with ``other`` for the rest.
        language: code of the language.

    Raises:
        UserError: fewer than 10, which cannot be cut 8:1:1.

    >>> sample_size({"en": 10000, "other": 5000}, "fr")
    5000
    """
    size = sample if sample is None or isinstance(sample, int) else sample.get(language, sample.get("other"))
    if size is not None and size < 10:
        raise UserError(
            f"--data.sample: {size} sentences of {language} cannot be cut 8:1:1; at least 10 are needed"
        )
    return size


def resample(language: str, splits: Splits, size: int) -> str:
    """Draw so many different labelled sentences from all splits together and cut them 8:1:1, in place.

    No sentence stands in two of the new splits, since sentences with the same words count once.

    Returns:
        A line that says how many were drawn of how many.
    """
    labelled = [s for split in ("train", "dev", "test") for s in splits[split] if s.tags is not None]
    different = list({sentence.words: sentence for sentence in reversed(labelled)}.values())[::-1]
    if len(different) < 10:
        raise UserError(
            f"--data.sample: {language} has {len(different)} labelled sentences; at least 10 are needed"
        )
    drawn = random.Random(f"{language} sample").sample(different, min(size, len(different)))
    held = len(drawn) // 10
    splits["dev"], splits["test"], splits["train"] = drawn[:held], drawn[held : 2 * held], drawn[2 * held :]
    short = "" if len(drawn) == size else f" ({size:,} were asked for)"
    return (
        f"{language}: {len(drawn):,} of {len(different):,} different sentences drawn{short} and cut 8:1:1 "
        f"({len(splits['train']):,}, {held:,}, {held:,})"
    )


def sample_train(language: str, splits: Splits, labelled: int, held_back: int) -> None:
    """Keep a sample of the training sentences, and some of the others without their tags, in place.

    The sample is the same for all seeds of training: a student meets the sentences that its teachers learned from. A
    smaller ``held_back`` takes a part of what a larger one takes.
    """
    everything = splits["train"]
    sample = set(random.Random(f"1 {language}").sample(range(len(everything)), labelled))
    others = [i for i in range(len(everything)) if i not in sample]
    random.Random(f"2 {language}").shuffle(others)
    splits["train"] = [everything[i] for i in sorted(sample)]
    splits["unlabelled"] += without_tags(everything[i] for i in sorted(others[:held_back]))


def check_duplicates(language: str, splits: Splits, remove: bool) -> list[str]:
    """Find the dev and test sentences that also stand in train, and take them out, in place, if ``remove``.

    Test sentences that also stand in dev stay, as published: a score can be too high by them only as far as choosing a
    checkpoint goes.

    Returns:
        A line for each split that has some, and one for sentences of both.
    """
    notes = []
    for split in ("dev", "test"):
        same, done = _take_out(splits, split, splits["train"], remove)
        if same:
            notes.append(f"{language}: {same:,} {split} sentences also stand in train; {done}")
    if both := len(duplicates(splits["test"], splits["dev"])):
        notes.append(f"{language}: {both:,} test sentences also stand in dev; kept")
    return notes


def check_entities(language: str, splits: Splits) -> list[str]:
    """Return a line if train or dev has sentences with tags and every tag is ``O``: such a tagger finds no entity.

    It happens where a sample is the beginning of a corpus, and it drags the mean over languages down.
    """
    empty = []
    for split in ("train", "dev"):
        annotated = [sentence.tags for sentence in splits[split] if sentence.tags]
        if annotated and all(set(tags) == {"O"} for tags in annotated):  # ends at the first entity
            empty.append(split)
    return [f"{language}: no {' and no '.join(empty)} sentence has an entity"] if empty else []


def check_types(language: str, splits: Splits) -> list[str]:
    """Return a line if dev or test has types of entities that train lacks: rare ones, or misspelt ones."""
    known = _types(splits["train"])
    notes = []
    for split in ("dev", "test"):
        if known and (others := sorted(_types(splits[split]) - known)):
            notes.append(f"{language}: {split} has entities of type {', '.join(others)}, train has none")
    return notes


def _types(sentences: Sequence[Sentence]) -> set[str]:
    tags = {tag for sentence in sentences for tag in sentence.tags or ()}
    return {split_tag(tag)[1] for tag in tags} - {""}


LONGEST = 1000
"""Words of a sentence that somebody could have written."""


def check_lengths(language: str, splits: Splits) -> list[str]:
    """Return a line if a sentence is so long that blank lines between sentences seem to be missing."""
    sentences = [sentence for own in splits.values() for sentence in own if len(sentence.words) > LONGEST]
    longest = max(sentences, key=lambda sentence: len(sentence.words), default=None)
    if longest is None:
        return []
    where = longest.place(0)
    return [
        f"{language}: {where}: a sentence of {len(longest.words):,} words; are blank lines between sentences missing?"
    ]


def check_text(language: str, splits: Splits, evaluated: Sequence[Sentence], remove: bool) -> list[str]:
    """Find the unlabelled sentences that are evaluated on, and take them out, in place, if ``remove``.

    Teachers would tell a student the tags of sentences that it is tested on.

    Returns:
        A line that says so, where there are some.
    """
    same, done = _take_out(splits, "unlabelled", evaluated, remove)
    return [f"{language}: {same:,} unlabelled sentences are dev or test sentences; {done}"] if same else []


def _take_out(splits: Splits, split: str, reference: Sequence[Sentence], remove: bool) -> tuple[int, str]:
    """Count the sentences of a split that stand in the reference, and take them out, in place, if ``remove``.

    Returns:
        Their number, and what was done with them.
    """
    same = set(duplicates(splits[split], reference))
    if same and remove:
        splits[split] = [s for i, s in enumerate(splits[split]) if i not in same]
    return len(same), "removed" if remove else "kept (--data.remove_duplicates true removes them)"


def duplicates(sentences: Sequence[Sentence], reference: Sequence[Sentence]) -> list[int]:
    """Return the positions of the sentences whose words stand in the reference in the same order."""
    known = {sentence.words for sentence in reference}
    return [i for i, sentence in enumerate(sentences) if sentence.words in known]
