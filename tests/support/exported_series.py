"""Folders of exported candles, made by the real writer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from candle_ingestor.model.candles import EXCHANGE_CANDLES
from candle_ingestor.model.export_forms import ExportFormat, Fill
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.months import Month
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.partitions.formats.choosing import FORMATS
from candle_ingestor.partitions.manifest import Digits
from candle_ingestor.partitions.replacing import Overwriting
from candle_ingestor.partitions.writer import PartitionWriter

HOUR_MS = 3_600_000
MINUTE_MS = 60_000
JANUARY_MS, FEBRUARY_MS, MARCH_MS = (Month(2024, number).start_ms for number in (1, 2, 3))
HEADER = "Timestamp,Open,High,Low,Close,Volume\n"


def hourly(interval: Interval) -> pl.DataFrame:
    """Candles whose open price tells their hour of the year."""
    rows = [
        (t, (t - JANUARY_MS) / HOUR_MS + 1, 1000.25, 0.5, 1.0, 12345678.87654321)
        for t in range(*interval, HOUR_MS)
    ]
    return pl.DataFrame(rows, schema=EXCHANGE_CANDLES, orient="row")


def hourly_but(*missing_ms: int) -> Callable[[Interval], pl.DataFrame]:
    """The same without the candles that open at these times."""

    def read(interval: Interval) -> pl.DataFrame:
        return hourly(interval).filter(~pl.col("open_time_ms").is_in(list(missing_ms)))

    return read


def export(
    data_root: Path,
    covered: IntervalSet = IntervalSet.of(JANUARY_MS, MARCH_MS),  # noqa: B008
    closed_end_ms: int = MARCH_MS,
    read: Callable[[Interval], pl.DataFrame] = hourly,
    restate: bool = False,
    exchange: str = "kraken",
    timeframe: str = "1h",
    symbol: str = "BTC/USD",
    digits: Digits = Digits(price=2, volume=8),  # noqa: B008
    file_format: ExportFormat = ExportFormat.CSV,
    fill: Fill = Fill.NONE,
) -> Path:
    """Exports January and February 2024, and answers the series' folder."""
    series = Series(exchange, Symbol.parse(symbol), Timeframe.parse(timeframe))
    writer = PartitionWriter(data_root, FORMATS[file_format])
    reasons = {GapReason.FETCH_FAILED: IntervalSet.of(0, FEBRUARY_MS)}
    months = {Month(2024, 1): None, Month(2024, 2): None}
    return writer.export(
        *(series, digits, months, read, covered, reasons, closed_end_ms, EMPTY),
        fill=fill,
        overwriting=Overwriting(restates=restate),
    ).folder


def change_manifest(folder: Path, **changes: Any) -> None:
    (path,) = folder.glob("*manifest.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def change_month(folder: Path, text: str, rows: int | None = None) -> None:
    """Replaces January's file and makes the manifest state its sha256, and how many rows."""
    path = folder / "2024/2024-01.csv"
    path.unlink()  # It is read-only.
    path.write_text(text)
    months = json.loads((folder / "manifest.json").read_text())["months"]
    months["2024-01"]["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    if rows is not None:
        months["2024-01"]["rows"] = rows
    change_manifest(folder, months=months)
