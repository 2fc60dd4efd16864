"""Decimal texts of floats as integers of a scale common to the minute, so that sums are exact.

A float64 stands for its shortest decimal text. Below 2**52 the floats near q / 10**n lie closer
together than decimals of n digits, so that q / 10**n == x proves q / 10**n to be the text of x.
Nearly every value passes that test. Volumes that do not, as those with float noise, are read from
their text, which is slower.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from candle_ingestor.merge.table import column, columns, price_columns
from candle_ingestor.model.candles import PRICE_COLUMNS

_EXACT_BELOW = 2.0**52
_POWERS_OF_TEN = pl.Series([float(10**digits) for digits in range(23)], dtype=pl.Float64)
"""Those that a float64 holds exactly."""

_LARGEST_VOLUME = 1e20
"""Of a scaled volume, so that hundreds of them times prices below 2**52 add up within 128 bits."""

_INTEGER_POWERS_OF_TEN = pl.Series([10**digits for digits in range(21)], dtype=pl.Int128)
_DECIMAL_TEXT = r"^(?<whole>\d+)(?:\.(?<fraction>\d+))?(?:e(?<exponent>[+-]?\d+))?$"

PRICE_DIGITS = "price_digits"
VOLUME_DIGITS = "volume_digits"
"""The columns of how many powers of ten the prices and volumes of a minute are multiplied by."""


def scaled_price(name: str, position: int) -> str:
    """The column of a price times 10**`price_digits`, an exact integer below 2**52."""
    return column(f"scaled_{name}", position)


def scaled_volume(position: int) -> str:
    """The column of a volume times 10**`volume_digits`, an exact integer."""
    return column("scaled_volume", position)


def split_by_exactness(
    table: pl.DataFrame, positions: Sequence[int]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows whose values fit integers, with the integer columns, and the rows that do not."""
    scaled = table.with_columns(
        _digits_that_fit(price_columns(positions)).alias(PRICE_DIGITS),
        _digits_that_fit(columns("volume", positions)).alias(VOLUME_DIGITS),
    ).with_columns(
        _all_exact(price_columns(positions), PRICE_DIGITS).alias("prices_exact"),
        _all_exact(columns("volume", positions), VOLUME_DIGITS).alias("volumes_exact"),
    )
    prices_exact, volumes_exact = scaled["prices_exact"], scaled["volumes_exact"]
    by_float = scaled.filter(prices_exact & volumes_exact).with_columns(
        *_scaled_prices(positions), *_scaled_volumes(positions)
    )
    fitting = by_float.select(
        *table.columns, PRICE_DIGITS, VOLUME_DIGITS, *_scaled_names(positions)
    )
    awkward = scaled.filter(~prices_exact).select(table.columns)
    if volumes_exact.all():
        return fitting, awkward
    by_text = _with_volumes_from_text(scaled.filter(prices_exact & ~volumes_exact), positions)
    return (
        pl.concat([fitting, by_text.filter("volumes_fit").select(fitting.columns)]),
        pl.concat([awkward, by_text.filter(~pl.col("volumes_fit")).select(table.columns)]),
    )


def price_to_float(scaled: pl.Expr) -> pl.Expr:
    """The float64 of a float or integer count of 10**-`price_digits`."""
    return scaled.cast(pl.Float64) / _power_of_ten(pl.col(PRICE_DIGITS))


def volume_to_float(scaled: pl.Expr) -> pl.Expr:
    """The float64 nearest to an integer count of 10**-`volume_digits`."""
    digits = pl.col(VOLUME_DIGITS)
    divides_exactly = (scaled < _EXACT_BELOW) & digits.is_between(0, _POWERS_OF_TEN.len() - 1)
    text = pl.format("{}e{}", scaled.cast(pl.String), -digits)
    return (
        pl.when(divides_exactly)
        .then(scaled.cast(pl.Float64) / _power_of_ten(digits))
        .otherwise(text.cast(pl.Float64))
    )


