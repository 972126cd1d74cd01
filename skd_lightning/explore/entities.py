"""seqeval's classification report of a tagger: precision, recall, F1 and support of each entity type."""

from __future__ import annotations

from collections.abc import Sequence

from seqeval.metrics import classification_report

from skd_lightning.data.sentence import Sentence
from skd_lightning.taggers import Tagger
from skd_lightning.tags import EntityScheme, convert


def entity_report(tagger: Tagger, sentences: Sequence[Sentence]) -> str:
    """Tag annotated sentences and return seqeval's report as text, in its default reading, which is conlleval's.

    Args:
        tagger: of entities.
        sentences: with tags, in any entity scheme.
    """
    scheme: EntityScheme = "iob2"
    gold = [[*convert(sentence.tags or (), scheme)] for sentence in sentences]
    words, languages = [s.words for s in sentences], [s.language for s in sentences]
    found = [[*convert(p.tags, scheme)] for p in tagger.predict(words, languages)]
    return str(classification_report(gold, found, digits=4, zero_division=0))
