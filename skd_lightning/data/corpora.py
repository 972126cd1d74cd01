"""Which files belong to a task, and what a user should know about them before training."""

from __future__ import annotations

import os
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from skd_lightning.data import semeval
from skd_lightning.data.published import EXAMPLES, published_files, published_languages
from skd_lightning.data.readers import read
from skd_lightning.data.sentence import Sentence
from skd_lightning.data.splits import cut_dev, resample, sample_size
from skd_lightning.data.unlabelled import read_text, read_unlabelled, unlabelled_files, without_tags
from skd_lightning.errors import UserError

SPLITS = {
    "train": ("train",),
    "dev": ("dev", "valid", "validation", "testa"),
    "test": ("test", "testb"),
    "unlabelled": ("unlabelled", "unlabeled"),
}
"""Beginnings of the names of a split's file."""


@dataclass
class Corpora:
    """Sentences of some languages.

    Attributes:
        languages: {language: {split: sentences}}, the splits being those of ``SPLITS``.
        notes: what was found and done, a line each.
    """

    languages: dict[str, dict[str, list[Sentence]]]
    notes: list[str] = field(default_factory=list)

    def summary(self) -> str:
        """Sizes in a line, then the notes."""
        sizes = []
        for split in SPLITS:
            sentences = [s for splits in self.languages.values() for s in splits[split]]
            words = sum(len(sentence.words) for sentence in sentences)
            if sentences or split != "unlabelled":
                sizes.append(f"{split} {len(sentences):,} sentences ({words:,} words)")
        head = f"{' '.join(self.languages)}: {', '.join(sizes)}"
        return "\n  ".join([head, *self.notes])


def find_folder(task: str, data: str | None = None) -> Path | None:
    """The folder that holds the task's languages; None where there is none, so that the hub is asked.

    Looked for in ``data``, else ``$SKD_DATA``, else ``../shared/data``: ``<folder>/<task>`` where it exists, else
    the folder itself where it holds language folders (or files under the names of :mod:`published`).

    Raises:
        UserError: a folder was named and the task is not there.
    """
    named = data or os.environ.get("SKD_DATA")
    root = Path(named) if named else Path("../shared/data")
    for folder in (root / task, root):
        if folder.is_dir() and languages_in(folder, task):
            return folder
    if named:
        published = f", nor {task}/{EXAMPLES[task]} and the like" if task in EXAMPLES else ""
        raise UserError(
            f"{root}: no folder {task}/<language> with train, dev and test files there{published}"
        )
    return None


def languages_in(folder: Path, task: str) -> list[str]:
    """The languages there: folders with a file of some split, and corpora under their published names."""
    own = {path.name for path in folder.iterdir() if path.is_dir() and any(_files(path).values())}
    return sorted(own | set(published_languages(task, folder)))


def training_languages(task: str, data: str | None = None) -> list[str]:
    """The languages of a task that can be trained on."""
    if task == "demo":
        from skd_lightning.data.demo import LANGUAGES

        return list(LANGUAGES)
    folder = find_folder(task, data)
    if folder is None:
        from skd_lightning.data.hub import hub_languages

        return hub_languages(task)
    return [name for name in languages_in(folder, task) if _split_files(folder, task, name)["train"]]


def corpus_files(
    task: str, data: str | None, languages: Sequence[str], unlabelled: str | None = None
) -> list[Path]:
    """The files that :func:`load_corpora` reads; none for what is generated or comes from the hub."""
    folder = None if task == "demo" else find_folder(task, data)
    files = [
        path for name in languages if folder for path in _split_files(folder, task, name).values() if path
    ]
    return files + [
        path for name in languages if unlabelled for path in unlabelled_files(Path(unlabelled), name)
    ]


def load_corpora(
    task: str,
    data: str | None = None,
    languages: Sequence[str] | None = None,
    *,
    max_train_sentences: int | None = None,
    held_back: int = 0,
    unlabelled: str | None = None,
    max_dev_sentences: int | None = None,
    remove_duplicates: bool = False,
    sample: int | Mapping[str, int] | None = None,
    revision: str | None = None,
    **reading: Any,
) -> Corpora:
    """Read a task's corpora.

    Args:
        task: name of the task; ``demo`` is generated.
        data: see :func:`find_folder`.
        languages: which; all with training data if None.
        max_train_sentences: take a sample (always the same) of so many training sentences of each language.
        held_back: of the training sentences that are left over then, so many become unlabelled text.
        unlabelled: folder with more unlabelled text, see :func:`unlabelled.read_unlabelled`.
        max_dev_sentences: take a sample (always the same) of so many dev sentences of each language.
        remove_duplicates: take evaluation sentences that stand in the training data out.
        sample: draw so many different sentences of each language from all its splits and cut them 8:1:1; see
            :func:`splits.sample_size`.
        revision: branch, tag or commit of the data sets on the hub.
        reading: passed on to :func:`readers.read`.
    """
    corpora = Corpora({})
    for language in languages or training_languages(task, data):
        splits = load_language(task, data, language, notes=corpora.notes, revision=revision, **reading)
        size = sample_size(sample, language)
        if size is not None:
            corpora.notes.append(resample(language, splits, size))
        if not splits["dev"] and sum(sentence.tags is not None for sentence in splits["train"]) > 1:
            corpora.notes.append(cut_dev(language, splits))
        if not splits["test"] and splits["dev"]:
            corpora.notes.append(_cut_test(language, splits))
        for split in ("dev", "test"):
            same = set(duplicates(splits[split], splits["train"]))
            if same and remove_duplicates:
                splits[split] = [s for i, s in enumerate(splits[split]) if i not in same]
            if same:
                done = "removed" if remove_duplicates else "kept (--data.remove_duplicates true removes them)"
                corpora.notes.append(
                    f"{language}: {len(same):,} {split} sentences also stand in train; {done}"
                )
        if max_train_sentences is not None and len(splits["train"]) > max_train_sentences:
            _sample_train(language, splits, max_train_sentences, held_back)
        if max_dev_sentences is not None and len(splits["dev"]) > max_dev_sentences:
            splits["dev"] = random.Random(f"dev {language}").sample(splits["dev"], max_dev_sentences)
        if unlabelled is not None and splits["train"]:
            splits["unlabelled"] += read_unlabelled(Path(unlabelled), language, **reading)
        corpora.languages[language] = splits
    return corpora


