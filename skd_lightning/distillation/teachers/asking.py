"""Asks the teachers of a language about its text, unless the cache knows their answers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np
import torch
from rich.progress import Progress

from skd_lightning.data.folds import Fold
from skd_lightning.data.sentence import Sentence
from skd_lightning.distillation.cache.answers import Answers
from skd_lightning.distillation.cache.entry import (
    CacheEntry,
    EmissionPrecision,
    Potentials,
    Spoken,
    content_key,
)
from skd_lightning.distillation.cache.parts import Parts
from skd_lightning.distillation.cache.reading import LanguageAnswers
from skd_lightning.distillation.objective import Needs
from skd_lightning.distillation.tag_mapping import map_tags
from skd_lightning.distillation.teachers.kinds import open_teacher
from skd_lightning.distillation.teachers.pools import Pool, by_similarity, learn_weights, product, uniform
from skd_lightning.distillation.teachers.requirements import TeacherFacts, heard, refuse_kind
from skd_lightning.distillation.teachers.roles import Learner, Speaker
from skd_lightning.distillation.teachers.sets import TeacherSet
from skd_lightning.errors import UserError

DEV_SENTENCES = 1000
"""Annotated sentences from which the weights of a pool are learned; more hardly move them."""


@dataclass(frozen=True)
class Text:
    """Sentences in one language.

    Attributes:
        name: the language, followed by "unlabelled" for its unlabelled text.
        language: its code.
        sentences: lists of words.
        labelled: somebody has annotated them.
        fold: to which they belong; None where the text is asked as a whole.
    """

    name: str
    language: str
    sentences: Sequence[Sequence[str]]
    labelled: bool = True
    fold: Fold | None = None

    @property
    def lengths(self) -> np.ndarray:
        """Return (sentences,) the number of words of each."""
        return np.array([len(words) for words in self.sentences], dtype=np.int64)


@dataclass(frozen=True)
class Member:
    """One teacher's answers on a text, in the cache.

    Attributes:
        parts: the entry of the cache.
        columns: (teacher's tags,) place of each among the student's.
        spoken: returns them, over the teacher's tags.
        hit: the cache had them.
        complete: there is one for every sentence.
    """

    parts: Parts
    columns: np.ndarray
    spoken: Callable[[], Spoken]
    hit: bool
    complete: bool = True


@dataclass
class Found:
    """One row of the report: the answers of the teachers on one text.

    Attributes:
        text: about which they spoke.
        members: of the pool.
        pooled: the pool's own entry of the cache, or the teacher's.
        hit: no teacher had to speak.
        mass: mean probability of the k best sequences together; None if nobody asked for them.
        taught: share of the sentences that the student learns from.
        heard: some teacher speaks on some sentence.
    """

    text: Text
    members: list[Member]
    pooled: Parts
    hit: bool
    mass: float | None = None
    taught: float = 1.0
    heard: bool = True

    @property
    def parts(self) -> list[Parts]:
        """Return all entries of the cache, each once."""
        return list(
            {str(one.folder): one for one in (*(m.parts for m in self.members), self.pooled)}.values()
        )


@dataclass(frozen=True)
class Asking:
    """Asks teachers about texts; one teacher at a time is on the device.

    Attributes:
        student: loads its teachers.
        teachers: who speaks on which language.
        needs: fields that the objective reads.
        cache: folder of the cache.
        precision: in which emissions are stored.
        outside: teachers may read files outside of their run folders.
        most_disagreement: nats a word above which a pool is not listened to on unlabelled sentences.
        most_entropy: nats a word above which teachers are not listened to on unlabelled sentences.
        show: progress bars.
        texts: {language: annotated sentences}, to which a text may be similar.
    """

    student: Learner
    teachers: TeacherSet
    needs: Needs
    cache: Path
    precision: EmissionPrecision
    outside: bool = False
    most_disagreement: float | None = None
    most_entropy: float | None = None
    show: bool = False
    texts: Mapping[str, Sequence[Sequence[str]]] = field(default_factory=dict)
    _loaded: dict[Path, Speaker] = field(default_factory=dict, repr=False)
    _facts_of: dict[Path, TeacherFacts] = field(default_factory=dict, repr=False)

    def _facts(self, folder: Path) -> TeacherFacts:
        """Return what is known about a teacher, and its tags in the student's."""
        if folder not in self._facts_of:
            teacher = self._load(folder)
            columns = map_tags(teacher.tag_set, self.student.tag_set, str(folder), self.teachers.tags)
            facts = (teacher.languages, teacher.speaks, teacher.complete)
            self._facts_of[folder] = TeacherFacts(teacher.fingerprint(), columns, *facts)
        return self._facts_of[folder]

    def _load(self, folder: Path) -> Speaker:
        """Return a teacher; the last one stays, for the next text."""
        if folder not in self._loaded:
            self._loaded.clear()
            tags, pieces = self.teachers.tags, self.teachers.pieces
            self._loaded[folder] = open_teacher(folder, self.student, self.outside, tags, pieces)
        return self._loaded[folder]

    def dismiss(self) -> None:
        """Let go of the last teacher, which would stay on the device with the student."""
        self._loaded.clear()

    def check(self, language: str) -> None:
        """Refuse teachers that are missing, cannot be loaded, or do not go with the student or its objective.

        Raises:
            UserError: naming the teacher.
        """
        for pool in self.teachers.pools(language).values():
            self._check(pool, language)

    def _check(self, pool: Pool, language: str) -> None:
        for folder in pool.folders:
            facts = self._facts(folder)
            filters = (self.most_disagreement is not None, self.most_entropy is not None)
            refuse_kind(folder, facts, self.needs, pool, *filters)
            together = len(np.unique(facts.columns)) < len(facts.columns)
            if together and self.needs.softening != 1:
                raise UserError(
                    f"{folder}: several of its tags are one tag of the student's; the temperature would soften each "
                    "alone: give --model.objective.temperature 1, or --model.objective.tempering potentials where the "
                    "objective has it"
                )
            if together and (len(pool.folders) > 1 or self._needs_potentials):
                raise UserError(
                    f"{folder}: several of its tags are one tag of the student's; that goes with a single teacher "
                    "and an objective that asks for no potentials, such as posterior, topk, or structural with alpha 1"
                )
        tags = [set(self._facts(folder).columns.tolist()) for folder in pool.folders]
        if pool.kind == "product" and tags and not set.intersection(*tags):
            raise UserError(
                f"{', '.join(map(str, pool.folders))}: these teachers of '{language}' have no tag in common, which "
                "leaves their product none: give --distillation.pool mixture"
            )
        if len(pool.folders) > 1 and pool.kind == "mixture" and self._needs_potentials:
            raise UserError(
                f"{len(pool.folders)} teachers speak on '{language}' as a mixture, which has no potentials for this "
                "objective: give --distillation.pool product, or another objective such as posterior"
            )

    @property
    def _needs_potentials(self) -> bool:
        return self.needs.emissions or self.needs.chain

    def answers(self, text: Text, dev: Sequence[Sentence]) -> tuple[LanguageAnswers, Found]:
        """Return what the objective needs to know about a text, and a row of the report.

        Args:
            text: to speak about.
            dev: annotated sentences of the language, from which weights of a pool may be learned.
        """
        pool, lengths = self.teachers.pool(text.language, text.fold), text.lengths
        members = [self._member(folder, text) for folder in pool.folders]
        potentials: Callable[[], Potentials] | None
        if len(members) == 1:
            (only,) = members
            answers = Answers(only.parts, lengths, lambda: [only.spoken()])
            columns, potentials = only.columns, lambda: cast("Potentials", only.spoken())
        else:
            weights = self._weights(pool, text, dev)
            answers, potentials = self._pooled(pool, members, text, weights)
            columns = np.arange(len(self.student.tag_set))
        words, needs = LanguageAnswers(lengths, columns, expectations=answers.expectations), self.needs
        found = Found(text, members, answers.parts, hit=all(member.hit for member in members))
        if self._needs_potentials:
            assert potentials is not None
            words.potentials = potentials()
        if needs.marginals is not None:
            words.marginals, _ = answers.expectations(needs.marginals, needs.softening)
        if needs.transition_counts is not None:
            _, words.transition_counts = answers.expectations(needs.transition_counts)
        if needs.k:
            words.paths, words.log_probs = answers.paths(needs.k)
        if needs.path_set is not None:
            words.path_sets = answers.path_sets(needs.path_set)
        filters = []
        if self.most_entropy is not None and not text.labelled:
            filters.append((answers.entropy(), self.most_entropy))
        if self.most_disagreement is not None and len(members) > 1 and not text.labelled:
            everyone = Answers(answers.parts, lengths, lambda: self._aligned(members), weights)
            filters.append((everyone.disagreement(), self.most_disagreement))
        learned_from = np.ones(len(lengths), dtype=bool)
        for nats, most in filters:
            learned_from &= nats / np.maximum(lengths, 1) <= most
        if not all(member.complete for member in members):
            known = heard(pool, [member.spoken().known for member in members])
            found.heard = bool(known.any())
            learned_from &= known
        found.taught = float(learned_from.mean()) if len(lengths) else 1.0
        if filters or not all(member.complete for member in members):
            words.taught = learned_from
        if words.log_probs is not None and learned_from.any():
            found.mass = float(np.exp(words.log_probs[learned_from]).sum(1).mean())
        return words, found

    def _member(self, folder: Path, text: Text) -> Member:
        """Return a teacher's answers on a text; it is asked now if the cache has none."""
        facts = self._facts(folder)
        key = content_key(f"{facts.fingerprint} {text.language}", text.sentences, self.precision)
        entry = CacheEntry(self.cache / key, self.precision)

        def ask() -> Spoken:
            speaker, count = self._load(folder), len(text.sentences)
            with Progress(transient=True, disable=not self.show) as bar:
                task = bar.add_task(f"teacher {text.name}: {count} sentences", total=count)
                advance = lambda n: bar.advance(task, n)  # noqa: E731
                return speaker.speak(text.sentences, advance, text.language)

        def spoken() -> Spoken:
            return entry.spoken(facts.speaks, ask)[0]

        hit = entry.parts.has(facts.speaks.part)
        if not hit:
            spoken()
        return Member(entry.parts, facts.columns, spoken, hit, facts.complete)

    def _aligned(self, members: Sequence[Member]) -> list[Spoken]:
        """Return what the members say, over the student's tags."""
        tags = len(self.student.tag_set)
        return [member.spoken().in_tags(member.columns, tags) for member in members]

    def _aligned_potentials(self, members: Sequence[Member]) -> list[Potentials]:
        """Return the members' potentials over the student's tags; :meth:`check` has refused members without."""
        return cast("list[Potentials]", self._aligned(members))

    def _pooled(
        self, pool: Pool, members: Sequence[Member], text: Text, weights: tuple[float, ...]
    ) -> tuple[Answers, Callable[[], Potentials] | None]:
        """Return the answers of a pool; and its potentials, which a mixture does not have."""
        made_of = [member.parts.folder.name for member in members]
        shares = [round(weight, 6) for weight in weights]
        columns = [member.columns.tolist() for member in members]
        identity = json.dumps([pool.kind, made_of, shares, list(self.student.tag_set.names), columns])
        parts = Parts(self.cache / hashlib.sha256(identity.encode()).hexdigest()[:24])
        if pool.kind == "mixture":
            return Answers(parts, text.lengths, lambda: self._aligned(members), weights), None

        def potentials() -> Potentials:
            made = parts.find_or_make(
                "emissions", lambda: product(self._aligned_potentials(members), weights).arrays()
            )
            return Potentials(**made[0])

        return Answers(parts, text.lengths, lambda: [potentials()]), potentials

    def _weights(self, pool: Pool, text: Text, dev: Sequence[Sentence]) -> tuple[float, ...]:
        """Return the weights of a pool's members, which sum to 1."""
        if not isinstance(pool.weights, str):
            return pool.weights
        if pool.weights == "similarity":
            learned_from = [self._facts(folder).languages for folder in pool.folders]
            theirs = [
                [words for name in names for words in self.texts.get(name, [])] for names in learned_from
            ]
            if unread := [str(place) for place, read in zip(pool.folders, theirs, strict=True) if not read]:
                raise UserError(
                    f"{', '.join(unread)}: similarity reads annotated sentences in a teacher's languages, and the "
                    "student has none of these; add the languages (--langs), or give --distillation.weights uniform"
                )
            return by_similarity(text.sentences, theirs)
        few = [sentence for sentence in dev if sentence.tags and sentence.words][:DEV_SENTENCES]
        if pool.weights == "uniform" or not few:
            return uniform(len(pool.folders))
        annotated = Text("dev", few[0].language, [sentence.words for sentence in few])
        lengths = annotated.lengths
        members = self._aligned_potentials([self._member(folder, annotated) for folder in pool.folders])
        starts, numbers = np.cumsum(lengths) - lengths, np.arange(len(few))
        gold = torch.zeros(len(few), int(lengths.max()), dtype=torch.long)
        for row, sentence in zip(gold, few, strict=True):
            row[: len(sentence.words)] = torch.tensor(self.student.tag_set.encode(sentence.tags or ()))
        return learn_weights(pool.kind, [one.chain(numbers, lengths, starts) for one in members], gold)
