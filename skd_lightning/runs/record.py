"""The record of a finished run: ``results.json`` with its schema, and the counts that its test made."""

from __future__ import annotations

import math
import platform
import resource
import shlex
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, field_validator, model_validator

from skd_lightning import __version__
from skd_lightning.errors import UserError
from skd_lightning.parsing import first_error
from skd_lightning.run_folder import RunFolder
from skd_lightning.storage import new_file, new_folder, write_text

SCHEMA = 1
"""Version of the format of ``results.json``."""

Code = Annotated[str, Field(pattern=r"^[^/\\\x00-\x1f]{1,100}$")]
"""A language, whose counts are in a file of that name: no path."""

R = TypeVar("R", bound="Record")


class LanguageScores(BaseModel):
    """Test scores of one language, in [0, 1]; entity scores are there for entity tags only.

    Attributes:
        accuracy: share of the words with the gold tag.
        sentences: how many were tested.
        words: how many were tested.
        f1: entity F1, conlleval's reading.
        precision: of the same entities.
        recall: of the same entities.
        f1_strict: entity F1 where only well-formed entities count.
    """

    model_config = ConfigDict(frozen=True)

    accuracy: float = Field(ge=0, le=1)
    sentences: NonNegativeInt
    words: NonNegativeInt
    f1: float | None = Field(None, ge=0, le=1)
    precision: float | None = Field(None, ge=0, le=1)
    recall: float | None = Field(None, ge=0, le=1)
    f1_strict: float | None = Field(None, ge=0, le=1)


class TypeScores(BaseModel):
    """Test scores of one entity type in one language, as seqeval's classification report has them.

    Attributes:
        precision: share of the predicted entities that are right.
        recall: share of the gold entities that were found.
        f1: their harmonic mean.
        support: gold entities.
        predicted: entities.
    """

    model_config = ConfigDict(frozen=True)

    precision: float = Field(ge=0, le=1)
    recall: float = Field(ge=0, le=1)
    f1: float = Field(ge=0, le=1)
    support: NonNegativeInt
    predicted: NonNegativeInt


class Record(BaseModel):
    """The subject of a test and its findings, whatever kind of test it is.

    Attributes:
        schema_: version of the file's format.
        task: name of the task.
        role: of the tagger; a ``peer`` is a system of another library, trained on the same sentences.
        loss: the objective's name, ``none`` for teachers, peers and the baseline.
        objective: the objective's settings, such as ``{"k": 5}``.
        variant: what tables call the run; its loss if empty.
        seed: of the training.
        metric: which score ``average`` is the macro mean of.
        languages: scores of each language.
        average: macro mean over the languages, in [0, 1].
        types: scores of each entity type in each language; empty where tags mark no entities.
        peak_memory_mib: MiB of the GPU where there is one, else of the process.
        command: what was typed.
        versions: of Python and of the packages that matter.
    """

    model_config = ConfigDict(
        frozen=True, populate_by_name=True, ser_json_inf_nan="strings", allow_inf_nan=False
    )

    schema_: int = Field(SCHEMA, alias="schema")
    task: str
    role: Literal["teacher", "student", "peer"]
    loss: str
    objective: dict[str, Any] = Field(default_factory=dict)
    variant: str = ""
    seed: int
    metric: Literal["f1", "accuracy"]
    languages: dict[Code, LanguageScores] = Field(min_length=1)
    average: float = Field(ge=0, le=1)
    types: dict[str, dict[str, TypeScores]] = Field(default_factory=dict)
    peak_memory_mib: int
    command: str
    versions: dict[str, str]

    @field_validator("schema_")
    @classmethod
    def _refuse_other_schema(cls, schema: int) -> int:
        if schema != SCHEMA:
            raise ValueError(f"schema {schema}, this version reads {SCHEMA}")
        return schema

    @model_validator(mode="after")
    def _refuse_without_metric(self) -> Record:
        for language, scores in self.languages.items():
            if getattr(scores, self.metric) is None:
                raise ValueError(f"languages.{language}.{self.metric}: missing, and it is the metric")
        return self

    def score(self, language: str) -> float:
        """Return the language's score by the record's metric."""
        return float(getattr(self.languages[language], self.metric))

    def save(
        self, folder: RunFolder, counts: Mapping[str, np.ndarray], confusion: np.ndarray | None = None
    ) -> None:
        """Write the record, ``results.json`` last: where it is, everything is.

        Args:
            folder: of the run.
            counts: {language: (sentences, 9)}, see ``metrics.COLUMNS``; one row a test sentence, in the corpus's order.
            confusion: (tags, tags) words ``[gold, predicted]``.
        """
        with new_folder(folder.counts) as temporary:
            for language, rows in counts.items():
                np.save(temporary / f"{language}.npy", rows.astype(np.int32), allow_pickle=False)
        if confusion is not None:
            with new_file(folder.confusion) as file:
                np.save(file, confusion.astype(np.int64), allow_pickle=False)
        text = self.model_dump_json(indent=2, by_alias=True, exclude_none=True)
        write_text(folder.results, text + "\n")

    @classmethod
    def read(cls: type[R], folder: RunFolder) -> R | None:
        """Return the record of a finished run, None where there is none.

        Raises:
            ValueError: the file does not follow the schema; the message names the first key that does not.
        """
        if not folder.finished:
            return None
        with first_error():
            return cls.model_validate_json(folder.results.read_bytes())

    @classmethod
    def read_or_refuse(cls: type[R], folder: RunFolder) -> R | None:
        """Return the record of a finished run, None where there is none; refuse a damaged one.

        Raises:
            UserError: the file does not follow the schema; the message names it, and the first key that does not.
        """
        try:
            return cls.read(folder)
        except ValueError as error:
            raise UserError(f"{folder.results}: damaged ({error}); add --anew to train it again") from None


