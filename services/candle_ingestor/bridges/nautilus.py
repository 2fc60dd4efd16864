"""NautilusTrader's data catalog: bars as Parquet, prices and volumes in fixed point.

Needs pyarrow: Polars has no binary columns of a fixed size.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
from pyarrow import parquet

from candle_ingestor.bridges.base import SCALED_COLUMNS, MonthOfCandles, ScaledSeries
from candle_ingestor.bridges.errors import BridgeError
from candle_ingestor.bridges.files import remove_file, write_large_file
from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.series import Series
from candle_ingestor.model.timeframe import MINUTES_PER_DAY, MINUTES_PER_HOUR
from candle_ingestor.model.times import iso_text

FIXED_DIGITS = 16
"""The digits of its fixed point where a number takes 16 bytes, as on Linux and macOS."""

_MOST = {"price": 17_014_118_346_046, "volume": 34_028_236_692_093}
"""The largest price and quantity that it takes."""

_MOST_INT64 = 2**63 - 1
_NUMBER_BYTES = 16
_ROWS_IN_GROUP = 7 * MINUTES_PER_DAY
_NS_PER_MS = 1_000_000
_UNITS = (
    # Minutes, name, and what the step must be a part of.
    (7 * MINUTES_PER_DAY, "WEEK", 1),
    (MINUTES_PER_DAY, "DAY", 1),
    (MINUTES_PER_HOUR, "HOUR", 24),
    (1, "MINUTE", 60),
)


class NautilusBridge:
    """`data/bar/BTCUSD.KRAKEN-1-MINUTE-LAST-EXTERNAL/{first}_{last}.parquet`, a file a month.

    A bar is stamped with its close. A file is named by the first and the last close that its month
    can have, so that it keeps its name while the month fills.
    """

    def require(self, scaled: ScaledSeries) -> None:
        """A timeframe that is one of its bars, and digits that it has."""
        _bar_type(scaled.series)
        most = max(scaled.price_digits, scaled.volume_digits)
        if most > FIXED_DIGITS:
            raise BridgeError(
                f"{scaled.series}: NautilusTrader takes {FIXED_DIGITS} digits at most, and {most} "
                "are asked for; ask for fewer digits"
            )

    def write(
        self, root: Path, scaled: ScaledSeries, months: Iterable[MonthOfCandles]
    ) -> list[Path]:
        """As in `Bridge`; a month without a candle has no file."""
        series = scaled.series
        folder = root / "data" / "bar" / _bar_type(series).replace("/", "")
        length_ms = series.timeframe.duration_ms
        changed = []
        for month in months:
            path = folder / _file_name(month.span, length_ms)
            if month.candles.is_empty():
                has_changed = remove_file(path)
            else:
                write = partial(_put, _table(scaled, month.candles))
                has_changed = write_large_file(path, write)
            if has_changed:
                changed.append(path)
        return changed


def _bar_type(series: Series) -> str:
    minutes = series.timeframe.minutes
    unit_minutes, unit, whole = next(each for each in _UNITS if minutes % each[0] == 0)
    step = minutes // unit_minutes
    if whole % step:
        raise BridgeError(
            f"{series}: NautilusTrader has no bars of {series.timeframe}; export 1m candles with "
            "--candle_granularity_minutes, and let it aggregate them"
        )
    return f"{_instrument(series)}-{step}-{unit}-LAST-EXTERNAL"


def _instrument(series: Series) -> str:
    return f"{series.symbol}.{series.exchange.upper()}"


def _file_name(span: Interval, length_ms: int) -> str:
    return f"{_stamp(span.start_ms + length_ms)}_{_stamp(span.end_ms)}.parquet"


def _stamp(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms // 1000, UTC).strftime("%Y-%m-%dT%H-%M-%S-000000000Z")


def _table(scaled: ScaledSeries, candles: pl.DataFrame) -> Any:
    closes = candles["open_time_ms"] + scaled.series.timeframe.duration_ms
    stamps = (closes * _NS_PER_MS).cast(pl.UInt64).to_arrow()
    columns = [
        *(_fixed_point(scaled, candles, name) for name in SCALED_COLUMNS),
        stamps,
        stamps,
    ]
    names = (*SCALED_COLUMNS, "ts_event", "ts_init")
    metadata = {
        "bar_type": _bar_type(scaled.series),
        "instrument_id": _instrument(scaled.series),
        "price_precision": str(scaled.price_digits),
        "size_precision": str(scaled.volume_digits),
    }
    fields = [
        pa.field(name, column.type, nullable=False)
        for name, column in zip(names, columns, strict=True)
    ]
    return pa.Table.from_arrays(columns, schema=pa.schema(fields, metadata=metadata))


def _fixed_point(scaled: ScaledSeries, candles: pl.DataFrame, name: str) -> Any:
    """The column as little-endian integers of 16 bytes."""
    digits = scaled.digits_of(name)
    kind = "volume" if name == "volume" else "price"
    most = min(_MOST[kind] * 10**digits, _MOST_INT64)
    too_large = candles.filter(candles[name] > most)
    if not too_large.is_empty():
        raise BridgeError(
            f"{scaled.series}: the {name} at {iso_text(too_large['open_time_ms'][0])} is more than "
            f"{_MOST[kind]}, the most that NautilusTrader takes; leave this series out"
        )
    factor = pl.lit(10 ** (FIXED_DIGITS - digits), dtype=pl.Int128)
    raised = candles.select(pl.col(name).cast(pl.Int128) * factor).to_series()
    # A decimal of 128 bits is that integer in memory; nothing is copied.
    decimals = raised.cast(pl.Decimal(38, 0)).to_arrow()
    return pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(_NUMBER_BYTES), len(decimals), decimals.buffers(), offset=decimals.offset
    )


def _put(table: Any, path: Path) -> None:
    parquet.write_table(table, path, compression="zstd", row_group_size=_ROWS_IN_GROUP)
