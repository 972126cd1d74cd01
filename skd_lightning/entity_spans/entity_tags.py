"""What the tags of a tag set do in an entity."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from skd_lightning.tags import TagSet, continues, split_tag


class EntityTags(NamedTuple):
    """What each tag does in an entity, by its number.

    Attributes:
        labels: the type of its entity; "" for a tag of no entity.
        begins: True if a well-formed entity may begin with it.
        ends: True if a well-formed entity may end with it.
        onward: numbers of the tags that carry on its entity.
    """

    labels: tuple[str, ...]
    begins: tuple[bool, ...]
    ends: tuple[bool, ...]
    onward: tuple[tuple[int, ...], ...]


@lru_cache(maxsize=100)
def entity_tags(tag_set: TagSet) -> EntityTags:
    """Return what the tags do in an entity. Remembered, for all pairs of tags are compared."""
    labels = tuple(split_tag(name)[1] for name in tag_set.names)
    _, needs_left, needs_right = (mask.tolist() for mask in tag_set.forbidden())
    return EntityTags(
        labels,
        tuple(bool(label) and not needs for label, needs in zip(labels, needs_left, strict=True)),
        tuple(bool(label) and not needs for label, needs in zip(labels, needs_right, strict=True)),
        tuple(
            tuple(number for number, name in enumerate(tag_set.names) if continues(before, name))
            for before in tag_set.names
        ),
    )
