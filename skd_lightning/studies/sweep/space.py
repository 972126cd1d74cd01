"""Parameters of a sweep: lists of values, and distributions of numbers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import NonNegativeFloat

from skd_lightning.errors import UserError
from skd_lightning.parsing import checked

BOUNDED = ("uniform", "int_uniform", "log_uniform", "log_uniform_values")
BELLS = ("normal", "log_normal")
DISTRIBUTIONS = ("constant", "categorical", *BOUNDED, *BELLS, *(f"q_{name}" for name in (*BOUNDED, *BELLS)))
"""Names of the distributions, as W&B has them.

The bounds of ``log_uniform`` are natural logarithms, those of ``log_uniform_values`` the values themselves; ``q_``
rounds to multiples of a step.
"""

LARGEST = 1e300
"""Bound of the numbers of a sweep, beyond which those that are drawn are not finite."""
MOST = 10**6
"""Whole numbers of a parameter."""

DRAWS = 10_000
"""Draws after which the search for trials that differ ends."""


@dataclass(frozen=True)
class Parameter:
    """One parameter of a sweep.

    Attributes:
        name: name of the option, with dots.
        distribution: one of ``DISTRIBUTIONS``.
        values: all values it can take, in the file's order; None for a continuous distribution.
        weights: probability of each of the values; None if all are equally likely.
        low: lower bound, or the mean of a bell curve.
        high: upper bound, or the standard deviation of a bell curve.
        step: values are rounded to multiples of it (``q_`` distributions); None for no rounding.
    """

    name: str
    distribution: str
    values: tuple[Any, ...] | None
    weights: tuple[float, ...] | None = None
    low: float = 0.0
    high: float = 1.0
    step: float | None = None

    def sample(self, generator: np.random.Generator) -> Any:
        """Draw a value."""
        if self.values is not None:
            return self.values[int(generator.choice(len(self.values), p=self.weights))]
        kind = self.distribution.removeprefix("q_")
        if kind in BELLS:
            value = generator.normal(self.low, self.high)
        elif kind == "log_uniform_values":
            value = generator.uniform(math.log(self.low), math.log(self.high))
        else:
            value = generator.uniform(self.low, self.high)
        return self._rounded(math.exp(value) if kind.startswith("log") else float(value))

    def extremes(self) -> list[Any]:
        """Return the lower and the upper bound; for a bell curve, three deviations from its mean."""
        if self.values is not None:
            return [self.values[0], self.values[-1]]
        kind, ends = self.distribution.removeprefix("q_"), self._ends()
        if kind in ("log_uniform", "log_normal"):
            ends = [math.exp(end) for end in ends]
        return [self._rounded(end) for end in ends]

    def representatives(self) -> list[Any]:
        """Return values of every kind that it can take: of numbers the least and the largest, of others at most 20."""
        if self.values is None:
            return self.extremes()
        numbers = [value for value in self.values if type(value) in (int, float)]
        others = list(
            {repr(value): value for value in self.values if type(value) not in (int, float)}.values()
        )
        ends = {repr(end): end for kind in (int, float) for end in _ends_of(numbers, kind)}
        return [*ends.values(), *others[:: max(1, math.ceil(len(others) / 20))]]

    def _ends(self) -> list[float]:
        """Return the lower and the upper bound, as the file has them."""
        bell = self.distribution.removeprefix("q_") in BELLS
        return [self.low - 3 * self.high, self.low + 3 * self.high] if bell else [self.low, self.high]

    def _rounded(self, value: float) -> float:
        if self.step is None:
            return value
        whole = isinstance(self.step, int)
        return int(round(value / self.step) * self.step) if whole else round(value / self.step) * self.step


def _ends_of(numbers: Sequence[Any], kind: type) -> list[Any]:
    own: list[Any] = [number for number in numbers if type(number) is kind]
    return [min(own), max(own)] if own else []


def read_parameter(name: str, settings: Any, where: str) -> Parameter:
    """Read one parameter of a sweep's file.

    Args:
        name: name of the option, with dots.
        settings: content of the parameter in the file.
        where: the file, for messages.

    Raises:
        UserError: the settings describe no parameter, or the distribution is unknown.

    >>> read_parameter("model.objective.k", {"values": [1, 5, 10]}, "sweep.yaml").values
    (1, 5, 10)
    """
    where = f"{where}: parameter {name}"
    if not isinstance(settings, Mapping):
        raise UserError(f"{where}: expected value, values, or min and max, found {settings!r:.80}")
    if "parameters" in settings:
        raise UserError(
            f"{where}: nested parameters arrive as one dictionary; write {name}.… with dots instead"
        )
    known = ("value", "values", "probabilities", "distribution", "min", "max", "mu", "sigma", "q")
    if unknown := [key for key in settings if key not in known]:
        raise UserError(f"{where}: unknown setting '{unknown[0]}'; there are {', '.join(known)}")
    kind = settings.get("distribution") or _default(settings)
    if kind not in DISTRIBUTIONS:
        raise UserError(
            f"{where}: distribution '{kind}' is not known here; choose one of {', '.join(DISTRIBUTIONS)}"
        )
    if kind == "constant":
        return Parameter(name, kind, (_needed(settings, "value", where),))
    if kind == "categorical":
        return Parameter(name, kind, *_choices(settings, where))
    low, high, step = _bounds(name, kind, settings, where)
    values = _whole_numbers(low, high, int(step or 1), where) if kind.endswith("int_uniform") else None
    return Parameter(name, kind, values, None, low, high, step)


def _choices(settings: Mapping[str, Any], where: str) -> tuple[tuple[Any, ...], tuple[float, ...] | None]:
    """Return the values to choose from, and the probability of each if they have any."""
    values = _needed(settings, "values", where)
    if not isinstance(values, list) or not values:
        raise UserError(f"{where}: values is {values!r:.80}, it must be a list with something in it")
    weights = settings.get("probabilities")
    if weights is not None:
        weights = checked(list[NonNegativeFloat], weights, f"{where}: probabilities")
    if weights is not None and (
        len(weights) != len(values) or not math.isclose(sum(weights), 1, abs_tol=1e-6)
    ):
        raise UserError(f"{where}: probabilities must be one for each of the values, with sum 1")
    return tuple(values), tuple(weights) if weights else None


def _bounds(
    name: str, kind: str, settings: Mapping[str, Any], where: str
) -> tuple[float, float, float | None]:
    """Return lower bound, upper bound and step, see :class:`Parameter`."""
    step = settings.get("q", 1) if kind.startswith("q_") else None
    plain = kind.removeprefix("q_")
    if plain in BELLS:
        low, high = settings.get("mu", 0.0), settings.get("sigma", 1.0)
    else:
        low, high = _needed(settings, "min", where), _needed(settings, "max", where)
    if bad := [
        value
        for value in (low, high, 1 if step is None else step)
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < LARGEST
    ]:
        raise UserError(f"{where}: {bad[0]!r:.80} is not a number that can be tried" + _hint(bad[0]))
    if plain in BOUNDED and low >= high:
        raise UserError(f"{where}: min is {low}, it must be below max, which is {high}")
    if plain == "log_uniform_values" and low <= 0:
        raise UserError(f"{where}: min is {low}, it must be above 0 for {kind}")
    if (step is not None and step <= 0) or (plain in BELLS and high < 0):
        raise UserError(f"{where}: q must be above 0, and sigma not below it")
    if (
        plain in ("log_uniform", "log_normal")
        and max(Parameter(name, kind, None, None, low, high)._ends()) > 700
    ):
        raise UserError(f"{where}: its bounds are natural logarithms, and e^700 is more than a number holds")
    return low, high, step


def _whole_numbers(low: float, high: float, step: int, where: str) -> tuple[int, ...]:
    """Return the multiples of a step, at least 1, between two bounds."""
    every = max(1, step)
    first, last = math.ceil(low / every), math.floor(high / every)
    if first > last:
        raise UserError(f"{where}: no multiple of {every} lies between {low} and {high}")
    if last - first >= MOST:
        raise UserError(f"{where}: {last - first + 1} values; take uniform for so many")
    return tuple(every * number for number in range(first, last + 1))


def _default(settings: Mapping[str, Any]) -> str:
    """Return the distribution that W&B assumes if the settings name none."""
    if "value" in settings:
        return "constant"
    if "values" in settings:
        return "categorical"
    whole = all(isinstance(settings.get(bound), int) for bound in ("min", "max"))
    return "int_uniform" if whole else "normal" if "mu" in settings else "uniform"


def _needed(settings: Mapping[str, Any], key: str, where: str) -> Any:
    if key not in settings:
        raise UserError(f"{where}: '{key}' is missing")
    return settings[key]


def _hint(value: Any) -> str:
    return "; YAML reads 1e-4 as a word, write 1.0e-4" if isinstance(value, str) and "e" in value else ""


def grid(parameters: list[Parameter], where: str) -> Iterator[dict[str, Any]]:
    """Yield every combination of values; the last parameter changes fastest.

    Args:
        parameters: the parameters.
        where: the file, for messages.

    Raises:
        UserError: a parameter has a continuous distribution.
    """
    for parameter in parameters:
        if parameter.values is None:
            raise UserError(
                f"{where}: parameter {parameter.name}: a grid needs values, not {parameter.distribution}; "
                "take random search"
            )
    for row in itertools.product(*(parameter.values or () for parameter in parameters)):
        yield dict(zip((parameter.name for parameter in parameters), row, strict=True))


def grid_size(parameters: list[Parameter]) -> int | None:
    """Return the number of combinations; None if a parameter has a continuous distribution."""
    return math.prod(len(p.values) if p.values is not None else 0 for p in parameters) or None


def random_trials(parameters: list[Parameter], number: int, seed: int) -> list[dict[str, Any]]:
    """Draw trials that all differ.

    A larger ``number`` with the same seed begins with the same trials.

    Args:
        parameters: the parameters.
        number: how many trials; fewer are returned if there are not so many different ones.
        seed: seed of the draws.
    """
    generator = np.random.default_rng(seed)
    found: list[dict[str, Any]] = []
    for _ in range(DRAWS):
        if len(found) == number:
            break
        trial = {parameter.name: parameter.sample(generator) for parameter in parameters}
        if trial not in found:
            found.append(trial)
    return found
