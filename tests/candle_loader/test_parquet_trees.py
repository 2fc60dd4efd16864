"""Parquet trees load by the same calls as CSV, and as the same candles."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from exported_series import (
    FEBRUARY_MS,
    HOUR_MS,
    JANUARY_MS,
    MARCH_MS,
    change_manifest,
    export,
    hourly,
    hourly_but,
)

from candle_ingestor.model.export_forms import ExportFormat, Fill
from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_loader import Candles, LoaderError, gaps, iter_months, last_timestamp, list_series, load

CSV, PARQUET = ExportFormat.CSV, ExportFormat.PARQUET
COVERED = IntervalSet([(JANUARY_MS, FEBRUARY_MS - HOUR_MS), (FEBRUARY_MS, MARCH_MS)])
IDLE_MS = JANUARY_MS + 5 * HOUR_MS
ASKED = ("kraken", "BTC/USD")


def load_at_once(data_root: Path, **options: Any) -> Candles:
    return load(data_root, *ASKED, timeframe="1h", patience_seconds=0, **options)


@pytest.fixture
def both(tmp_path: Path) -> Path:
    for file_format in (CSV, PARQUET):
        export(tmp_path, COVERED, read=hourly_but(IDLE_MS), file_format=file_format)
    return tmp_path


def test_both_formats_hold_the_same(both: Path) -> None:
    csv, parquet = (load_at_once(both, file_format=name) for name in ("csv", "parquet"))
    assert parquet.frame.equals(csv.frame)
    assert parquet.frame.schema == csv.frame.schema
    assert parquet.gaps == csv.gaps != ()
    assert parquet.to_numpy().close.tolist() == csv.frame["close"].to_list()
    assert (csv.series.file_format, parquet.series.file_format) == ("csv", "parquet")
    for name in ("csv", "parquet"):
        asked = (both, *ASKED)
        months = iter_months(*asked, timeframe="1h", file_format=name)
        assert pl.concat([month.frame for month in months]).equals(csv.frame)
        assert gaps(*asked, timeframe="1h", file_format=name) == csv.gaps
        assert last_timestamp(*asked, timeframe="1h", file_format=name) == MARCH_MS - HOUR_MS
    listed = list_series(both)
    assert [each.series.file_format for each in listed] == ["csv", "parquet"]
    assert len({(str(each), each.rows, each.gaps) for each in listed}) == 1


def test_a_month_of_a_parquet_tree_is_one_chunk_without_a_copy(both: Path) -> None:
    january = load(both, *ASKED, "2024-01", "2024-01", "1h", file_format="parquet")
    assert january.to_numpy().volume.tolist() == january.frame["volume"].to_list()
    assert january.frame["timestamp_ms"][0] == JANUARY_MS


def test_a_root_of_parquet_alone_needs_no_word_of_it(tmp_path: Path) -> None:
    export(tmp_path, file_format=PARQUET, timeframe="60m")
    assert load_at_once(tmp_path, require_complete=True).frame.height == 60 * 24


def test_of_two_formats_the_one_that_knows_more_is_loaded(both: Path) -> None:
    assert load_at_once(both).series.file_format == "parquet"
    parquet = export(both, COVERED, file_format=PARQUET, restate=True)
    months = json.loads((parquet / "_manifest.json").read_text())["months"]
    change_manifest(parquet, months={"2024-01": months["2024-01"]})
    assert load_at_once(both).series.file_format == "csv"
    assert load_at_once(both, file_format="parquet").end_ms == FEBRUARY_MS


def test_flat_bars_come_as_they_are_and_are_told_of(tmp_path: Path) -> None:
    export(tmp_path, read=hourly_but(IDLE_MS), file_format=PARQUET, fill=Fill.FLAT)
    flat = load_at_once(tmp_path)
    assert flat.series.fill == "flat"
    assert flat.frame.row(5) == (IDLE_MS, 100, 100, 100, 100, 0)
    export(tmp_path, read=hourly_but(IDLE_MS), file_format=CSV)
    assert load_at_once(tmp_path, file_format="csv").fill_idle().frame.equals(flat.frame)
    with pytest.raises(LoaderError, match="say which by file_format"):
        load_at_once(tmp_path)


def test_a_format_that_is_none_or_not_there_is_named(tmp_path: Path) -> None:
    export(tmp_path, file_format=CSV)
    with pytest.raises(LoaderError, match="'feather' is no format of partitions"):
        load_at_once(tmp_path, file_format="feather")
    with pytest.raises(LoaderError, match=r"timeframe=1h/_manifest\.json does not exist"):
        load_at_once(tmp_path, file_format="parquet")


def replace_january(folder: Path, content: bytes) -> None:
    (folder / "year=2024/month=01/candles.parquet").write_bytes(content)
    months = json.loads((folder / "_manifest.json").read_text())["months"]
    months["2024-01"]["sha256"] = hashlib.sha256(content).hexdigest()
    change_manifest(folder, months=months)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (pl.all().exclude("close"), "is malformed"),
        ([pl.all().exclude("open"), pl.col("open").cast(pl.Float64)], "has a column open of Float"),
        (pl.all().head(3), "has 3 rows and its manifest states 744"),
        (pl.all().reverse(), "does not ascend by time"),
        (pl.all().exclude("timestamp"), "is malformed"),
        ([pl.all().exclude("low"), pl.lit(None, pl.Int64).alias("low")], "empty field"),
    ],
)
def test_a_table_of_another_make_is_an_error_even_where_the_sha256_fits(
    tmp_path: Path, change: Any, message: str
) -> None:
    folder = export(tmp_path, file_format=PARQUET)
    path = folder / "year=2024/month=01/candles.parquet"
    pl.read_parquet(path, hive_partitioning=False).select(change).write_parquet(path)
    replace_january(folder, path.read_bytes())
    with pytest.raises(LoaderError, match=r"month=01/candles\.parquet") as caught:
        load_at_once(tmp_path)
    assert message in str(caught.value)


def test_a_damaged_table_is_never_loaded(tmp_path: Path) -> None:
    folder = export(tmp_path, file_format=PARQUET)
    path = folder / "year=2024/month=01/candles.parquet"
    whole = path.read_bytes()
    for content in (b"", b"PAR1", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(LoaderError, match="does not have the sha256"):
            load_at_once(tmp_path)
        with pytest.raises(LoaderError, match="malformed"):
            load_at_once(tmp_path, verify=False)
    change_manifest(folder, format_version=2)
    with pytest.raises(LoaderError, match="format_version 2"):
        load_at_once(tmp_path)


def test_a_restated_table_is_loaded_anew(tmp_path: Path) -> None:
    export(tmp_path, file_format=PARQUET)
    assert load_at_once(tmp_path).frame["high"][0] == 100025

    def revised(interval: Interval) -> pl.DataFrame:
        return hourly(interval).with_columns(high=5000.0)

    export(tmp_path, read=revised, restate=True, file_format=PARQUET)
    assert load_at_once(tmp_path).frame["high"].unique().to_list() == [500000]
