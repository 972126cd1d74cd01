"""Trainings that could not end well: said before they start, not after."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from skd_lightning.data.module import TaggingData
from skd_lightning.distillation.cache.answers import WORDS
from skd_lightning.errors import UserError

SILENT = {
    "fast_dev_run": "it keeps no weights; give --trainer.max_epochs 1 for a short training",
    "barebones": "it keeps no weights and logs no scores; leave it out",
    "overfit_batches": "dev scores would be those of training sentences; give --data.max_train_sentences",
}
"""Options of the trainer that leave nothing to select, with what to do instead."""

BYTES = 12
"""Bytes of a hypothesis while the best sequences are searched: its score, and where it comes from."""


def refuse_without_selection(settings: Mapping[str, Any], linear: bool) -> None:
    """Refuse settings with which no dev score would ever select weights, or a training would never end.

    Args:
        settings: of the trainer.
        linear: the learning rate falls to 0 over all steps, whose number has to be known.

    Raises:
        UserError: naming the option, and what to give instead.
    """
    for name, reason in SILENT.items():
        if settings[name]:
            raise UserError(f"--trainer.{name} is {settings[name]}: {reason}")
    if settings["enable_checkpointing"] is False:
        raise UserError("--trainer.enable_checkpointing is False: the best weights are kept; leave it out")
    for name in ("max_epochs", "max_steps", "limit_train_batches", "limit_val_batches", "limit_test_batches"):
        if settings[name] == 0:
            what = "test" if "test" in name else "dev score" if "val" in name else "training"
            raise UserError(
                f"--trainer.{name} is 0, there would be no {what}; leave it out or give at least 1"
            )
    if isinstance(settings["max_time"], str) and not re.search("[1-9]", settings["max_time"]):
        raise UserError(
            f"--trainer.max_time is {settings['max_time']}; give days:hours:minutes:seconds above 0"
        )
    epochs, every = settings["max_epochs"], settings["check_val_every_n_epoch"]
    if epochs == -1 and settings["max_steps"] == -1 and (linear or not settings["max_time"]):
        raise UserError(
            "--trainer.max_epochs is -1: the training would not end; give --trainer.max_steps, too"
        )
    if every and epochs and 0 < epochs < every:
        raise UserError(
            f"--trainer.check_val_every_n_epoch is {every}, the training has {epochs} epochs "
            f"(--trainer.max_epochs): give at most {epochs}"
        )


def refuse_without_annotation(data: TaggingData, learns_from_unlabelled: bool) -> None:
    """Refuse corpora from which nothing could be learnt, or without a dev score that selects the best weights.

    Args:
        data: with the sentences.
        learns_from_unlabelled: sentences without gold tags teach, too.

    Raises:
        UserError: naming the task and the languages.
    """
    names = ", ".join(data.all_languages)
    if not data.train_languages:
        raise UserError(f"task {data.task}: no training sentences in {names}")
    if not learns_from_unlabelled and not any(sentence.tags for sentence in data.train_sentences):
        raise UserError(
            f"task {data.task}: no training sentence in {names} has tags, from which a tagger learns; "
            f"'skd corpus --task {data.task}' shows what is read"
        )
    if not any(sentence.tags for sentences in data.sentences["dev"].values() for sentence in sentences):
        raise UserError(
            f"task {data.task}: no dev sentences with tags in {names}, which select the best weights; give a dev file, "
            "or no dev file and at least 2 training sentences with tags"
        )


def refuse_paths_beyond_memory(k: int, data: TaggingData) -> None:
    """Refuse a k whose best sequences of a teacher would not fit into memory.

    Args:
        k: sequences of a sentence that the objective asks for.
        data: with the sentences.

    Raises:
        UserError: naming what they would take, and what there is.
    """
    longest = max(len(sentence.words) for sentence in data.train_sentences + data.unlabelled_sentences)
    words = max(WORDS, longest)
    needed = words * len(data.tag_set) * k * BYTES / 2**30
    there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    if needed > there:
        raise UserError(
            f"--model.objective.k is {k}: the best sequences of {words:,} words with {len(data.tag_set)} tags take "
            f"{needed:,.0f} GiB, this machine has {there:,.0f}; give a smaller k"
        )


def refuse_before_first_score(settings: Mapping[str, Any], batches: int) -> None:
    """Refuse a training that ends before its first validation.

    Args:
        settings: of the trainer.
        batches: of an epoch, in one process.

    Raises:
        UserError: naming the option, and the step of the first validation.
    """
    limit, interval = settings["limit_train_batches"], settings["val_check_interval"]
    if limit is not None:
        batches = min(batches, limit) if isinstance(limit, int) else int(batches * limit)
    if not batches:
        raise UserError(f"--trainer.limit_train_batches is {limit}, which leaves no batch of an epoch")
    every = settings["check_val_every_n_epoch"]
    if not isinstance(interval, int | float | None):
        return  # a time
    if isinstance(interval, int) and every is not None and interval > batches:
        raise UserError(
            f"--trainer.val_check_interval is {interval}, an epoch has {batches} batches: give at most {batches}"
        )
    if isinstance(interval, float) and not int(batches * interval):
        raise UserError(f"--trainer.val_check_interval is {interval}, less than one of {batches} batches")
    steps = settings["max_steps"]
    before = (
        0 if interval in (None, 1.0) else interval if isinstance(interval, int) else int(batches * interval)
    )
    accumulate = settings["accumulate_grad_batches"]
    epoch = -(-batches // accumulate)
    first = epoch * ((every or 1) - 1) + (-(-before // accumulate) if before else epoch)
    if steps is not None and 0 < steps < first:
        raise UserError(
            f"--trainer.max_steps is {steps}, the first dev score comes after step {first}: give at least {first}, "
            "or a smaller --trainer.val_check_interval"
        )