def _digits_that_fit(values: Sequence[pl.Expr]) -> pl.Expr:
    digits = (_EXACT_BELOW / pl.max_horizontal(values)).log(10).floor()
    # Where all volumes are 0 this is an infinity, which clips to digits that suit 0 as well.
    return digits.clip(0, _POWERS_OF_TEN.len() - 1).cast(pl.Int64)


def _power_of_ten(digits: pl.Expr) -> pl.Expr:
    return pl.lit(_POWERS_OF_TEN).gather(digits.clip(0, _POWERS_OF_TEN.len() - 1))


def _all_exact(values: Sequence[pl.Expr], digits: str) -> pl.Expr:
    scale = _power_of_ten(pl.col(digits))
    checks = []
    for value in values:
        whole = (value * scale).round()
        exact = (whole < _EXACT_BELOW) & (whole / scale == value)
        checks.append(exact.fill_null(value=True))
    return pl.all_horizontal(checks)


def _scaled_names(positions: Sequence[int]) -> list[str]:
    prices = [scaled_price(name, position) for position in positions for name in PRICE_COLUMNS]
    return prices + [scaled_volume(position) for position in positions]


def _scaled_prices(positions: Sequence[int]) -> list[pl.Expr]:
    scale = _power_of_ten(pl.col(PRICE_DIGITS))
    return [
        (pl.col(column(name, i)) * scale).round().cast(pl.Int64).alias(scaled_price(name, i))
        for i in positions
        for name in PRICE_COLUMNS
    ]


def _scaled_volumes(positions: Sequence[int]) -> list[pl.Expr]:
    scale = _power_of_ten(pl.col(VOLUME_DIGITS))
    return [
        (pl.col(column("volume", i)) * scale).round().cast(pl.Int128).alias(scaled_volume(i))
        for i in positions
    ]


def _with_volumes_from_text(table: pl.DataFrame, positions: Sequence[int]) -> pl.DataFrame:
    """Adds the integer columns and `volumes_fit`, without which they mean nothing."""
    table = (
        table.with_columns(_scaled_prices(positions))
        .with_columns(made for i in positions for made in _digits_of_text(i))
        .with_columns(pl.max_horizontal(columns("decimals", positions)).alias(VOLUME_DIGITS))
    )
    fits, scaled = [], []
    for i in positions:
        mantissa = pl.col(column("mantissa", i))
        # A volume of 0 has no decimals, and needs no shift.
        shift = (pl.col(VOLUME_DIGITS) - pl.col(column("decimals", i))).fill_null(0)
        shift_within = shift.clip(0, _INTEGER_POWERS_OF_TEN.len() - 1)
        size = mantissa * _power_of_ten(shift_within)
        fits.append(((shift == shift_within) & (size < _LARGEST_VOLUME)).fill_null(value=True))
        power = pl.lit(_INTEGER_POWERS_OF_TEN).gather(shift_within)
        scaled.append((mantissa.cast(pl.Int128) * power).alias(scaled_volume(i)))
    return table.with_columns(pl.all_horizontal(fits).alias("volumes_fit"), *scaled)


def _digits_of_text(position: int) -> list[pl.Expr]:
    """`mantissa` and `decimals` of the volume's text: it is mantissa / 10**decimals."""
    volume = pl.col(column("volume", position))
    parts = volume.cast(pl.String).str.extract_groups(_DECIMAL_TEXT)
    fraction = parts.struct.field("fraction").fill_null("")
    exponent = parts.struct.field("exponent").cast(pl.Int64).fill_null(0)
    decimals = fraction.str.len_bytes().cast(pl.Int64) - exponent
    return [
        (parts.struct.field("whole") + fraction).cast(pl.Int64).alias(column("mantissa", position)),
        pl.when(volume > 0).then(decimals).alias(column("decimals", position)),
    ]
