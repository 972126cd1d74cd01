"""The tag schemes of a task's languages: one is recognised for each, and all are converted to the same."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from skd_lightning.data.sentence import Sentence
from skd_lightning.errors import UserError
from skd_lightning.tags import OUTSIDE, EntityScheme, SchemeReport, convert, from_bilou, recognise

_BILOU = re.compile(r"[BILU]-.+", re.DOTALL)


def schemes_of(
    languages: Mapping[str, Mapping[str, Sequence[Sentence]]], task: str
) -> dict[str, SchemeReport]:
    """Return the tag scheme that the files of each language were found to be in.

    Args:
        languages: {language: {split: sentences}}.
        task: its name, for messages.

    Raises:
        UserError: a tag fits no scheme, or some languages have entity tags and some have not.
    """
    found = {
        language: recognise([sentence for sentences in splits.values() for sentence in sentences])
        for language, splits in languages.items()
    }
    annotated = {language: report for language, report in found.items() if report.sentences}
    if len({report.scheme == "none" for report in annotated.values()}) > 1:
        kinds = ", ".join(f"{language}: {report.scheme}" for language, report in annotated.items())
        raise UserError(
            f"task {task}: some languages have entity tags and some have not ({kinds}); name those that go together "
            "with --langs, or choose another --data.tag_column"
        )
    return found


def splits_from_bilou(splits: Mapping[str, list[Sentence]]) -> dict[str, list[Sentence]]:
    """Return a language's sentences with ``L-`` and ``U-`` as ``E-`` and ``S-``, if their tags are in BILOU.

    BILOU (spaCy's BILUO) is BIOES under other letters. Sentences in another scheme are returned as they are, and so
    are those that have the letters of both, which :func:`tags.recognise` refuses.

    >>> splits_from_bilou({"train": [Sentence(("York", "Anna"), ("U-LOC", "O"))]})["train"][0].tags
    ('S-LOC', 'O')
    """
    names = {tag for sentences in splits.values() for sentence in sentences for tag in sentence.tags or ()}
    entity_tags = names - {OUTSIDE}
    if not all(map(_BILOU.fullmatch, entity_tags)) or not any(name[0] in "LU" for name in entity_tags):
        return dict(splits)
    written = {name: from_bilou(name) for name in names}
    return {
        split: [
            replace(sentence, tags=sentence.tags and tuple(written[tag] for tag in sentence.tags))
            for sentence in sentences
        ]
        for split, sentences in splits.items()
    }


def in_scheme(sentences: Sequence[Sentence], scheme: EntityScheme) -> list[Sentence]:
    """Return the sentences with their entities written in a scheme.

    >>> in_scheme([Sentence(("Anna", "Berg"), ("I-PER", "I-PER"))], "bioes")[0].tags
    ('B-PER', 'E-PER')
    """
    return [
        sentence if sentence.tags is None else replace(sentence, tags=convert(sentence.tags, scheme))
        for sentence in sentences
    ]
