"""Corpora from the Hugging Face hub, for tasks that no local folder holds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from skd_lightning.data import tasks
from skd_lightning.data.sentence import Sentence
from skd_lightning.data.task import HubPlace, HubSource, Task
from skd_lightning.errors import UserError
from skd_lightning.hub_access import outage

SPLIT_NAMES = {"train": "train", "dev": "validation", "test": "test"}


def hub_languages(task: str) -> list[str]:
    """Return the languages of a task that are meant where none is named.

    Raises:
        UserError: the hub has nothing for the task.
    """
    return list(_at_hub(task)[0].languages)


def load_hub(task: str, language: str, revision: str | None = None) -> tuple[dict[str, list[Sentence]], str]:
    """Load one language's splits, downloaded or from the cache of ``datasets``.

    Args:
        task: name of the task.
        language: one of its languages, or the name of a configuration (a treebank such as ``cs_fictree``).
        revision: branch, tag or commit of the data set; the task's own if None.

    Returns:
        {split: sentences}, and a line that names the data set and its commit.

    Raises:
        UserError: the hub does not have it, or it cannot be reached.
    """
    name, config, branch = _place(task, language)
    revision = revision or branch
    out = None if Path(name).exists() else outage()
    try:
        found = _load(name, config, revision)
    except Exception as error:  # whatever the network, the hub and its client raise
        reason = out or (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"task {task}, language {language}: {name} could not be had from the hub ({reason[:200]}); "
            "give a local folder with --data"
        ) from None
    configuration = f" ({config})" if config else ""
    return (
        from_datasets(found, language, _at_hub(task)[1], name),
        f"{language}: {name}{configuration}, {revision}, {_state(found)}",
    )


def _at_hub(task: str) -> tuple[Task, HubSource]:
    """Return the entry of a task, and its place at the hub."""
    if task not in tasks.task_names():
        here = f"; for the folder {task}/ here, give --data ." if Path(task).is_dir() else None
        raise UserError(
            f"task '{task}' is none of {', '.join(tasks.task_names())}"
            f"{here or tasks.suggestion(task) or '; name the folder of your corpora with --data'}"
        )
    entry = tasks.entry(task)
    if entry.hub is None:
        raise UserError(_licensed(task, entry))
    return entry, entry.hub


def _licensed(task: str, entry: Task) -> str:
    return f"task {task}: {entry.licensed} <folder>/{task}; then give --data <folder>"


def _place(task: str, language: str) -> HubPlace:
    """Return the place of a language: one that is known, or the configuration of that name."""
    entry, source = _at_hub(task)
    if language in source.places:
        return source.places[language]
    if source.others is not None:
        return HubPlace(source.others[0], language, source.others[1])
    if entry.licensed and language in entry.published.patterns:
        raise UserError(_licensed(task, entry))
    raise UserError(f"task {task}: the hub has no '{language}'; it has {', '.join(source.places)}")


def _load(name: str, config: str | None, revision: str) -> Any:
    """Load a configuration that the data set's card names, else the folder of that name (see ``task.PARQUET``)."""
    from datasets import load_dataset

    try:
        return load_dataset(name, config, revision=revision)
    except ValueError as error:
        if config is None or f"'{config}' not found" not in str(error):
            raise
        try:
            return load_dataset(name, data_dir=config, revision=revision)
        except FileNotFoundError:
            raise error from None


def _state(splits: Mapping[str, Any]) -> str:
    """Return what pins the data: the commit, which names the cache's folder, else the fingerprint of ``datasets``."""
    first = next(iter(splits.values()))
    folder = Path(first.cache_files[0]["filename"]).parent.name if first.cache_files else ""
    return f"commit {folder}" if re.fullmatch("[0-9a-f]{40}", folder) else f"fingerprint {first._fingerprint}"


def from_datasets(
    splits: Mapping[str, Any], language: str, source: HubSource, name: str = "the hub"
) -> dict[str, list[Sentence]]:
    """Return the sentences of a ``DatasetDict`` whose tags are names, class labels or the numbers of ``source.names``.

    Words that Universal Dependencies gives no part of speech (``_``: multiword tokens, whose words follow) are left
    out.

    Args:
        splits: the splits under the hub's names.
        language: code of the language.
        source: columns and names of the tags.
        name: of the data set, for messages.

    Raises:
        UserError: the columns are not there, or a number has no name.
    """
    sentences: dict[str, list[Sentence]] = {}
    for split, theirs in SPLIT_NAMES.items():
        rows = splits.get(theirs)
        sentences[split] = []
        if rows is None:
            continue
        place = f"{theirs} of {name}"
        if missing := {source.words, source.tags} - set(rows.column_names):
            raise UserError(
                f"{place}: no column {', '.join(sorted(missing))}; there are {', '.join(rows.column_names)}"
            )
        feature = rows.features[source.tags]
        names = getattr(getattr(feature, "feature", feature), "names", None) or source.names
        for row in rows.select_columns([source.words, source.tags]):
            named = [_name(tag, names, place) for tag in row[source.tags]]
            pairs = [(word, tag) for word, tag in zip(row[source.words], named, strict=True) if tag != "_"]
            if pairs:
                words, tags = zip(*pairs, strict=True)
                sentences[split].append(Sentence(words, tags, language, place))
    return sentences


def _name(tag: str | int, names: tuple[str, ...], place: str) -> str:
    if isinstance(tag, str):
        return tag
    if not 0 <= tag < len(names):
        raise UserError(f"{place}: tag {tag} has no name; the data set does not say what its numbers mean")
    return names[tag]
