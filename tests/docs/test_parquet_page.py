"""The lines of docs/parquet.md read one table alike, each by the library that it is for."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from partition_exports import BOTH_MONTHS, EXPORT, FEBRUARY, JANUARY

from candle_ingestor.model.export_forms import ExportFormat
from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.partitions.formats.choosing import FORMATS
from candle_ingestor.partitions.manifest import Digits
from candle_ingestor.partitions.writer import PartitionWriter

PAGE = Path(__file__).parents[2] / "docs/parquet.md"
BLOCKS = re.findall(r"^```py\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
MINUTE_MS = 60_000
MINUTES = 60 * 1440


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two symbols of two scales, the second of hours; CSV stands beside."""
    folder = tmp_path_factory.mktemp("parquet")
    for symbol, timeframe, digits in (("BTC", "1m", Digits(2, 8)), ("ETH", "1h", Digits(4, 3))):
        series = Series.merged(Symbol(symbol, "USD"), Timeframe.parse(timeframe))
        for file_format in FORMATS.values():
            PartitionWriter(folder / "data/csv", file_format).export(
                series,
                digits,
                {JANUARY: None, FEBRUARY: None},
                partial(rising, length_ms=series.timeframe.duration_ms),
                BOTH_MONTHS,
                {},
                EXPORT.closed_end_ms,
                EXPORT.unsettled,
            )
    return folder


def rising(interval: Interval, length_ms: int) -> pl.DataFrame:
    times = pl.int_range(interval.start_ms, interval.end_ms, length_ms, dtype=pl.Int64, eager=True)
    price = 100 + (times - JANUARY.start_ms) / MINUTE_MS / 100
    prices = [price.alias(name) for name in ("open", "high", "low", "close")]
    return pl.DataFrame([times.alias("open_time_ms"), *prices, (price / 10).alias("volume")])


def library_of(block: str) -> str:
    (name,) = re.findall(r"^import (\w+)", block)
    return str(name)


def test_the_page_has_a_line_for_each_library() -> None:
    assert [library_of(block) for block in BLOCKS] == ["polars", "duckdb", "pandas", "pyarrow"]


@pytest.mark.parametrize("block", BLOCKS, ids=library_of)
def test_every_line_of_the_page_reads_the_same_candles(
    workplace: Path, block: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(library_of(block))
    if library_of(block) == "pandas":
        pytest.importorskip("pyarrow")
    monkeypatch.chdir(workplace)
    found: dict[str, Any] = {}
    exec(block, found)
    times, closes = times_and_closes(found["candles"])
    assert times == list(range(JANUARY.start_ms, FEBRUARY.interval.end_ms, MINUTE_MS))
    assert closes == [10_000 + minute for minute in range(MINUTES)]


def times_and_closes(candles: Any) -> tuple[list[int], list[int]]:
    """Open times in UTC ms and closes in hundredths, whatever the kind of table."""
    kind = type(candles).__name__
    if kind == "DuckDBPyRelation":
        rows = candles.project("epoch_ms(timestamp), round(close * 100)::BIGINT").fetchall()
        return [row[0] for row in rows], [row[1] for row in rows]
    if isinstance(candles, pl.DataFrame):
        return candles["timestamp"].dt.epoch("ms").to_list(), candles["close"].to_list()
    times, closes = candles["timestamp"], candles["close"].to_numpy()
    times = times.to_numpy() if kind == "Table" else times.to_numpy("datetime64[ms]")
    return times.astype(int).tolist(), closes.tolist()


def test_groups_of_rows_are_ten_days_with_their_least_and_greatest(workplace: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    layout = FORMATS[ExportFormat.PARQUET]
    series = Series.merged(Symbol("BTC", "USD"), Timeframe(1))
    path = layout.folder_of(workplace / "data/csv", series) / layout.month_file(JANUARY)
    file = parquet.ParquetFile(path)
    groups = [file.metadata.row_group(index) for index in range(file.num_row_groups)]
    assert [group.num_rows for group in groups] == [14_400, 14_400, 14_400, 1_440]
    for group in groups:
        for index in range(group.num_columns):
            column = group.column(index)
            assert column.compression == "ZSTD"
            assert column.statistics.has_min_max
    assert groups[1].column(4).statistics.min == 10_000 + 14_400
    metadata = file.schema_arrow.metadata
    assert metadata == {key: file.metadata.metadata[key] for key in metadata}
    assert (metadata[b"symbol"], metadata[b"price_decimal_digits"]) == (b"BTC/USD", b"2")
