"""Labels of a tagger that scores every word by itself, read as tags of a chain without ill-formed sequences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from skd_lightning.distillation.cache.entry import Potentials
from skd_lightning.errors import UserError
from skd_lightning.tags import OUTSIDE, Scheme, TagSet, from_bilou, split_tag

LEAST = -100.0
"""Log-probability, in nats, of what a tagger finds impossible: a sentence whose best labels are ill-formed then still
has a well-formed sequence."""


@dataclass(frozen=True)
class LabelReading:
    """The tags that labels stand for.

    Words are independent, so transitions are 0; those that the scheme forbids are -inf.

    Attributes:
        labels: of the tagger, in its order; those of one name add up.
        tag_set: the tags.
        columns: (tags,) place of each tag's label among the different ones; -1 for a tag without a label.
        apart: entities of one type never touch, as where labels are I-PER and O alone.
    """

    labels: tuple[str, ...]
    tag_set: TagSet
    columns: np.ndarray = field(compare=False)
    apart: bool = False

    def potentials(self, log_probs: np.ndarray, known: np.ndarray | None = None) -> Potentials:
        """Return the chain of the words' distributions.

        Args:
            log_probs: (words, labels) nats; -inf where impossible.
            known: (sentences,) bool, see :class:`Potentials`.
        """
        names = list(dict.fromkeys(self.labels))
        merged = np.full((len(log_probs), len(names) + 1), -np.inf, dtype=np.float32)  # the last: no label
        for place, label in enumerate(self.labels):
            column = names.index(label)
            merged[:, column] = np.logaddexp(merged[:, column], log_probs[:, place])
        emissions = np.maximum(merged[:, self.columns], LEAST)
        emissions[:, self.columns < 0] = -np.inf
        neighbours, first, last = self.tag_set.forbidden()
        if self.apart:
            kinds = [split_tag(name) for name in self.tag_set.names]
            touching = [[a[1] == b[1] != "" and b[0] == "B" for b in kinds] for a in kinds]
            neighbours = neighbours | np.array(touching)
        transitions, start, end = (
            np.where(mask, -np.inf, 0.0).astype(np.float32) for mask in (neighbours, first, last)
        )
        return Potentials(emissions, transitions, start, end, known)


def read_labels(
    labels: Sequence[str], scheme: Scheme, where: str, names: Mapping[str, str] | None = None
) -> LabelReading:
    """Recognise the scheme of labels: IOB2, BIOES (also written BILOU), types alone (I-PER or PER, and O), or none.

    Args:
        labels: of the tagger, in its order.
        scheme: of the student: without entities, labels are tags as they are.
        where: the tagger's name, for messages.
        names: {label: the student's tag}, for labels that name no scheme, such as LABEL_0 or [PAD].

    Raises:
        UserError: some type has I- but no B-, though others have: in IOB1, B- depends on the word before.

    >>> read_labels(["O", "B-PER", "I-PER"], "bioes", "x").tag_set
    TagSet(names=('O', 'B-PER', 'I-PER'), scheme='iob2')
    >>> read_labels(["PER", "O"], "bioes", "x").columns  # of O, B-PER, I-PER
    array([1, 0, 0])
    """
    if scheme != "none":
        labels = [label if split_tag(label)[1] else (names or {}).get(label, label) for label in labels]
    different = list(dict.fromkeys(labels))
    written = [from_bilou(label) for label in labels]
    if (
        scheme != "none"
        and written != labels
        and not any(split_tag(label)[0] in "ES" for label in different if split_tag(label)[1])
    ):
        return read_labels(written, scheme, where, names)
    entity_tags = [split_tag(label) for label in different if split_tag(label)[1]]
    found = {prefix for prefix, _ in entity_tags}
    apart = found == {"I"} or (not found and OUTSIDE in different and scheme != "none")
    if not found and not apart:
        return LabelReading(tuple(labels), TagSet(tuple(different), "none"), np.arange(len(different)))
    if odd := [label for label in different if label != OUTSIDE and bool(found) != bool(split_tag(label)[1])]:
        raise UserError(
            f"{where}: among labels such as {next(n for n in different if split_tag(n)[1])}, {', '.join(odd)} "
            "belongs to no scheme (IOB2, BIOES); say what it is under 'tags' in a file of teachers"
        )
    types = {split_tag(label)[1] or label for label in different} - {OUTSIDE}
    if not apart and (
        late := sorted(t for t in types if ("I", t) in entity_tags and ("B", t) not in entity_tags)
    ):
        raise UserError(
            f"{where}: it has I-{late[0]} without B-{late[0]}, so its labels are IOB1, in which a beginning depends "
            "on the word before; take a tagger with labels in IOB2 or BIOES"
        )
    tag_set = TagSet.of([f"B-{t}" for t in types] + [OUTSIDE], "bioes" if found & {"E", "S"} else "iob2")
    place = {label: number for number, label in enumerate(different)}

    def column(tag: str) -> int:
        kind = split_tag(tag)[1]
        return place.get(tag, place.get(f"I-{kind}", place.get(kind, -1)) if apart and kind else -1)

    return LabelReading(tuple(labels), tag_set, np.array([column(tag) for tag in tag_set.names]), apart)
