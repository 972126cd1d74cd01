"""Corpora from the Hugging Face hub, where no local folder has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from skd_lightning.data.sentences import Sentence
from skd_lightning.errors import UserError

SPLIT_NAMES = {"train": "train", "dev": "validation", "test": "test"}


@dataclass(frozen=True)
class HubTask:
    """Where a task's parquet files are.

    Attributes:
        configs: {language: (dataset, configuration, revision)}; no scripts run, so every entry is parquet.
        tags: name of the column with the tags.
        words: name of the column with the words.
    """

    configs: dict[str, tuple[str, str | None, str]] = field(default_factory=dict)
    tags: str = "ner_tags"
    words: str = "tokens"


PARQUET = "refs/convert/parquet"
TREEBANKS = {
    "de": "de_gsd", "en": "en_ewt", "es": "es_gsd", "eu": "eu_bdt", "fa": "fa_seraji", "fr": "fr_sequoia",
    "he": "he_htb", "id": "id_gsd", "it": "it_partut", "ja": "ja_gsd", "nl": "nl_alpino", "sl": "sl_ssj",
    "sv": "sv_lines", "ta": "ta_ttb",
}  # fmt: skip
UNER = {
    "da": "da_ddt",
    "en": "en_ewt",
    "hr": "hr_set",
    "pt": "pt_bosque",
    "sk": "sk_snk",
    "sv": "sv_talbanken",
}
WIKIANN = ("de", "en", "eu", "fa", "fr", "he", "id", "nl", "sl", "ta")
TASKS = {
    "upos": HubTask(
        {code: ("universal_dependencies", bank, PARQUET) for code, bank in TREEBANKS.items()}, tags="upos"
    ),
    "wikiann": HubTask({code: ("unimelb-nlp/wikiann", code, "main") for code in WIKIANN}),
    "uner": HubTask({code: ("universalner/universal_ner", bank, PARQUET) for code, bank in UNER.items()}),
    "conll": HubTask(
        {
            "en": ("lhoestq/conll2003", None, "main"),
            "es": ("conll2002", "es", PARQUET),
            "nl": ("conll2002", "nl", PARQUET),
        }
    ),
}


def hub_languages(task: str) -> list[str]:
    """Languages that the hub has for a task."""
    if task not in TASKS:
        raise UserError(
            f"task '{task}': no folder for it and not on the hub; give one with DATA=folder (--data folder), "
            f"or take one of demo, {', '.join(TASKS)}"
        )
    return sorted(TASKS[task].configs)


def load_hub(task: str, language: str) -> dict[str, list[Sentence]]:
    """One language's splits, downloaded (or found in the cache of ``datasets``)."""
    if language not in hub_languages(task):
        raise UserError(f"task {task}: the hub has no '{language}'; it has {', '.join(hub_languages(task))}")
    from datasets import load_dataset

    name, config, revision = TASKS[task].configs[language]
    try:
        found = load_dataset(name, config, revision=revision)
    except Exception as error:  # whatever the network, the hub and its client raise
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"task {task}, language {language}: {name} could not be had from the hub ({reason}); "
            "give a local folder with DATA=folder (--data folder)"
        ) from None
    return from_datasets(found, language, TASKS[task])


def from_datasets(splits: Mapping[str, Any], language: str, task: HubTask) -> dict[str, list[Sentence]]:
    """Sentences of a ``DatasetDict`` whose tags are names or class labels."""
    sentences: dict[str, list[Sentence]] = {}
    for split, name in SPLIT_NAMES.items():
        rows = splits.get(name)
        sentences[split] = []
        if rows is None:
            continue
        feature = rows.features[task.tags]
        names = getattr(getattr(feature, "feature", feature), "names", None)
        for row in rows:
            tags = [names[tag] if names and isinstance(tag, int) else str(tag) for tag in row[task.tags]]
            sentences[split].append(
                Sentence(tuple(row[task.words]), tuple(tags), language, f"{name} of the hub")
            )
    return sentences
