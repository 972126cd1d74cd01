"""The entry of a task: everything that is particular to a task with a name of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from skd_lightning.data.published_files import PublishedFiles
from skd_lightning.data.sentence import Sentence

PARQUET = "refs/convert/parquet"
"""Branch into which the hub converts data sets: a folder for each configuration, in it a folder for each split."""

ENTITY_OPTIONS: Mapping[str, Any] = {
    "model.embedder.dropout": 0.5,
    "model.context.dropout": 0.5,
    "data.tokens": 1000,
    "trainer.max_epochs": 30,
}
"""Default options of the tasks that mark entities."""


class HubPlace(NamedTuple):
    """The place of one language's corpus at the Hugging Face hub.

    Attributes:
        dataset: ``owner/name`` of the data set.
        config: configuration of the data set; None where it has a single one.
        revision: branch, tag or commit.
    """

    dataset: str
    config: str | None
    revision: str


@dataclass(frozen=True)
class HubSource:
    """The parquet files of a task at the Hugging Face hub.

    Attributes:
        places: {language: place} of the languages that are known by their codes.
        others: (data set, revision) in which any further name of a language is taken for a configuration.
        tags: name of the column with the tags.
        words: name of the column with the words.
        names: the tags in the order of their numbers, for columns of numbers that do not say what they mean.
    """

    places: Mapping[str, HubPlace] = field(default_factory=dict)
    others: tuple[str, str] | None = None
    tags: str = "ner_tags"
    words: str = "tokens"
    names: tuple[str, ...] = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC", "B-MISC", "I-MISC")


@dataclass(frozen=True)
class Task:
    """Everything that is particular to a task with a name of its own; a folder of the user's own has no entry.

    Attributes:
        languages: codes of the languages that are meant where neither the user nor a folder names any.
        generate: makes the splits of one language, {split: sentences}; None for a task whose corpora are read.
        hub: the corpora at the hub; None where the hub does not have them.
        published: the names under which the files of the corpora were published.
        licensed: tells how to get the corpora that the hub may not pass on; a folder's name follows it.
        prepare: changes the sentences of a file after they were read.
        options: default options of ``skd fit``, {name with dots: value}.
        recipes: further options under a recipe, {recipe: {name with dots: value}}.
    """

    languages: tuple[str, ...] = ()
    generate: Callable[[str], dict[str, list[Sentence]]] | None = None
    hub: HubSource | None = None
    published: PublishedFiles = PublishedFiles()  # noqa: RUF009 - frozen
    licensed: str = ""
    prepare: Callable[[Sequence[Sentence]], list[Sentence]] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    recipes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