def _sample_train(language: str, splits: dict[str, list[Sentence]], labelled: int, held_back: int) -> None:
    """Keep a sample of the training sentences, and some of the others without their tags.

    The same for all seeds of training: a student meets the sentences that its teachers learned from. A smaller
    ``held_back`` takes a part of what a larger one takes.
    """
    everything = splits["train"]
    sample = set(random.Random(f"1 {language}").sample(range(len(everything)), labelled))
    others = [i for i in range(len(everything)) if i not in sample]
    random.Random(f"2 {language}").shuffle(others)
    splits["train"] = [everything[i] for i in sorted(sample)]
    splits["unlabelled"] += without_tags(everything[i] for i in sorted(others[:held_back]))


def load_language(
    task: str,
    data: str | None,
    language: str,
    *,
    notes: list[str] | None = None,
    revision: str | None = None,
    **reading: Any,
) -> dict[str, list[Sentence]]:
    """One language's splits; an absent split is empty (a language without training data can be evaluated on).

    Args:
        task: name of the task.
        data: see :func:`find_folder`.
        language: which.
        notes: gets a line that says what was loaded from the hub.
        revision: branch, tag or commit of the data set on the hub.
        reading: passed on to :func:`readers.read`.

    Raises:
        UserError: no such language, a training file without a sentence, or a file that cannot be read.
    """
    if task == "demo":
        from skd_lightning.data.demo import demo_corpus

        return {**demo_corpus(language), "unlabelled": []}
    folder = find_folder(task, data)
    if folder is None:
        from skd_lightning.data.hub import load_hub

        splits, note = load_hub(task, language, revision)
        if notes is not None:
            notes.append(note)
        return {**splits, "unlabelled": []}
    if language not in languages_in(folder, task):
        raise UserError(
            f"{folder}: no language '{language}' there; there are {', '.join(languages_in(folder, task))}"
        )
    splits = {}
    for split, file in _split_files(folder, task, language).items():
        read_split = read_text if split == "unlabelled" else read
        splits[split] = read_split(file, language, **reading) if file else []
        if task == "absa":
            splits[split] = semeval.with_type(splits[split])
        if split == "train" and file and not splits[split]:
            raise UserError(f"{file}: no sentence in it; a training file must not be empty")
    return splits


def duplicates(sentences: Sequence[Sentence], reference: Sequence[Sentence]) -> list[int]:
    """Positions of the sentences whose words stand in the reference in the same order."""
    known = {sentence.words for sentence in reference}
    return [i for i, sentence in enumerate(sentences) if sentence.words in known]


def _cut_test(language: str, splits: dict[str, list[Sentence]]) -> str:
    """Halve dev into dev and test, without the sentences that stand in train: the same halves for every run."""
    same = set(duplicates(splits["dev"], splits["train"]))
    rest = [sentence for i, sentence in enumerate(splits["dev"]) if i not in same]
    random.Random(f"{language} test").shuffle(rest)
    half = len(rest) // 2
    splits["dev"], splits["test"] = rest[:half], rest[half:]
    return (
        f"{language}: no test file; dev without {len(same):,} sentences of train was halved into dev and test"
    )


def _split_files(folder: Path, task: str, language: str) -> dict[str, Path | None]:
    """The file of each split: under its published name, else the one that its folder has for the split."""
    return {**_files(folder / language), **published_files(task, language, folder)}


def _files(folder: Path) -> dict[str, Path | None]:
    """The file of each split in a language's folder."""
    found: dict[str, Path | None] = dict.fromkeys(SPLITS)
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        stem = path.name.partition(".")[0].lower()
        for split, names in SPLITS.items():
            # "train_ud" or "en_ewt-ud-train" are common: the split is the last or the first part of the name
            parts = stem.replace("_", "-").split("-")
            if path.is_file() and found[split] is None and (parts[0] in names or parts[-1] in names):
                found[split] = path
    return found
