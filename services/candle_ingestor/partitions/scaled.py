"""Candles as the integers of a partition (rule E2)."""

from __future__ import annotations

import polars as pl

from candle_ingestor.model.candles import PRICE_COLUMNS
from candle_ingestor.model.series import Series
from candle_ingestor.model.times import iso_text
from candle_ingestor.partitions.errors import PartitionError
from candle_ingestor.partitions.manifest import Digits
from candle_ingestor.partitions.scaling import ScalingError, scale


def scaled_columns(series: Series, digits: Digits, candles: pl.DataFrame) -> list[pl.Series]:
    """Open, high, low, close and volume of the candles as Int64, named as in candle frames.

    Raises:
        PartitionError: if a value does not fit int64 with these digits.
    """
    return [
        *(_scaled(series, candles, name, digits.price) for name in PRICE_COLUMNS),
        _scaled(series, candles, "volume", digits.volume),
    ]


def _scaled(series: Series, candles: pl.DataFrame, name: str, digits: int) -> pl.Series:
    try:
        return scale(candles[name], digits).alias(name)
    except ScalingError as error:
        minute = iso_text(candles["open_time_ms"][error.index])
        raise PartitionError(
            f"{series}: the {name} {error.value} at {minute} does not fit an int64 with {digits} "
            "digits; ask for fewer digits, in another --data_root if the folder exists"
        ) from error
