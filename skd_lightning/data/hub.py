"""Corpora from the Hugging Face hub, where no local folder has them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from skd_lightning.data.sentence import Sentence
from skd_lightning.errors import UserError

SPLIT_NAMES = {"train": "train", "dev": "validation", "test": "test"}
PARQUET = "refs/convert/parquet"
"""Branch into which the hub converts what it shows: a folder a configuration, in it a folder a split."""


@dataclass(frozen=True)
class HubTask:
    """Where a task's parquet files are.

    Attributes:
        configs: {language: (dataset, configuration, revision)} of the languages that are known by their codes.
        default: the languages that are meant where none is named; all of ``configs`` if empty.
        others: (dataset, revision) where any further name of a language is the name of a configuration.
        tags: name of the column with the tags.
        words: name of the column with the words.
        names: the tags in the order of their numbers, for columns of numbers that do not say what they mean.
    """

    configs: dict[str, tuple[str, str | None, str]] = field(default_factory=dict)
    default: tuple[str, ...] = ()
    others: tuple[str, str] | None = None
    tags: str = "ner_tags"
    words: str = "tokens"
    names: tuple[str, ...] = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC", "B-MISC", "I-MISC")


UD = "universal-dependencies/universal_dependencies"
TREEBANKS = {
    "af": "af_afribooms", "ar": "ar_padt", "bg": "bg_btb", "ca": "ca_ancora", "cs": "cs_pdt", "da": "da_ddt",
    "de": "de_gsd", "el": "el_gdt", "en": "en_ewt", "es": "es_gsd", "et": "et_edt", "eu": "eu_bdt",
    "fa": "fa_seraji", "fi": "fi_tdt", "fr": "fr_sequoia", "ga": "ga_idt", "he": "he_htb", "hi": "hi_hdtb",
    "hr": "hr_set", "hu": "hu_szeged", "hy": "hy_armtdp", "id": "id_gsd", "it": "it_partut", "ja": "ja_gsd",
    "ko": "ko_kaist", "lt": "lt_alksnis", "lv": "lv_lvtb", "mr": "mr_ufal", "nl": "nl_alpino", "pl": "pl_pdb",
    "pt": "pt_bosque", "ro": "ro_rrt", "ru": "ru_syntagrus", "sk": "sk_snk", "sl": "sl_ssj", "sr": "sr_set",
    "sv": "sv_lines", "ta": "ta_ttb", "te": "te_mtg", "tr": "tr_imst", "uk": "uk_iu", "ur": "ur_udtb",
    "vi": "vi_vtb", "zh": "zh_gsd",
}  # fmt: skip
UNER = {
    "da": "da_ddt",
    "en": "en_ewt",
    "hr": "hr_set",
    "pt": "pt_bosque",
    "sk": "sk_snk",
    "sv": "sv_talbanken",
}
WIKIANN = ("en", "ta", "eu", "he", "id", "fa", "sl", "fr")
TASKS = {
    "upos": HubTask(
        {code: (UD, bank, PARQUET) for code, bank in TREEBANKS.items()},
        default=("en", "he", "ja", "sl", "fr", "id", "fa", "ta"),
        others=(UD, PARQUET),
        tags="upos",
        names=(),
    ),
    "wikiann": HubTask(
        {code: ("unimelb-nlp/wikiann", code, "main") for code in WIKIANN},
        default=WIKIANN,
        others=("unimelb-nlp/wikiann", "main"),
    ),
    "uner": HubTask(
        {code: ("universalner/universal_ner", bank, PARQUET) for code, bank in UNER.items()},
        others=("universalner/universal_ner", PARQUET),
    ),
    "conll": HubTask(
        {
            "en": ("lhoestq/conll2003", None, "main"),
            "es": ("eriktks/conll2002", "es", PARQUET),
            "nl": ("eriktks/conll2002", "nl", PARQUET),
        }
    ),
}
LICENSED = {
    "absa": "SemEval-2016 Task 5 may not be passed on: get it from its organisers and put the XML files into",
    "conll": "German CoNLL-2003 may not be passed on: get it as its makers say and put deu.train, .testa, .testb into",
}
"""Where the hub has nothing since nobody may put it there."""


def hub_languages(task: str) -> list[str]:
    """The languages of a task that are meant where none is named.

    Raises:
        UserError: the hub has nothing for the task.
    """
    if task == "absa":
        raise UserError(f"task absa: {LICENSED[task]} <folder>/absa; then DATA=<folder> (--data <folder>)")
    if task not in TASKS:
        raise UserError(
            f"task '{task}': no folder for it and not on the hub; give one with DATA=folder (--data folder), "
            f"or take one of demo, {', '.join(TASKS)}"
        )
    return list(TASKS[task].default or TASKS[task].configs)


def load_hub(task: str, language: str, revision: str | None = None) -> tuple[dict[str, list[Sentence]], str]:
    """One language's splits, downloaded (or found in the cache of ``datasets``).

    Args:
        task: name of the task.
        language: one of its languages, or the name of a configuration (a treebank such as ``cs_fictree``).
        revision: branch, tag or commit of the dataset; the table's branch if None.

    Returns:
        {split: sentences}, and a line that says which data set at which commit they are from.
    """
    name, config, branch = _place(task, language)
    revision = revision or branch
    try:
        found = _load(name, config, revision)
    except Exception as error:  # whatever the network, the hub and its client raise
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"task {task}, language {language}: {name} could not be had from the hub ({reason[:200]}); "
            "give a local folder with DATA=folder (--data folder)"
        ) from None
    configuration = f" ({config})" if config else ""
    return (
        from_datasets(found, language, TASKS[task], name),
        f"{language}: {name}{configuration}, {revision}, {_state(found)}",
    )


def _place(task: str, language: str) -> tuple[str, str | None, str]:
    """Data set, configuration and branch of a language."""
    hub_languages(task)
    known = TASKS[task]
    if language in known.configs:
        return known.configs[language]
    if known.others is not None:
        return known.others[0], language, known.others[1]
    if (task, language) == ("conll", "de"):
        raise UserError(f"task conll: {LICENSED[task]} <folder>/conll; then DATA=<folder> (--data <folder>)")
    raise UserError(f"task {task}: the hub has no '{language}'; it has {', '.join(known.configs)}")


def _load(name: str, config: str | None, revision: str) -> Any:
    """A configuration that the data set's card names, else the folder of that name (as in ``PARQUET``)."""
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
    """What pins the data: the commit, which names the folder of the cache; else the fingerprint of ``datasets``."""
    first = next(iter(splits.values()))
    folder = Path(first.cache_files[0]["filename"]).parent.name if first.cache_files else ""
    return f"commit {folder}" if re.fullmatch("[0-9a-f]{40}", folder) else f"fingerprint {first._fingerprint}"


def from_datasets(
    splits: Mapping[str, Any], language: str, task: HubTask, source: str = "the hub"
) -> dict[str, list[Sentence]]:
    """Sentences of a ``DatasetDict`` whose tags are names, class labels or the numbers of ``task.names``.

    Words that Universal Dependencies gives no part of speech (``_``: multiword tokens, whose words follow) are left
    out.

    Raises:
        UserError: the columns are not there, or a number has no name.
    """
    sentences: dict[str, list[Sentence]] = {}
    for split, name in SPLIT_NAMES.items():
        rows = splits.get(name)
        sentences[split] = []
        if rows is None:
            continue
        place = f"{name} of {source}"
        if missing := {task.words, task.tags} - set(rows.column_names):
            raise UserError(
                f"{place}: no column {', '.join(sorted(missing))}; there are {', '.join(rows.column_names)}"
            )
        feature = rows.features[task.tags]
        names = getattr(getattr(feature, "feature", feature), "names", None) or task.names
        for row in rows.select_columns([task.words, task.tags]):
            named = [_name(tag, names, place) for tag in row[task.tags]]
            pairs = [(word, tag) for word, tag in zip(row[task.words], named, strict=True) if tag != "_"]
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
