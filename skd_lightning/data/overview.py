"""Counts of corpora: sizes, entities, repeated sentences, unknown words, and the distribution of tags."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from skd_lightning.data.sentence import Sentence
from skd_lightning.data.splits import duplicates
from skd_lightning.tags import entities, split_tag

Languages = Mapping[str, Mapping[str, Sequence[Sentence]]]
"""{language: {split: sentences}}, as in ``corpora.Corpora.languages``."""


def has_entities(languages: Languages) -> bool:
    """Return True if the tags mark entities, False if each word has a tag of its own (a part of speech)."""
    return any(
        split_tag(tag)[1]
        for splits in languages.values()
        for sentences in splits.values()
        for sentence in sentences
        for tag in sentence.tags or ()
    )


def split_table(languages: Languages) -> pd.DataFrame:
    """Return a table of sizes: one row for each language and split that has sentences.

    Columns: ``language``, ``split``, ``sentences``, ``labelled`` (sentences with tags), ``words``, ``entities`` (0
    where tags mark none), ``types`` (different entity types, else different tags), ``mean`` and ``longest`` (words of
    a sentence), ``in_train`` (sentences whose words stand in the same order in the language's training data, 0 for
    train itself), ``repeated`` (sentences that stand earlier in the same split) and ``unknown`` (share of the words
    whose form does not occur in the language's training data; missing for train and where there is none).
    """
    rows = []
    entity = has_entities(languages)
    for language, splits in languages.items():
        train = splits.get("train", ())
        known = {word for sentence in train for word in sentence.words}
        for split, sentences in splits.items():
            if sentences:
                row = {"language": language, "split": split, **_sizes(sentences, entity)}
                row["in_train"] = 0 if split == "train" else len(duplicates(sentences, train))
                row["repeated"] = len(sentences) - len({sentence.words for sentence in sentences})
                unknown = sum(word not in known for sentence in sentences for word in sentence.words)
                compared = split != "train" and train
                row["unknown"] = unknown / row["words"] if compared and row["words"] else float("nan")
                rows.append(row)
    return pd.DataFrame(rows)


def tag_table(languages: Languages) -> pd.DataFrame:
    """Return the shares of the tags in the training data: rows are tags (or entity types), columns languages.

    Cells are shares: of all words for tags, of all entities for entity types; the last row of the latter is
    ``in entities``, the share of the words that belong to one. Rows are in the order of their mean share.
    """
    entity = has_entities(languages)
    columns = {}
    for language, splits in languages.items():
        labelled = [sentence.tags for sentence in splits.get("train", ()) if sentence.tags]
        if labelled:
            columns[language] = _entity_shares(labelled) if entity else _tag_shares(labelled)
    table = pd.DataFrame(columns).fillna(0.0)
    order = table.mean(axis=1).sort_values(ascending=False, kind="stable").index
    return table.loc[sorted(order, key=lambda name: name == _INSIDE)]


def length_table(languages: Languages, quantiles: Sequence[float]) -> pd.DataFrame:
    """Return quantiles of the number of words of a sentence: index (language, split), one column a quantile."""
    found = {
        (language, split): np.quantile([len(sentence.words) for sentence in sentences], quantiles)
        for language, splits in languages.items()
        for split, sentences in splits.items()
        if sentences
    }
    table = pd.DataFrame.from_dict(found, orient="index", columns=list(quantiles))
    table.index = pd.MultiIndex.from_tuples(table.index, names=["language", "split"])
    return table


def unknown_table(languages: Languages, split: str) -> pd.DataFrame:
    """Return the share of a split's words whose form the training data do not hold, one row a language that has both.

    Columns: ``own``, the training data of the language itself, which its teacher sees; ``all``, those of all
    languages together, which the student sees.
    """
    train = {
        language: {word for sentence in splits.get("train", ()) for word in sentence.words}
        for language, splits in languages.items()
    }
    everything = set().union(*train.values())
    rows = {}
    for language, own in train.items():
        words = [word for sentence in languages[language].get(split, ()) for word in sentence.words]
        if words and own:
            rows[language] = [
                sum(word not in known for word in words) / len(words) for known in (own, everything)
            ]
    return pd.DataFrame.from_dict(rows, orient="index", columns=["own", "all"])


_INSIDE = "in entities"


def _sizes(sentences: Sequence[Sentence], entity: bool) -> dict[str, Any]:
    lengths = [len(sentence.words) for sentence in sentences]
    tags = [sentence.tags for sentence in sentences if sentence.tags is not None]
    found = Counter(kind for group in tags for kind, _, _ in entities(group))
    return {
        "sentences": len(sentences),
        "labelled": len(tags),
        "words": sum(lengths),
        "entities": found.total(),
        "types": len(found) if entity else len({tag for group in tags for tag in group}),
        "mean": sum(lengths) / len(lengths),
        "longest": max(lengths),
    }


def _tag_shares(tags: Sequence[Sequence[str]]) -> dict[str, float]:
    counts = Counter(tag for group in tags for tag in group)
    return {tag: count / counts.total() for tag, count in counts.items()}


def _entity_shares(tags: Sequence[Sequence[str]]) -> dict[str, float]:
    found = [entity for group in tags for entity in entities(group)]
    counts = Counter(kind for kind, _, _ in found)
    inside = sum(end - first for _, first, end in found) / sum(len(group) for group in tags)
    return {**{kind: count / len(found) for kind, count in counts.items()}, _INSIDE: inside}
