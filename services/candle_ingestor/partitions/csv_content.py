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

HEADER = b"Timestamp,Open,High,Low,Close,Volume\n"

_ROWS_AT_ONCE = 4096


def csv_rows(series: Series, digits: Digits, candles: pl.DataFrame) -> bytes:
    """A line a candle, ascending as they are: open time as text, all else as int64.

    Raises:
        PartitionError: if a value does not fit int64 with these digits.
    """
    columns = [
        timestamp_texts(candles["open_time_ms"]).alias("Timestamp"),
        *(_scaled(series, candles, name, digits.price) for name in PRICE_COLUMNS),
        _scaled(series, candles, "volume", digits.volume),
    ]
    buffer = io.BytesIO()
    pl.DataFrame(columns).write_csv(
        buffer, include_header=False, quote_style="never", batch_size=_ROWS_AT_ONCE
    )
    return buffer.getvalue()


def position_of(content: bytes, time_ms: int) -> int:
    """Where the first row at or after `time_ms` begins in a partition; its end without one."""
    wanted = iso_text(time_ms).encode("ascii")
    # Rows ascend, and times of this form ascend as their texts do.
    low, high = len(HEADER), len(content)
    while low < high:
        middle = (low + high) // 2
        start = max(content.rfind(b"\n", low, middle) + 1, low)
        if content[start : start + len(wanted)] >= wanted:
            high = start
        else:
            end = content.find(b"\n", middle, high)
            low = high if end < 0 else end + 1
    return low


def _scaled(series: Series, candles: pl.DataFrame, name: str, digits: int) -> pl.Series:
    try:
        return scale(candles[name], digits).alias(name.capitalize())
    except ScalingError as error:
        minute = iso_text(candles["open_time_ms"][error.index])
        raise PartitionError(
            f"{series}: the {name} {error.value} at {minute} does not fit an int64 with {digits} "
            "digits; ask for fewer digits, in another --data_root if the folder exists"
        ) from error
