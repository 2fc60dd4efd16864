"""Decimal texts of floats as integers of a scale common to the minute, so that sums are exact.

A float64 stands for its shortest decimal text. Below 2**52 the floats near q / 10**n lie closer
together than decimals of n digits, so that q / 10**n == x proves q / 10**n to be the text of x.
Nearly every value passes that test. Volumes that do not, as those with float noise, are read from
their text, which is slower.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from candle_ingestor.merge.scales import (
    EXACT_BELOW,
    LARGEST_VOLUME,
    MOST_DIGITS,
    POWERS_OF_TEN,
    PRICE_BOUNDS,
    VOLUME_BOUNDS,
)
from candle_ingestor.merge.table import column, columns
from candle_ingestor.model.candles import PRICE_COLUMNS

_POWERS_OF_TEN = pl.Series(POWERS_OF_TEN, dtype=pl.Float64)
_PRICE_BOUNDS = pl.Series(PRICE_BOUNDS, dtype=pl.Float64)
_VOLUME_BOUNDS = pl.Series(VOLUME_BOUNDS, dtype=pl.Float64)
_INTEGER_POWERS_OF_TEN = pl.Series([10**digits for digits in range(21)], dtype=pl.Int128)
# A minus is that of -0.0.
_DECIMAL_TEXT = r"^-?(?<whole>\d+)(?:\.(?<fraction>\d+))?(?:e(?<exponent>[+-]?\d+))?$"

_PRICE_SCALE = "price_scale"
_VOLUME_SCALE = "volume_scale"
"""The columns of the floats that the prices and volumes of a minute are multiplied by."""

_PRICE_DIGITS = "price_digits"
_VOLUME_DIGITS = "volume_digits"
"""The columns of how many powers of ten that is."""


def scaled_price(name: str, position: int) -> str:
    """The column of a price as an exact integer below 2**52."""
    return column(f"scaled_{name}", position)


def scaled_volume(position: int) -> str:
    """The column of a volume as an exact integer."""
    return column("scaled_volume", position)


def split_by_exactness(
    table: pl.DataFrame, positions: Sequence[int]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows whose values fit integers, with the integer columns, and the rows that do not."""
    prices = [column(name, i) for i in positions for name in PRICE_COLUMNS]
    volumes = [column("volume", i) for i in positions]
    scaled_prices = [scaled_price(name, i) for i in positions for name in PRICE_COLUMNS]
    scaled_volumes = [scaled_volume(i) for i in positions]
    scaled = (
        table.with_columns(
            _digits_that_fit(prices, _PRICE_BOUNDS).alias(_PRICE_DIGITS),
            _digits_that_fit(volumes, _VOLUME_BOUNDS).alias(_VOLUME_DIGITS),
        )
        .with_columns(
            _power_of_ten(pl.col(_PRICE_DIGITS)).alias(_PRICE_SCALE),
            _power_of_ten(pl.col(_VOLUME_DIGITS)).alias(_VOLUME_SCALE),
        )
        .with_columns(
            *_whole(prices, _PRICE_SCALE, scaled_prices),
            *_whole(volumes, _VOLUME_SCALE, scaled_volumes),
        )
        .with_columns(
            _are_exact(prices, _PRICE_SCALE, scaled_prices).alias("prices_exact"),
            _are_exact(volumes, _VOLUME_SCALE, scaled_volumes).alias("volumes_exact"),
        )
    )
    prices_exact, volumes_exact = scaled["prices_exact"], scaled["volumes_exact"]
    by_float = scaled.filter(prices_exact & volumes_exact)
    by_text = scaled.filter(prices_exact & ~volumes_exact)
    fitting = by_float.drop(
        _PRICE_SCALE, _VOLUME_SCALE, "prices_exact", "volumes_exact"
    ).with_columns(pl.col(scaled_prices).cast(pl.Int64), pl.col(scaled_volumes).cast(pl.Int128))
    awkward = scaled.filter(~prices_exact).select(table.columns)
    if by_text.is_empty():
        return fitting, awkward
    by_text = _with_volumes_from_text(by_text, positions).with_columns(
        pl.col(scaled_prices).cast(pl.Int64)
    )
    return (
        pl.concat([fitting, by_text.filter("volumes_fit").select(fitting.columns)]),
        pl.concat([awkward, by_text.filter(~pl.col("volumes_fit")).select(table.columns)]),
    )


def price_to_float(scaled: pl.Expr) -> pl.Expr:
    """The float64 of a float or integer that counts as the minute's scaled prices do."""
    # A column of scales that concat takes for a constant would be divided by as by a lone value.
    return scaled.cast(pl.Float64) / _power_of_ten(pl.col(_PRICE_DIGITS))


def divides_exactly(scaled: pl.Expr) -> pl.Expr:
    """Whether `volume_by_division` gives the float64 nearest to a count of scaled volumes."""
    return (scaled < EXACT_BELOW) & (pl.col(_VOLUME_DIGITS) <= MOST_DIGITS)


def volume_by_division(scaled: pl.Expr) -> pl.Expr:
    """The float64 of a count that counts as the minute's scaled volumes do."""
    return scaled.cast(pl.Float64) / _power_of_ten(pl.col(_VOLUME_DIGITS))


def volume_by_text(scaled: pl.Expr) -> pl.Expr:
    """The same, to the nearest float64 whatever the count, but slowly."""
    return pl.format("{}e-{}", scaled.cast(pl.String), _VOLUME_DIGITS).cast(pl.Float64)


def _digits_that_fit(names: Sequence[str], bounds: pl.Series) -> pl.Expr:
    bounds_below = pl.lit(bounds).search_sorted(pl.max_horizontal(names), side="left")
    return MOST_DIGITS - bounds_below.cast(pl.Int64)


def _power_of_ten(digits: pl.Expr) -> pl.Expr:
    return pl.lit(_POWERS_OF_TEN).gather(digits.clip(0, MOST_DIGITS))


def _whole(names: Sequence[str], scale: str, scaled_names: Sequence[str]) -> list[pl.Expr]:
    return [
        (pl.col(name) * pl.col(scale)).round().alias(scaled_name)
        for name, scaled_name in zip(names, scaled_names, strict=True)
    ]


def _are_exact(names: Sequence[str], scale: str, scaled_names: Sequence[str]) -> pl.Expr:
    checks = []
    for name, scaled_name in zip(names, scaled_names, strict=True):
        whole = pl.col(scaled_name)
        exact = (whole < EXACT_BELOW) & (whole / pl.col(scale) == pl.col(name))
        checks.append(exact.fill_null(value=True))
    return pl.all_horizontal(checks)


def _with_volumes_from_text(table: pl.DataFrame, positions: Sequence[int]) -> pl.DataFrame:
    """Adds the integer columns and `volumes_fit`, without which they mean nothing."""
    table = table.with_columns(made for i in positions for made in _digits_of_text(i)).with_columns(
        pl.max_horizontal(pl.lit(0), *columns("decimals", positions)).alias(_VOLUME_DIGITS)
    )
    fits, scaled = [], []
    for i in positions:
        mantissa = pl.col(column("mantissa", i))
        # A volume of 0 has no decimals, and needs no shift.
        shift = (pl.col(_VOLUME_DIGITS) - pl.col(column("decimals", i))).fill_null(0)
        shift_within = shift.clip(0, _INTEGER_POWERS_OF_TEN.len() - 1)
        size = mantissa * _power_of_ten(shift_within)
        fits.append(((shift == shift_within) & (size < LARGEST_VOLUME)).fill_null(value=True))
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
