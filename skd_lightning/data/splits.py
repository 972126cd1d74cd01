"""Cutting sentences into train, dev and test where a corpus does not; the same cut in every run."""

from __future__ import annotations

import random
from collections.abc import Mapping

from skd_lightning.data.sentence import Sentence
from skd_lightning.errors import UserError

Splits = dict[str, list[Sentence]]


def cut_dev(language: str, splits: Splits) -> str:
    """Make a tenth of the training sentences (at least one) the dev set, in place.

    Returns:
        A line that says so.
    """
    train = splits["train"]
    chosen = set(random.Random(f"{language} dev").sample(range(len(train)), max(1, len(train) // 10)))
    splits["dev"] = [sentence for i, sentence in enumerate(train) if i in chosen]
    splits["train"] = [sentence for i, sentence in enumerate(train) if i not in chosen]
    return f"{language}: no dev file; a tenth of train ({len(chosen):,} sentences) became dev"


def sample_size(sample: int | Mapping[str, int] | None, language: str) -> int | None:
    """Sentences to draw of a language: a number for all, or one by language with ``other`` for the rest.

    Raises:
        UserError: fewer than 10, which cannot be cut 8:1:1.
    """
    size = sample if sample is None or isinstance(sample, int) else sample.get(language, sample.get("other"))
    if size is not None and size < 10:
        raise UserError(
            f"--data.sample: {size} sentences of {language} cannot be cut 8:1:1; at least 10 are needed"
        )
    return size


def resample(language: str, splits: Splits, size: int) -> str:
    """Draw so many different labelled sentences from all splits together and cut them 8:1:1, in place.

    No sentence stands in two of the new splits, since sentences with the same words count once.

    Returns:
        A line that says what was drawn and what there was.
    """
    labelled = [s for split in ("train", "dev", "test") for s in splits[split] if s.tags is not None]
    different = list({sentence.words: sentence for sentence in reversed(labelled)}.values())[::-1]
    if len(different) < 10:
        raise UserError(
            f"--data.sample: {language} has {len(different)} labelled sentences; at least 10 are needed"
        )
    drawn = random.Random(f"{language} sample").sample(different, min(size, len(different)))
    held = len(drawn) // 10
    splits["dev"], splits["test"], splits["train"] = drawn[:held], drawn[held : 2 * held], drawn[2 * held :]
    short = "" if len(drawn) == size else f" ({size:,} were asked for)"
    return (
        f"{language}: {len(drawn):,} of {len(different):,} different sentences drawn{short} and cut 8:1:1 "
        f"({len(splits['train']):,}, {held:,}, {held:,})"
    )
