"""The tag schemes of a task's languages: one is recognised for each, and all are converted to the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from skd_lightning.data.sentence import Sentence
from skd_lightning.errors import UserError
from skd_lightning.tags import EntityScheme, SchemeReport, convert, recognise


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


def in_scheme(sentences: Sequence[Sentence], scheme: EntityScheme) -> list[Sentence]:
    """Return the sentences with their entities written in a scheme.

    >>> in_scheme([Sentence(("Anna", "Berg"), ("I-PER", "I-PER"))], "bioes")[0].tags
    ('B-PER', 'E-PER')
    """
    return [
        sentence if sentence.tags is None else replace(sentence, tags=convert(sentence.tags, scheme))
        for sentence in sentences
    ]
