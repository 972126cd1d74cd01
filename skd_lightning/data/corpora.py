"""The corpora of a task: its languages and their splits, with notes on what a user should know before training."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from skd_lightning.data import tasks
from skd_lightning.data.folders import (
    find_folder,
    languages_in,
    links_to_nothing,
    refuse_missing,
    split_files,
)
from skd_lightning.data.folds import Fold
from skd_lightning.data.generated import Generation
from skd_lightning.data.readers import has_one_column, read
from skd_lightning.data.readers.files import kind_of
from skd_lightning.data.schemes import splits_from_bilou
from skd_lightning.data.sentence import Sentence
from skd_lightning.data.split_names import SPLITS
from skd_lightning.data.splits import (
    check_duplicates,
    check_entities,
    check_lengths,
    check_text,
    check_types,
    complete,
    sample_size,
    sample_train,
)
from skd_lightning.data.unlabelled import (
    read_unlabelled,
    read_untagged,
    unlabelled_files,
    without_tags,
)
from skd_lightning.errors import UserError, printable

ONE_COLUMN = "its lines have one column; columns are parted by tabs or spaces, not by commas"


@dataclass
class Corpora:
    """Sentences of some languages.

    Attributes:
        languages: {language: {split: sentences}}, the splits being those of ``split_names.SPLITS``.
        notes: lines about what was found and done.
        generated: {language: sentences} of generated text, which stand in ``languages`` as well.
    """

    languages: dict[str, dict[str, list[Sentence]]]
    notes: list[str] = field(default_factory=list)
    generated: dict[str, list[Sentence]] = field(default_factory=dict)

    def summary(self) -> str:
        """Return the sizes in a line, then the notes."""
        sizes = []
        for split in SPLITS:
            sentences = [s for splits in self.languages.values() for s in splits[split]]
            words = sum(len(sentence.words) for sentence in sentences)
            if sentences or split != "unlabelled":
                sizes.append(f"{split} {len(sentences):,} sentences ({words:,} words)")
        head = f"{' '.join(self.languages)}: {', '.join(sizes)}"
        return "\n  ".join([head, *map(printable, self.notes)])


def training_languages(task: str, data: str | None = None) -> list[str]:
    """Return the languages of a task that have training data.

    Raises:
        UserError: the task is not there, none of its languages has a training file, or it is unclear which one it is.

    >>> training_languages("demo")
    ['de', 'en', 'es', 'fi']
    """
    entry = tasks.entry(task)
    if entry.generate:
        return list(entry.languages)
    folder = find_folder(task, data)
    if folder is None:
        from skd_lightning.data.hub import hub_languages

        return hub_languages(task)
    if lost := links_to_nothing(folder):
        raise UserError(
            f"{lost[0]}: {kind_of(lost[0])}; mend or remove it, or name the languages with --langs"
        )
    there = languages_in(folder, task)
    training = [name for name in there if split_files(folder, task, name)["train"]]
    if not training:
        raise UserError(
            f"{folder}: no training file of {', '.join(there)}; add one, or name what is to be tested with --langs"
        )
    return training


def corpus_files(
    task: str, data: str | None, languages: Sequence[str], unlabelled: str | None = None
) -> list[Path]:
    """Return the files that :func:`load_corpora` reads; none for what is generated or comes from the hub."""
    folder = None if tasks.entry(task).generate else find_folder(task, data)
    files = [
        path for name in languages if folder for path in split_files(folder, task, name).values() if path
    ]
    return files + [
        path for name in languages if unlabelled for path in unlabelled_files(Path(unlabelled), name)
    ]


def refuse_missing_corpora(task: str, data: str | None, languages: Sequence[str]) -> None:
    """Refuse a task that is neither generated nor a folder nor on the hub, before its corpora are read.

    Args:
        task: name of the task.
        data: root of the corpora, see :func:`folders.find_folder`.
        languages: that have to be in its folder.

    Raises:
        UserError: the task or a language is not there, or it is unclear which file is which split.
    """
    if tasks.entry(task).generate:
        return
    folder = find_folder(task, data)
    if folder is None:
        from skd_lightning.data.hub import hub_languages

        hub_languages(task)  # which refuses a task that is not on the hub, and asks nobody
        return
    for language in languages:
        refuse_missing(folder, task, language)
        split_files(folder, task, language)


def load_corpora(
    task: str,
    data: str | None = None,
    languages: Sequence[str] | None = None,
    *,
    max_train_sentences: int | None = None,
    held_back: int = 0,
    unlabelled: str | None = None,
    text_only: Sequence[str] = (),
    max_dev_sentences: int | None = None,
    remove_duplicates: bool = False,
    without_fold: str | None = None,
    generation: Generation | None = None,
    sample: int | Mapping[str, int] | None = None,
    revision: str | None = None,
    **reading: Any,
) -> Corpora:
    """Load a task's corpora from files, from the hub or from their generator.

    Args:
        task: name of the task.
        data: root of the corpora, see :func:`folders.find_folder`.
        languages: codes of the languages; all with training data if None.
        max_train_sentences: take a sample (always the same) of so many training sentences of each language.
        held_back: of the training sentences that are left over then, so many become unlabelled text.
        unlabelled: folder with more unlabelled text, see :func:`unlabelled.read_unlabelled`.
        text_only: languages whose training sentences become unlabelled text, and whose dev sentences nobody sees.
        max_dev_sentences: take a sample (always the same) of so many dev sentences of each language.
        remove_duplicates: take evaluation sentences that stand in the training data out, and those that are left out of
            the unlabelled text.
        without_fold: leave a fold of the training sentences out, annotated and unlabelled; see :class:`folds.Fold`.
        generation: text that is generated from annotated training sentences, for languages that have little.
        sample: draw so many different sentences of each language from all its splits and cut them 8:1:1; see
            :func:`splits.sample_size`.
        revision: branch, tag or commit of the data sets on the hub.
        reading: passed on to :func:`readers.read`.

    Raises:
        UserError: a task, a language or a file is missing, or a file cannot be read.
    """
    corpora = Corpora({})
    left_out = Fold.named(without_fold) if without_fold is not None else None
    chosen = languages or training_languages(task, data)
    _refuse_languages(chosen, text_only)
    for option, by_language in (("encoding", reading.get("encoding")), ("sample", sample)):
        if isinstance(by_language, Mapping):
            _refuse_unknown_languages(option, by_language, chosen, task, data)
    for language in chosen:
        splits = load_language(task, data, language, notes=corpora.notes, revision=revision, **reading)
        size = sample_size(sample, language)
        corpora.notes += complete(language, splits, size, annotated=language not in text_only)
        corpora.notes += check_duplicates(language, splits, remove_duplicates)
        evaluated = [*splits["dev"], *splits["test"]]
        if max_train_sentences is not None and len(splits["train"]) > max_train_sentences:
            sample_train(language, splits, max_train_sentences, held_back)
        if max_dev_sentences is not None and len(splits["dev"]) > max_dev_sentences:
            splits["dev"] = random.Random(f"dev {language}").sample(splits["dev"], max_dev_sentences)
        if language in text_only:
            splits["unlabelled"] += without_tags(splits["train"])
            splits["train"], splits["dev"] = [], []
        if unlabelled is not None and (splits["train"] or unlabelled_files(Path(unlabelled), language)):
            splits["unlabelled"] += read_unlabelled(Path(unlabelled), language, **reading)
        corpora.notes += check_lengths(language, splits)
        corpora.notes += check_entities(language, splits)
        corpora.notes += check_types(language, splits)
        corpora.notes += check_text(language, splits, evaluated, remove_duplicates)
        if left_out is not None:
            for split in ("train", "unlabelled"):
                splits[split] = left_out.without(splits[split])
        if generation is not None:
            generated = generation.from_sentences(language, splits["train"], len(splits["unlabelled"]))
            splits["train" if generation.tagged else "unlabelled"] += generated
            if generated:
                corpora.generated[language] = generated
                corpora.notes.append(generation.note(language, generated))
        corpora.languages[language] = splits
    if left_out is not None:
        corpora.notes.append(f"the training sentences of fold {left_out} are left out")
    return corpora


def _refuse_languages(chosen: Sequence[str], text_only: Sequence[str]) -> None:
    """Refuse languages of text alone that are not chosen, or all; and a folder whose name nobody can write."""
    if unknown := [language for language in text_only if language not in chosen]:
        raise UserError(f"--data.text_only names {', '.join(unknown)}; the languages are {', '.join(chosen)}")
    if text_only and set(chosen) <= set(text_only):
        raise UserError(
            f"--data.text_only names all languages, {', '.join(chosen)}; leave one annotated, or train on more"
        )
    if unprintable := [language for language in chosen if not _is_text(language)]:
        raise UserError(f"language {unprintable[0]!r}: the name of its folder is not UTF-8; rename it")


def _is_text(name: str) -> bool:
    """Return True for a name without the half characters that stand for bytes of no character."""
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def _refuse_unknown_languages(
    option: str, named: Mapping[str, Any], chosen: Sequence[str], task: str, data: str | None
) -> None:
    """Refuse an option for languages that are neither loaded nor the task's own nor in its folder."""
    entry = tasks.entry(task)
    folder = None if entry.generate else find_folder(task, data)
    known = {*chosen, *entry.languages, *(languages_in(folder, task) if folder else ())}
    if unknown := sorted(named.keys() - known - {"other"}):
        raise UserError(
            f"--data.{option} names {', '.join(unknown)}; the languages are {', '.join(sorted(known))}"
        )


