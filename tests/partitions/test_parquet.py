"""The Parquet table: its names, its files, and that it tells what the CSV tells."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from partition_exports import (
    EXPORT,
    FEBRUARY,
    HOUR_MS,
    JANUARY,
    MARCH,
    assert_manifest_describes_its_files,
    entry_of,
    manifest_of,
    revised,
    rows_of,
    snapshot,
    without_trades,
)

from candle_ingestor.model.export_forms import ExportFormat
from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.partitions.errors import PartitionError
from candle_ingestor.partitions.formats import parquet_format

PARQUET = replace(EXPORT, file_format=ExportFormat.PARQUET)
FOLDER = "parquet/exchange=aggregated/symbol=BTCUSDT/timeframe=1h"
FILE = f"{FOLDER}/year=2024/month=01/candles.parquet"


def test_the_table_stands_below_the_data_root_with_a_manifest_beside_each_series(
    tmp_path: Path,
) -> None:
    result = PARQUET.to(tmp_path)
    assert result.folder == tmp_path / FOLDER
    assert set(snapshot(tmp_path)) == {
        f"{FOLDER}/_manifest.json",
        FILE,
        f"{FOLDER}/year=2024/month=02/candles.parquet",
    }
    entry = entry_of(result.folder, JANUARY)
    assert entry["file"] == "year=2024/month=01/candles.parquet"
    assert entry["sha256"] == hashlib.sha256((tmp_path / FILE).read_bytes()).hexdigest()
    assert_manifest_describes_its_files(result.folder)


def test_a_file_tells_its_scale_and_where_its_gaps_are(tmp_path: Path) -> None:
    PARQUET.to(tmp_path)
    told = pl.read_parquet_metadata(tmp_path / FILE)
    told.pop("ARROW:schema")
    assert told == {
        "format_version": "1",
        "exchange": "aggregated",
        "symbol": "BTC/USDT",
        "timeframe": "1h",
        "price_decimal_digits": "2",
        "volume_decimal_digits": "8",
        "fill": "none",
        "manifest": "../../_manifest.json",
    }
    assert ((tmp_path / FILE).parent / told["manifest"]).resolve().is_file()


def test_rows_are_times_in_utc_and_scaled_integers(tmp_path: Path) -> None:
    PARQUET.to(tmp_path)
    rows = pl.read_parquet(tmp_path / FILE, hive_partitioning=False)
    integers = ("open", "high", "low", "close", "volume")
    digits = ("price_decimal_digits", "volume_decimal_digits")
    assert dict(rows.schema) == {
        "timestamp": pl.Datetime("ms", "UTC"),
        **dict.fromkeys((*integers, *digits), pl.Int64()),
    }
    assert rows["timestamp"].dt.epoch("ms").to_list() == list(range(*JANUARY.interval, HOUR_MS))
    assert set(rows.drop("timestamp").rows()) == {(10050,) * 4 + (25_000_000, 2, 8)}


def test_the_table_has_the_series_in_columns(tmp_path: Path) -> None:
    PARQUET.to(tmp_path)
    ether = Series("kraken", Symbol("ETH", "USD"), Timeframe.parse("1d"))
    day = 24 * HOUR_MS

    def daily(interval: Interval) -> pl.DataFrame:
        return EXPORT.read(interval).filter(pl.col("open_time_ms") % day == 0)

    replace(PARQUET, series=ether, read=daily).to(tmp_path)
    table = pl.scan_parquet(tmp_path / "parquet/**/*.parquet", hive_partitioning=True)
    keys = ["exchange", "symbol", "timeframe", "year", "month"]
    found = table.group_by(keys).len().sort(keys).collect().rows()
    assert found == [
        ("aggregated", "BTCUSDT", "1h", 2024, 1, 744),
        ("aggregated", "BTCUSDT", "1h", 2024, 2, 696),
        ("kraken", "ETHUSD", "1d", 2024, 1, 31),
        ("kraken", "ETHUSD", "1d", 2024, 2, 29),
    ]


def test_both_formats_of_one_root_have_the_same_rows(tmp_path: Path) -> None:
    csv = EXPORT.to(tmp_path).folder
    parquet = PARQUET.to(tmp_path).folder
    assert rows_of(csv) == rows_of(parquet)
    described = []
    for folder in (csv, parquet):
        manifest = manifest_of(folder)
        for entry in manifest["months"].values():
            del entry["file"], entry["sha256"]
            entry.pop("bytes", None)
        described.append(manifest)
    assert described[0] == described[1]


def test_a_month_without_trades_is_a_table_of_no_rows(tmp_path: Path) -> None:
    folder = replace(PARQUET, read=without_trades).to(tmp_path).folder
    assert entry_of(folder, JANUARY)["rows"] == 0
    assert_manifest_describes_its_files(folder)


def test_a_month_in_progress_ends_as_one_that_was_written_at_once(tmp_path: Path) -> None:
    for end in (JANUARY.start_ms + 5 * HOUR_MS, FEBRUARY.start_ms - HOUR_MS, MARCH.start_ms):
        replace(
            PARQUET,
            months={JANUARY: end - HOUR_MS, FEBRUARY: None},
            coverage=IntervalSet.of(JANUARY.start_ms, end),
            closed_end_ms=end,
        ).to(tmp_path / "grown")
    now = replace(PARQUET, closed_end_ms=MARCH.start_ms)
    now.to(tmp_path / "at_once")
    grown, at_once = (
        {name: content for name, (content, _) in snapshot(tmp_path / root).items()}
        for root in ("grown", "at_once")
    )
    assert grown == at_once


def test_a_complete_month_is_not_written_again_by_an_encoder_that_makes_other_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    PARQUET.to(tmp_path)
    before = snapshot(tmp_path)
    monkeypatch.setattr(parquet_format, "_ZSTD_LEVEL", 9)
    assert PARQUET.to(tmp_path).refused == ()
    assert snapshot(tmp_path) == before
    assert replace(PARQUET, read=revised).to(tmp_path).refused == (JANUARY, FEBRUARY)


def test_a_damaged_file_is_mended(tmp_path: Path) -> None:
    PARQUET.to(tmp_path)
    before = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).chmod(0o644)
    (tmp_path / FILE).write_bytes(before[:-5] + b"PAR1x")
    assert PARQUET.to(tmp_path).foreign == (tmp_path / FILE,)
    replace(PARQUET, mends=True).to(tmp_path)
    assert (tmp_path / FILE).read_bytes() == before


def test_symbols_that_would_share_a_folder_are_refused(tmp_path: Path) -> None:
    PARQUET.to(tmp_path)
    other = Series.merged(Symbol("BTCU", "SDT"), Timeframe.parse("1h"))
    with pytest.raises(PartitionError, match="would be written to the same folder"):
        replace(PARQUET, series=other).to(tmp_path)
