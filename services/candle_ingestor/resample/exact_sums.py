"""Sums of the decimals that floats stand for, by candle length.

A float64 stands for its shortest decimal text. Every sum is the float64 nearest to the exact sum
of these decimals. Most volumes are small integers of one scale, whose float sums are exact. Others
are summed as 128-bit decimals, and what no such decimal holds as fractions of Python.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from fractions import Fraction

import polars as pl

from candle_ingestor.resample.layouts import Layout

_EXACT_BELOW = 2.0**52
"""A float below it that stands for an integer count is that integer, and so is a sum of them."""
_MOST_DIGITS = 22
_POWERS_OF_TEN = [float(10**digits) for digits in range(_MOST_DIGITS + 1)]
"""Those that a float64 holds exactly."""
_BOUNDS = [_EXACT_BELOW / power for power in reversed(_POWERS_OF_TEN)]
_DECIMALS = 20
_LARGEST_DECIMAL_SUM = 1e17
"""What 128 bits hold at so many decimals, with some to spare."""


def exact_sums(values: pl.Series, layout: Layout) -> pl.Series:
    """The sum in each length of the values, one a finer candle, finite and not negative."""
    largest = values.max()
    assert isinstance(largest, float)
    scale = _scale_for(largest * layout.most)
    counts = (values * scale + 0.5).floor()
    scales = pl.Series([scale]).new_from_index(0, counts.len())
    # Below 2**52 the floats near q / 10**n lie closer together than decimals of n digits, so that
    # q / 10**n == x proves q / 10**n to be the text of x.
    is_exact = _divided(counts, scales) == values
    sums = layout.sums(counts)
    sums = _divided(sums, scales.head(sums.len()))
    if is_exact.all():
        return sums
    lengths = layout.lengths()
    inexact = lengths.filter(~is_exact).unique()
    chosen = lengths.is_in(inexact.implode())
    places = lengths.unique(maintain_order=True).is_in(inexact.implode()).arg_true()
    return sums.scatter(places, _decimal_sums(lengths.filter(chosen), values.filter(chosen)))


def _scale_for(largest_sum: float) -> float:
    """The power of ten that keeps counts up to the sum below 2**52."""
    return _POWERS_OF_TEN[max(_MOST_DIGITS - bisect_left(_BOUNDS, largest_sum), 0)]


def _divided(counts: pl.Series, scales: pl.Series) -> pl.Series:
    if counts.len() == 1:
        # Polars divides by a lone value by multiplying with its inverse, which rounds otherwise.
        return pl.Series([counts[0] / scales[0]])
    return counts / scales


def _decimal_sums(lengths: pl.Series, values: pl.Series) -> pl.Series:
    decimals = values.cast(pl.String).cast(pl.Decimal(38, _DECIMALS), strict=False)
    # No text shorter than its own reads as the same float, so that this proves the decimal.
    is_held = (decimals.cast(pl.String).cast(pl.Float64) == values).fill_null(value=False)
    summed = (
        pl.DataFrame({"length": lengths, "value": values, "decimal": decimals, "held": is_held})
        .group_by("length", maintain_order=True)
        .agg(
            pl.col("decimal").sum(),
            pl.col("held").all() & (pl.col("value").sum() < _LARGEST_DECIMAL_SUM),
        )
    )
    sums = summed["decimal"].cast(pl.String).cast(pl.Float64)
    huge = summed["length"].filter(~summed["held"])
    if huge.is_empty():
        return sums
    by_fraction = [_summed(values.filter(lengths == length)) for length in huge]
    return sums.scatter((~summed["held"]).arg_true(), pl.Series(by_fraction))


def _summed(values: Iterable[float]) -> float:
    return float(sum(Fraction(repr(value)) for value in values))
