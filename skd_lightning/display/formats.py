"""Numbers as people read them: per cent with two digits, a true minus sign, a dash for what is not known."""

from __future__ import annotations

import math
from collections.abc import Sequence


def points(value: float | None, spread: float | None = None, signed: bool = False) -> str:
    """Format a score or a difference of scores in per cent.

    Args:
        value: in [-1, 1]; None or not a number gives a dash.
        spread: standard deviation, written after ``±``.
        signed: write the sign of positive values too.

    >>> points(0.931, 0.0021), points(-0.0102, signed=True), points(None)
    ('93.10 ± 0.21', '−1.02', '–')
    """
    if value is None or math.isnan(value):
        return "–"
    number = round(100 * value, 2)
    text = _with_minus(f"{number:+.2f}" if signed and number else f"{number:.2f}")
    return text if spread is None else f"{text} ± {100 * spread:.2f}"


def plain(value: float, digits: int = 0) -> str:
    """Format a number with its thousands apart; not a number gives a dash.

    >>> plain(12345.6), plain(-0.2), plain(float("nan"))
    ('12,346', '0', '–')
    """
    return "–" if math.isnan(value) else _with_minus(f"{value:,.{digits}f}")


def counted(number: int, one: str, several: str) -> str:
    """Format a number of things, one of them in the singular.

    >>> counted(1, "batch", "batches"), counted(1200, "batch", "batches")
    ('1 batch', '1,200 batches')
    """
    return f"{number:,} {one if number == 1 else several}"


def percent(share: float | None) -> str:
    """Format a share in whole per cent; None and not a number give a dash.

    >>> percent(-0.254), percent(None), percent(float("nan"))
    ('−25 %', '–', '–')
    """
    return "–" if share is None or math.isnan(share) else _with_minus(f"{100 * share:.0f} %")


def probability(value: float | None, least: float) -> str:
    """Format a p value; ``least`` is the smallest one that the number of resamples allows.

    >>> probability(0.0312, 1e-4), probability(1e-4, 1e-4), probability(None, 1e-4)
    ('0.031', '< 0.0002', '–')
    """
    if value is None:
        return "–"
    if value <= least:
        return f"< {2 * least:.4f}"
    return f"{value:.{4 if value < 0.01 else 3 if value < 0.1 else 2}f}"


def short_names(names: Sequence[str]) -> list[str]:
    """Shorten dotted names to as many of their last parts as tell them apart.

    >>> short_names(["model.context.dropout", "model.embedder.dropout", "data.tokens"])
    ['context.dropout', 'embedder.dropout', 'tokens']
    """
    found = []
    for name in names:
        parts = name.split(".")
        endings = (".".join(parts[-size:]) for size in range(1, len(parts)))
        others = [f".{other}" for other in names if other != name]
        clear = (end for end in endings if not any(other.endswith(f".{end}") for other in others))
        found.append(next(clear, name))
    return found


def _with_minus(text: str) -> str:
    """Return a number with a true minus sign, or none where it has been rounded to nothing."""
    return text.replace("-", "−") if any(digit in text for digit in "123456789") else text.replace("-", "")
