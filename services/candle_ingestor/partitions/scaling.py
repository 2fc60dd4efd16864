"""Exact scaling of floats to integers (rule E2)."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import polars as pl

from candle_ingestor.model.decimals import MOST_DIGITS

_INT64 = range(-(2**63), 2**63)
_FLOAT_MARGIN = 2.0**-51
"""More than the relative error of a product of a float near its decimal text and a power of ten."""

_HALVES_END = 2.0**51
"""Below it a float still tells halves apart."""


class ScalingError(ValueError):
    """A value that has no scaled int64.

    Attributes:
        index: its position in the values given.
        value: the value; None for a null.
        digits: the digits asked for.
    """

    def __init__(self, index: int, value: float | None, digits: int) -> None:
        super().__init__(f"{value} at index {index} does not fit an int64 with {digits} digits")
        self.index = index
        self.value = value
        self.digits = digits


def scale(values: pl.Series, digits: int) -> pl.Series:
    """`value * 10**digits` as Int64, rounded half away from zero.

    A float64 stands for its shortest decimal text, and the result is exact for that decimal:
    1.005 with 2 digits is 101.

    Args:
        values: Float64.
        digits: 0 to 18.

    Raises:
        ScalingError: for the first value that is null, not finite or too large.
        ValueError: if `digits` is out of range.
    """
    if not 0 <= digits <= MOST_DIGITS:
        raise ValueError(f"digits must be from 0 to {MOST_DIGITS}, not {digits}")
    product = values * float(10**digits)
    quick = _scaled_far_from_ties(product)
    return _scaled_by_value(values, product, digits) if quick is None else quick.alias(values.name)


def _scaled_far_from_ties(product: pl.Series) -> pl.Series | None:
    """The rounded products; None unless all are positive or 0, moderate and far from a tie.

    A few passes over the whole column, where telling value by value takes many.
    """
    raised = product + 0.5
    rounded = raised.cast(pl.Int64, strict=False)
    if rounded.null_count() or not len(rounded):
        return None
    least, most = _bounds(product)
    nearest, farthest = _bounds(raised - rounded.cast(pl.Float64))
    margin = 2 * _FLOAT_MARGIN * (most + 1)
    is_sure = least >= 0 and most < _HALVES_END and margin < nearest and farthest < 1 - margin
    return rounded if is_sure else None


def _bounds(numbers: pl.Series) -> tuple[float, float]:
    least: Any = numbers.min()
    most: Any = numbers.max()
    return least, most


def _scaled_by_value(values: pl.Series, product: pl.Series, digits: int) -> pl.Series:
    size = product.abs()
    whole = size.floor()
    # Where a float product cannot tell on which side of a tie it lies, or is too large or none at
    # all, the decimal text decides.
    is_sure = ((size - whole - 0.5).abs() > size * _FLOAT_MARGIN) & product.is_finite()
    rounded = pl.select(
        pl.when(is_sure & is_sure.is_not_null()).then((size + 0.5).floor() * product.sign())
    ).to_series()
    scaled = rounded.cast(pl.Int64)
    unsure = scaled.is_null().arg_true()
    if not unsure.is_empty():
        exact = [_scale_one(index, values[index], digits) for index in unsure]
        scaled = scaled.scatter(unsure, pl.Series(exact, dtype=pl.Int64))
    return scaled.alias(values.name)


def _scale_one(index: int, value: float | None, digits: int) -> int:
    decimal = Decimal("NaN") if value is None else Decimal(repr(value))
    if decimal.is_finite() and decimal.adjusted() + digits < len(str(_INT64.stop)):
        scaled = int(decimal.scaleb(digits).to_integral_value(ROUND_HALF_UP))
        if scaled in _INT64:
            return scaled
    raise ScalingError(index, value, digits)