class Results(Record):
    """The record of a training and of its test.

    Attributes:
        tags: names of the tags, in the order of their numbers.
        epochs: completed.
        steps: optimiser steps taken.
        seconds: ``teacher_predictions`` and ``fit``, the training without them.
        parameters: of the tagger.
        annotated: languages of which it had annotated training sentences; earlier versions have not written them.
    """

    tags: list[str]
    epochs: NonNegativeInt
    steps: NonNegativeInt
    seconds: dict[Literal["teacher_predictions", "fit"], float] = Field(min_length=2)
    parameters: NonNegativeInt
    annotated: list[Code] | None = None


class PeerResults(Record):
    """The record of a peer: one or several models of another library, scored together on all languages.

    Attributes:
        role: it is a peer.
        tags: names of the tags, in the order of their numbers.
        seconds: CPU seconds of all threads: ``fit``, and ``tagging`` the test words, features and decoding.
        parameters: of all models together.
    """

    role: Literal["peer"]
    tags: list[str]
    seconds: dict[Literal["fit", "tagging"], float] = Field(min_length=2)
    parameters: NonNegativeInt

    @property
    def words_per_second(self) -> float:
        """Return the test words that were tagged in a CPU second; not a number where no time was measured."""
        words = sum(found.words for found in self.languages.values())
        return words / self.seconds["tagging"] if self.seconds["tagging"] else math.nan


class ZeroshotResults(Record):
    """The record of a test on languages that the run was not trained on.

    Attributes:
        asked: languages that the test was asked for, those that the run was trained on included.
        on: task whose sentences they are; the run's own if empty.
    """

    asked: list[str]
    on: str = ""

    def beside(self, earlier: ZeroshotResults) -> ZeroshotResults:
        """Return the results with those of an earlier test on other languages of the same corpora."""
        both = {
            "asked": sorted({*earlier.asked, *self.asked}),
            "languages": {**earlier.languages, **self.languages},
            "types": {**earlier.types, **self.types},
        }
        joined = self.model_copy(update=both)
        return joined.model_copy(update={"average": fmean(map(joined.score, joined.languages))})


def surroundings(command: str = "") -> dict[str, Any]:
    """Return the fields of a record that tell of the process: memory, command and versions.

    Args:
        command: what was typed; the command line of this process if empty.
    """
    return {
        "peak_memory_mib": peak_memory(),
        "command": command or typed_command(),
        "versions": {
            "python": platform.python_version(),
            "skd-lightning": __version__,
            **{name: version(name) for name in ("torch", "pytorch-lightning")},
        },
    }


def typed_command() -> str:
    """Return the command line of this process."""
    return shlex.join(["skd", *sys.argv[1:]])


def peak_memory() -> int:
    """Return MiB: of the GPU where there is one, else of this process since it started."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() // 2**20
    status = Path("/proc/self/status")
    if status.exists():  # what getrusage says there includes the process that started this one
        peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(peak.split()[1]) // 2**10
    unit = 1 if platform.system() == "Darwin" else 1024  # bytes there, KiB on Linux
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit // 2**20
