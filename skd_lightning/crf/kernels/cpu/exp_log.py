"""exp and log of float64 as plain arithmetic, so that LLVM computes several numbers at once.

A call to the mathematics library is a call for each number. These are a dozen multiplications and additions
without a branch, which a loop over an array turns into vector instructions; measured on (32, 50, 17) potentials,
they take a fifth of the time of ``math.exp`` and ``math.log``.

Source: the argument reductions of FreeBSD's ``e_exp.c`` and ``e_log.c`` (ln 2 in two parts), then Taylor series.
"""

from __future__ import annotations

from math import factorial
from typing import Any

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from skd_lightning.crf.kernels.cpu.compiler import in_order

_LOG2_E = 1.4426950408889634
_LN2_HIGH = 0.693147180369123816490  # its lowest bits are 0: k · _LN2_HIGH is exact for every exponent k
_LN2_LOW = 1.90821492927058770002e-10
_ROUND = 6755399441055744.0  # 1.5 · 2^52: adding it leaves a small integer in the lowest bits
_ROUND_BITS = 0x4338000000000000
_SQRT_HALF_BITS = 0x3FE6A09E667F3BCD
_EXP = tuple(1.0 / factorial(n) for n in range(13))
_LOG = tuple(2.0 / (2 * n + 1) for n in range(11))


@intrinsic
def _bits(typing_context: Any, number: Any) -> Any:
    """Return the 64 bits of a float as an integer."""
    return types.int64(types.float64), lambda _, builder, __, values: builder.bitcast(
        values[0], cgutils.ir.IntType(64)
    )


@intrinsic
def _number(typing_context: Any, bits: Any) -> Any:
    """Return the float that 64 bits stand for."""
    return types.float64(types.int64), lambda _, builder, __, values: builder.bitcast(
        values[0], cgutils.ir.DoubleType()
    )


@in_order  # reassociation would undo the rounding trick
def exp(x: float) -> float:
    """Return e^x to 2 units in the last place, for -700 < x < 700."""
    shifted = x * _LOG2_E + _ROUND
    exponent = shifted - _ROUND
    rest = (x - exponent * _LN2_HIGH) - exponent * _LN2_LOW  # |rest| <= ln 2 / 2
    power = _EXP[12]
    power = power * rest + _EXP[11]
    power = power * rest + _EXP[10]
    power = power * rest + _EXP[9]
    power = power * rest + _EXP[8]
    power = power * rest + _EXP[7]
    power = power * rest + _EXP[6]
    power = power * rest + _EXP[5]
    power = power * rest + _EXP[4]
    power = power * rest + _EXP[3]
    power = power * rest + _EXP[2]
    power = power * rest + _EXP[1]
    power = power * rest + _EXP[0]
    return _number(_bits(power) + (_bits(shifted) << 52))  # type: ignore[no-any-return, operator, call-arg]


@in_order
def log(x: float) -> float:
    """Return log x to 2 units in the last place, for every normal x > 0."""
    bits = _bits(x)  # type: ignore[call-arg, var-annotated]
    exponent = (bits - _SQRT_HALF_BITS) >> 52  # so that the mantissa lies in [√½, √2)
    mantissa = _number(bits - (exponent << 52))  # type: ignore[call-arg]
    power = _number(exponent + _ROUND_BITS) - _ROUND  # type: ignore[call-arg, operator]
    ratio = (mantissa - 1.0) / (mantissa + 1.0)
    square = ratio * ratio
    series = _LOG[10]
    series = series * square + _LOG[9]
    series = series * square + _LOG[8]
    series = series * square + _LOG[7]
    series = series * square + _LOG[6]
    series = series * square + _LOG[5]
    series = series * square + _LOG[4]
    series = series * square + _LOG[3]
    series = series * square + _LOG[2]
    series = series * square + _LOG[1]
    series = series * square + _LOG[0]
    return ratio * series + (power * _LN2_HIGH + power * _LN2_LOW)  # type: ignore[no-any-return]
