"""A file of predictions as a teacher: what a large language model, or any other tool, has said about sentences."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from skd_lightning.distillation.cache.entry import Potentials, Spoken
from skd_lightning.distillation.cache.statements import SpanScores, WeightedSequences
from skd_lightning.distillation.label_reading import read_labels
from skd_lightning.distillation.tag_mapping import map_tags
from skd_lightning.distillation.teachers.prediction_lines import AnswerKind, Line, read_line
from skd_lightning.errors import UserError
from skd_lightning.tags import OUTSIDE, EntityScheme, TagSet, convert, from_bilou, split_tag

ANSWERS: dict[AnswerKind, type[Spoken]] = {
    "sequences": WeightedSequences,
    "probabilities": Potentials,
    "spans": SpanScores,
}


class PredictionsFile:
    """Predictions on sentences, one a line (``.jsonl``), found by the sentence's words.

    It is read line by line, once when it is opened, which checks every line, and once for each text; sentences that
    nobody asks about are not kept. All lines have the same kind of answer, see :func:`read_line`. Tag sequences and
    spans are written in the student's scheme; sequences that are ill-formed are repaired as conlleval reads them.

    Args:
        path: of the file.
        student: its tags.
        names: {type, or tag without a scheme: the student's name for it}, see :func:`map_tags`.

    Raises:
        UserError: naming the line that is wrong.
    """

    complete: ClassVar[bool] = False
    languages: ClassVar[list[str]] = []

    def __init__(self, path: Path, student: TagSet, names: Mapping[str, str] | None = None) -> None:
        self._path, self._student, self._names = path, student, dict(names or {})
        self._digest = hashlib.sha256()
        self._labels: dict[str, None] = {}
        """Labels of words as they stand there, or types of spans, in the order of their first line."""
        answers: dict[bytes, bytes] = {}
        kind: AnswerKind | None = None
        for where, raw, line in self._lines():
            self._digest.update(raw)
            if kind not in (None, line.kind):
                raise UserError(
                    f"{where}: it has {line.kind}, the lines before have {kind}; give each a file"
                )
            kind = line.kind
            self._take_labels(line, where)
            key, answer = _digest(line.words), _digest(line.answer)
            if answers.setdefault(key, answer) != answer:
                raise UserError(
                    f"{where}: another answer about words that an earlier line has, too; keep one"
                )
        if kind is None:
            raise UserError(f"{path}: it holds no predictions; expected one JSON object a line")
        self.kind: AnswerKind = kind
        self.speaks = ANSWERS[kind]
        if kind == "probabilities":
            self._reading = read_labels(list(self._labels), student.scheme, str(path), self._names)
            self.tag_set = self._reading.tag_set
        else:
            self.tag_set = self._own_tags()

    def fingerprint(self) -> str:
        """Return a hash of the file's content, and of what its tags mean."""
        tags = [self.tag_set.scheme, *self.tag_set.names, sorted(self._names.items())]
        return f"{self._digest.hexdigest()} {self.kind} {json.dumps(tags)}"

    def speak(
        self, sentences: Sequence[Sequence[str]], advance: Callable[[int], object], language: str
    ) -> Spoken:
        """Return what the file says about sentences; the language does not matter."""
        wanted: dict[bytes, list[int]] = {}
        for place, words in enumerate(sentences):
            wanted.setdefault(_digest(words), []).append(place)
        found: list[Any] = [None] * len(sentences)
        for _, _, line in self._lines():
            for place in wanted.get(_digest(line.words), ()):
                advance(found[place] is None)
                found[place] = line.answer
        known = np.array([answer is not None for answer in found], dtype=bool)
        lengths = np.array([len(words) for words in sentences], dtype=np.int64)
        made: dict[AnswerKind, Callable[..., Spoken]] = {
            "sequences": self._sequences,
            "probabilities": self._potentials,
            "spans": self._spans,
        }
        return made[self.kind](found, lengths, known)

    def _lines(self) -> Iterator[tuple[str, bytes, Line]]:
        """Yield place, content and meaning of every line that is not empty."""
        try:
            with self._path.open("rb") as file:
                for number, raw in enumerate(file, start=1):
                    if raw.strip():
                        where = f"{self._path}:{number}"
                        yield where, raw, read_line(raw, where)
        except OSError as error:
            raise UserError(f"{self._path}: {error.strerror}") from None

    def _take_labels(self, line: Line, where: str) -> None:
        """Remember the labels of a line; refuse those that are none of the student's."""
        if line.kind == "spans":
            if self._student.scheme == "none":
                raise UserError(f"{where}: it has spans, and the student's tags mark no entities")
            labels = [label for _, _, label, _ in line.answer]
        elif line.kind == "sequences":
            labels = [tag for _, tags in line.answer for tag in tags]
        else:
            labels = [tag for word in line.answer for tag in word]
        for label in dict.fromkeys(labels):
            if label not in self._labels:
                self._labels[label] = None
                tag = f"B-{label}" if line.kind == "spans" else self._written(label)
                own = (
                    TagSet((tag,), "none")
                    if self._student.scheme == "none"
                    else TagSet.of([tag], self._student.scheme)
                )
                map_tags(own, self._student, where, self._names)

    def _written(self, label: str) -> str:
        """Return a label as a tag: BILOU as BIOES, and a type alone as if inside of an entity."""
        if self._student.scheme == "none":
            return label
        label = self._names.get(label, label) if not split_tag(label)[1] else label
        tag = from_bilou(label)
        return tag if tag == OUTSIDE or split_tag(tag)[1] else f"I-{tag}"

    def _own_tags(self) -> TagSet:
        if self._student.scheme == "none":
            return TagSet.of(self._labels, "none")
        tags = [f"B-{label}" if self.kind == "spans" else self._written(label) for label in self._labels]
        return TagSet.of(tags, self._student.scheme)

    def _sequences(self, found: list[Any], lengths: np.ndarray, known: np.ndarray) -> WeightedSequences:
        sizes: list[int] = []
        weights: list[float] = []
        tags: list[int] = []
        for answer in found:
            own: dict[tuple[str, ...], float] = {}
            for weight, sequence in answer or ():
                written = tuple(self._written(tag) for tag in sequence)
                if self._student.scheme != "none":
                    written = convert(written, self._entity_scheme)
                own[written] = own.get(written, 0.0) + weight
            sizes.append(len(own))
            weights += own.values()
            tags += [number for sequence in own for number in self.tag_set.encode(sequence)]
        return WeightedSequences(
            np.array(sizes, dtype=np.int64),
            np.log(np.array(weights, dtype=np.float64)).astype(np.float32),
            np.array(tags, dtype=np.int64),
            np.array([len(self.tag_set)]),
            known,
        )

    def _potentials(self, found: list[Any], lengths: np.ndarray, known: np.ndarray) -> Potentials:
        labels = {label: place for place, label in enumerate(self._labels)}
        probabilities = np.zeros((int(lengths.sum()), len(labels)))
        word = 0
        for answer, length in zip(found, lengths, strict=True):
            for place, own in enumerate(answer or [{}] * length):
                for label, value in own.items():
                    probabilities[word + place, labels[label]] = value
            word += length
        probabilities[probabilities.sum(1) == 0] = 1.0  # of sentences on which nobody listens
        with np.errstate(divide="ignore"):
            log_probs = np.log(probabilities) - np.log(probabilities.sum(1, keepdims=True))
        return self._reading.potentials(log_probs, known)

    def _spans(self, found: list[Any], lengths: np.ndarray, known: np.ndarray) -> SpanScores:
        labels = {label: place for place, label in enumerate(self._labels)}
        spans = [(first, last, labels[label]) for answer in found for first, last, label, _ in answer or ()]
        prefixes = "SBIE" if self._student.scheme == "bioes" else "BBII"
        coding = [[self.tag_set.index(f"{prefix}-{label}") for prefix in prefixes] for label in labels]
        return SpanScores(
            np.array([len(answer or ()) for answer in found], dtype=np.int64),
            np.array(spans, dtype=np.int64).reshape(-1, 3),
            np.array([score for answer in found for *_, score in answer or ()], dtype=np.float64),
            np.array(coding, dtype=np.int64).reshape(-1, 4),
            np.array([self.tag_set.index(OUTSIDE)]),
            np.array([len(self.tag_set)]),
            known,
        )

    @property
    def _entity_scheme(self) -> EntityScheme:
        assert self._student.scheme != "none"
        return self._student.scheme


def _digest(value: Any) -> bytes:
    """Return a hash of words or of an answer."""
    return hashlib.sha256(json.dumps(value).encode()).digest()[:16]
