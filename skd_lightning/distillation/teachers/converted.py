"""A teacher whose tags are in another scheme than its student's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

from skd_lightning.distillation.cache.entry import Potentials, Spoken
from skd_lightning.distillation.scheme_conversion import IntoBioes
from skd_lightning.distillation.teachers.roles import Speaker
from skd_lightning.tags import Scheme


class InBioes:
    """A teacher in IOB2 that speaks in BIOES: the same distribution, see :mod:`scheme_conversion`.

    Args:
        speaker: the teacher.
    """

    def __init__(self, speaker: Speaker) -> None:
        self._speaker = speaker
        self._convert = IntoBioes(speaker.tag_set)
        self.tag_set = self._convert.tag_set
        self.languages, self.complete = speaker.languages, speaker.complete
        self.speaks: type[Spoken] = speaker.speaks

    def fingerprint(self) -> str:
        """Return a hash of all that its answers depend on."""
        return f"{self._speaker.fingerprint()} in bioes"

    def speak(
        self, sentences: Sequence[Sequence[str]], advance: Callable[[int], object], language: str
    ) -> Spoken:
        """Return its answers on sentences in one language, see :class:`Speaker`."""
        return self._convert(cast("Potentials", self._speaker.speak(sentences, advance, language)))


def speaking_in(speaker: Speaker, scheme: Scheme) -> Speaker:
    """Return a teacher that speaks in a student's scheme, where that is IOB2 into BIOES; else the teacher itself."""
    if (speaker.tag_set.scheme, scheme) == ("iob2", "bioes") and speaker.speaks is Potentials:
        return InBioes(speaker)
    return speaker
