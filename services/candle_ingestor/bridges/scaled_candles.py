"""Candles as scaled integers, and these as the numbers and texts that tools read."""

from __future__ import annotations

import polars as pl

from candle_ingestor.bridges.base import SCALED_COLUMNS, ScaledSeries
from candle_ingestor.bridges.errors import BridgeError
from candle_ingestor.model.times import iso_text
from candle_ingestor.partitions.scaling import ScalingError, scale

_EXACT_FLOATS_END = 2**53


def scaled_candles(scaled: ScaledSeries, candles: pl.DataFrame) -> pl.DataFrame:
    """A store's candles as `MonthOfCandles` has them.

    Raises:
        BridgeError: if a value does not fit int64 with these digits.
    """
    columns = [candles["open_time_ms"]]
    for name in SCALED_COLUMNS:
        digits = scaled.digits_of(name)
        try:
            columns.append(scale(candles[name], digits))
        except ScalingError as error:
            minute = iso_text(candles["open_time_ms"][error.index])
            raise BridgeError(
                f"{scaled.series}: the {name} {error.value} at {minute} does not fit an int64 with "
                f"{digits} digits; ask for fewer digits"
            ) from error
    return pl.DataFrame(columns)


def as_floats(values: pl.Series, digits: int) -> pl.Series:
    """`values / 10**digits`, each the double that is nearest to the decimal."""
    if (values.abs() >= _EXACT_FLOATS_END).any():
        return as_decimal_texts(values, digits).cast(pl.Float64)
    # By a column: a division by one number is a multiplication with its inverse in Polars, and off
    # by a bit in one of ten values.
    return values.cast(pl.Float64) / pl.repeat(float(10**digits), len(values), eager=True)


def as_decimal_texts(values: pl.Series, digits: int) -> pl.Series:
    """`values / 10**digits` as shortest decimals without exponent: `42000.5`, `0.001`, `7`.

    `values` are not negative.
    """
    texts = values.cast(pl.String)
    if digits == 0:
        return texts
    padded = texts.str.zfill(digits + 1)
    whole = padded.str.head(-digits)
    fraction = padded.str.tail(digits).str.strip_chars_end("0")
    return pl.select(
        pl.when(fraction == "").then(whole).otherwise(whole + "." + fraction).alias(values.name)
    ).to_series()