def load_language(
    task: str,
    data: str | None,
    language: str,
    *,
    notes: list[str] | None = None,
    revision: str | None = None,
    **reading: Any,
) -> dict[str, list[Sentence]]:
    """Load one language's splits; an absent split is empty (a language without training data can be evaluated on).

    Args:
        task: name of the task.
        data: root of the corpora, see :func:`folders.find_folder`.
        language: code of the language.
        notes: gets a line about what was loaded from the hub, and which of several files was taken.
        revision: branch, tag or commit of the data set on the hub.
        reading: passed on to :func:`readers.read`.

    Raises:
        UserError: no such language, a file without a sentence, one that cannot be read, or several for one split.
    """
    entry = tasks.entry(task)
    if entry.generate:
        return {**entry.generate(language), "unlabelled": []}
    folder = find_folder(task, data)
    if folder is None:
        from skd_lightning.data.hub import load_hub

        splits, note = load_hub(task, language, revision)
        if notes is not None:
            notes.append(note)
        return {**splits_from_bilou(splits), "unlabelled": []}
    refuse_missing(folder, task, language)
    splits = {}
    for split, file in split_files(folder, task, language, notes).items():
        read_split = read_untagged if split == "unlabelled" else read
        splits[split] = read_split(file, language, **reading) if file else []
        if entry.prepare:
            splits[split] = entry.prepare(splits[split])
        if file and not splits[split]:
            raise UserError(f"{file}: no sentence in it; fill it, or remove it")
        if file and split != "unlabelled" and notes is not None and has_one_column(file, splits[split]):
            notes.append(f"{language}: {file.name} has no tags, {ONE_COLUMN}")
    return splits_from_bilou(splits)
