"""Exports of an hourly series of two months, for the tests of partitions."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from candle_ingestor.model.candles import MERGED_CANDLES, PRICE_COLUMNS, VALUE_COLUMNS
from candle_ingestor.model.export_forms import ExportFormat, Fill
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.months import Month
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.partitions.formats.choosing import FORMATS
from candle_ingestor.partitions.manifest import Digits
from candle_ingestor.partitions.replacing import ExportResult, Overwriting
from candle_ingestor.partitions.writer import PartitionWriter

HOUR_MS = 3_600_000
JANUARY, FEBRUARY, MARCH = Month(2024, 1), Month(2024, 2), Month(2024, 3)
BOTH_MONTHS = IntervalSet.of(JANUARY.start_ms, MARCH.start_ms)
YEAR_END_MS = Month(2025, 1).start_ms
RESTATED_AT_MS = YEAR_END_MS + HOUR_MS
SERIES = Series.merged(Symbol("BTC", "USDT"), Timeframe.parse("1h"))
DIGITS = Digits(price=2, volume=8)


def hourly(interval: Interval, price: float = 100.5, volume: float = 0.25) -> pl.DataFrame:
    times = range(-(-interval.start_ms // HOUR_MS) * HOUR_MS, interval.end_ms, HOUR_MS)
    prices = [pl.lit(price).alias(name) for name in PRICE_COLUMNS]
    return pl.DataFrame({"open_time_ms": times}, schema={"open_time_ms": pl.Int64}).with_columns(
        *prices,
        pl.lit(volume).alias("volume"),
        pl.lit("kraken").alias("source_exchanges"),
        pl.lit(1, pl.Int64).alias("exchange_count"),
    )


def revised(interval: Interval) -> pl.DataFrame:
    return hourly(interval, price=101.0)


def without_trades(_: Interval) -> pl.DataFrame:
    return pl.DataFrame(schema=MERGED_CANDLES)


@dataclass(frozen=True)
class Export:
    """An export of January and February 2024, all of it covered, with changes of it by name."""

    series: Series = SERIES
    digits: Digits = DIGITS
    months: Mapping[Month, int | None] = field(
        default_factory=lambda: {JANUARY: None, FEBRUARY: None}
    )
    read: Callable[[Interval], pl.DataFrame] = hourly
    coverage: IntervalSet = BOTH_MONTHS
    reasons: Mapping[GapReason, IntervalSet] = field(default_factory=dict)
    closed_end_ms: int = YEAR_END_MS
    unsettled: IntervalSet = EMPTY
    restate: bool = False
    mends: bool = False
    reason: str | None = None
    fill: Fill = Fill.NONE
    file_format: ExportFormat = ExportFormat.CSV

    def to(self, data_root: Path) -> ExportResult:
        values = dict(vars(self))
        overwriting = Overwriting(
            restates=values.pop("restate"),
            mends=values.pop("mends"),
            at_ms=RESTATED_AT_MS,
            reason=values.pop("reason"),
        )
        writer = PartitionWriter(data_root, FORMATS[values.pop("file_format")])
        return writer.export(**values, overwriting=overwriting)

    def mended_in(self, data_root: Path) -> list[Month]:
        """The months that are brought in line without being named."""
        result = replace(self, months={}).to(data_root)
        return sorted({*result.written, *result.restated})


EXPORT = Export()


def changing_export(number: int) -> Export:
    """One of the exports of a store that grows, and that revises all it has every third time."""
    end_ms = JANUARY.start_ms + (700 + 10 * number) * HOUR_MS
    return replace(
        EXPORT,
        read=revised if number // 3 % 2 else hourly,
        coverage=IntervalSet.of(JANUARY.start_ms, end_ms),
        closed_end_ms=end_ms,
        restate=True,
    )


def manifest_of(folder: Path) -> dict[str, Any]:
    (path,) = folder.glob("*manifest.json")
    values: dict[str, Any] = json.loads(path.read_text())
    return values


def entry_of(folder: Path, month: Month) -> dict[str, Any]:
    entry: dict[str, Any] = manifest_of(folder)["months"][str(month)]
    return entry


def snapshot(root: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(root)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in root.rglob("*")
        if path.is_file()
    }


def contents(root: Path) -> dict[str, bytes]:
    return {name: content for name, (content, _) in snapshot(root).items()}


def assert_manifest_describes_its_files(folder: Path) -> None:
    entries = manifest_of(folder)["months"].values()
    for entry in entries:
        content = (folder / entry["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == entry["sha256"]
        times = opens_in(content, entry["file"])
        assert len(times) == entry["rows"]
        assert entry["first_timestamp"] == (times[0] if times else None)
        assert entry["last_timestamp"] == (times[-1] if times else None)
    on_disk = {
        str(path.relative_to(folder))
        for pattern in ("*.csv", "*.parquet")
        for path in folder.rglob(pattern)
    }
    assert on_disk == {entry["file"] for entry in entries}


def opens_in(content: bytes, name: str) -> list[str]:
    if name.endswith(".csv"):
        _, *rows = content.decode().splitlines()
        return [row.split(",")[0] for row in rows]
    times = pl.read_parquet(io.BytesIO(content))["timestamp"]
    return times.dt.strftime("%Y-%m-%dT%H:%M:%SZ").to_list()


def rows_of(folder: Path) -> list[tuple[int, ...]]:
    """The rows of all months that the manifest tells of, open times in hours since January."""
    rows: list[tuple[int, ...]] = []
    for entry in manifest_of(folder)["months"].values():
        path = folder / entry["file"]
        if path.suffix == ".csv":
            frame = pl.read_csv(path, try_parse_dates=True)
        else:
            frame = pl.read_parquet(path, hive_partitioning=False)
        frame = frame.rename(str.lower).select("timestamp", *VALUE_COLUMNS)
        times = frame["timestamp"].dt.epoch("ms")
        hours = ((times - JANUARY.start_ms) // HOUR_MS).alias("timestamp")
        rows += frame.with_columns(hours).rows()
    return rows
