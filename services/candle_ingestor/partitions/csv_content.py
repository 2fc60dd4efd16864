"""The text of a partition (rules E1 and E2)."""

from __future__ import annotations

import io

import polars as pl

from candle_ingestor.model.candles import PRICE_COLUMNS
from candle_ingestor.model.series import Series
from candle_ingestor.model.times import iso_text
from candle_ingestor.partitions.errors import PartitionError
from candle_ingestor.partitions.manifest import Digits
from candle_ingestor.partitions.scaling import ScalingError, scale
from candle_ingestor.partitions.timestamps import timestamp_texts


def csv_content(series: Series, digits: Digits, candles: pl.DataFrame) -> bytes:
    """`Timestamp,Open,High,Low,Close,Volume` and a line a candle, all but the time as int64.

    Raises:
        PartitionError: if a value does not fit int64 with these digits.
    """
    columns = [
        timestamp_texts(candles["open_time_ms"]).alias("Timestamp"),
        *(_scaled(series, candles, name, digits.price) for name in PRICE_COLUMNS),
        _scaled(series, candles, "volume", digits.volume),
    ]
    buffer = io.BytesIO()
    pl.DataFrame(columns).write_csv(buffer, quote_style="never")
    return buffer.getvalue()


def _scaled(series: Series, candles: pl.DataFrame, name: str, digits: int) -> pl.Series:
    try:
        return scale(candles[name], digits).alias(name.capitalize())
    except ScalingError as error:
        minute = iso_text(candles["open_time_ms"][error.index])
        raise PartitionError(
            f"{series}: the {name} {error.value} at {minute} does not fit an int64 with {digits} "
            "digits; ask for fewer digits, in another --data_root if the folder exists"
        ) from error
