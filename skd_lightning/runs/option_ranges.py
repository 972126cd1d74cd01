"""The range of every number that an option takes; one that is outside is refused before anything starts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from skd_lightning.errors import UserError

MOST_SEED = 2**32 - 1
"""The largest seed that NumPy takes."""


@dataclass(frozen=True)
class Range:
    """The numbers from ``low`` to ``high``.

    Attributes:
        low: smallest.
        high: largest.
        above: ``low`` itself is outside.
        below: ``high`` itself is outside.

    >>> str(Range(0, 1, below=True)), str(Range(1)), -1 in Range(0)
    ('at least 0, below 1', 'at least 1', False)
    """

    low: float
    high: float = math.inf
    above: bool = False
    below: bool = False

    def __contains__(self, value: float) -> bool:
        return (
            self.low <= value <= self.high
            and not (self.above and value == self.low)
            and not (self.below and value == self.high)
            and abs(value) != math.inf
        )

    def __str__(self) -> str:
        low = f"{'above' if self.above else 'at least'} {self.low:,}"
        if self.high == math.inf:
            return low
        return f"{low}, {'below' if self.below else 'at most'} {self.high:,}"


POSITIVE, NOT_NEGATIVE = Range(0, above=True), Range(0)
SHARE, DROPOUT = Range(0, 1), Range(0, 1, below=True)
SEED, COUNT, SIZE = Range(0, MOST_SEED), Range(0, 10**9), Range(1, 10**9)
WIDTH = Range(1, 100_000)
BATCHES = Range(0, 10**9)

RANGES: Mapping[str, Range] = {
    "seed_everything": SEED,
    "threads": Range(1, 256),
    "patience": COUNT,
    "data.tokens": SIZE,
    "data.eval_tokens": SIZE,
    "data.exponent": Range(0, 10),
    "data.max_train_sentences": SIZE,
    "data.max_dev_sentences": SIZE,
    "data.held_back": COUNT,
    "data.generated": COUNT,
    "data.generated_kinds": SHARE,
    "data.unlabelled_ratio": Range(0, 1000),
    "data.word_column": Range(0, 1000),
    "data.tag_column": Range(-1000, 1000),
    "data.sample": SIZE,
    "data.workers": Range(0, 256),
    "data.seed": SEED,
    "distillation.most_disagreement": NOT_NEGATIVE,
    "distillation.most_entropy": NOT_NEGATIVE,
    "distillation.folds": Range(2, 1000),
    "trainer.max_epochs": Range(-1, 10**9),
    "trainer.min_epochs": COUNT,
    "trainer.max_steps": Range(-1, 10**12),
    "trainer.min_steps": COUNT,
    "trainer.limit_train_batches": BATCHES,
    "trainer.limit_val_batches": BATCHES,
    "trainer.limit_test_batches": BATCHES,
    "trainer.limit_predict_batches": BATCHES,
    "trainer.overfit_batches": BATCHES,
    "trainer.val_check_interval": Range(0, 10**9, above=True),
    "trainer.check_val_every_n_epoch": SIZE,
    "trainer.num_sanity_val_steps": Range(-1, 10**9),
    "trainer.log_every_n_steps": COUNT,
    "trainer.accumulate_grad_batches": Range(1, 10_000),
    "trainer.gradient_clip_val": NOT_NEGATIVE,
    "trainer.num_nodes": Range(1, 100_000),
    "trainer.reload_dataloaders_every_n_epochs": COUNT,
    "model.hidden_size": WIDTH,
    "model.hidden_states": Range(-1000, 1000),
    "model.layers": Range(1, 100),
    "model.dropout": DROPOUT,
    "model.form_dropout": DROPOUT,
    "model.embedding_size": WIDTH,
    "model.word_embedding_size": Range(0, 100_000),
    "model.size": WIDTH,
    "model.buckets": Range(1, 2**31 - 1),
    "model.min_count": COUNT,
    "model.l2": POSITIVE,
    "model.l2_of_languages": POSITIVE,
    "model.iterations": SIZE,
    "model.encoder_lr": NOT_NEGATIVE,
    "model.tables_lr": NOT_NEGATIVE,
    "model.pretrained_lr": NOT_NEGATIVE,
    "model.head_lr": NOT_NEGATIVE,
    "model.transitions_lr": NOT_NEGATIVE,
    "model.weight_decay": NOT_NEGATIVE,
    "model.warmup": DROPOUT,
    "model.plateau_factor": Range(0, 1, above=True, below=True),
    "model.plateau_patience": COUNT,
    "model.start": SHARE,
    "model.epochs": POSITIVE,
    "model.k": Range(1, 100_000),
    "model.temperature": POSITIVE,
    "model.posterior_weight": NOT_NEGATIVE,
    "model.topwk_weight": NOT_NEGATIVE,
    "model.alpha": SHARE,
    "model.mass": Range(0, 1, above=True),
}
"""{option: its range}; a part of the model stands here by its last name, in whatever part it is a setting."""

SHARES = (
    "limit_train_batches",
    "limit_val_batches",
    "limit_test_batches",
    "limit_predict_batches",
    "overfit_batches",
    "val_check_interval",
)
"""Options of the trainer that take a number of batches or, with a decimal point, a share of all."""


def refuse_out_of_range(settings: Mapping[str, Any]) -> None:
    """Refuse the first number that lies outside of its range.

    Args:
        settings: all that were parsed, nested as in a configuration file.

    Raises:
        UserError: naming the option, its value and its range.
    """
    for option, value in numbers(settings):
        rule = RANGES.get(_row(option))
        if rule is not None and isinstance(value, float) and option.rpartition(".")[2] in SHARES:
            rule = Range(rule.low, 1, rule.above)
        if rule is not None and value not in rule:
            raise UserError(f"--{option} is {value}, it must be {rule}")


def numbers(settings: Any, option: str = "") -> Iterator[tuple[str, float]]:
    """Yield the number of each option that has one, under the name by which it is typed.

    >>> list(numbers({"model": {"class_path": "X", "init_args": {"wide": {"l2": 0.1}}}, "compile": True}))
    [('model.wide.l2', 0.1)]
    """
    if isinstance(settings, Mapping):
        for name, value in settings.items():
            part = "" if name == "init_args" else f".{name}"
            yield from numbers(value, f"{option}{part}".removeprefix("."))
    elif isinstance(settings, list | tuple):
        for value in settings:
            yield from numbers(value, option)
    elif isinstance(settings, int | float) and not isinstance(settings, bool):
        yield option, settings


def _row(option: str) -> str:
    section, _, rest = option.partition(".")
    if option.startswith("data.sample."):
        return "data.sample"
    return f"{section}.{rest.rpartition('.')[2]}" if section == "model" else option
