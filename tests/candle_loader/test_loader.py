"""The backtester's reader, on folders that the real writer made (rule E5)."""

from __future__ import annotations

import ast
import errno
import hashlib
import json
import os
import threading
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from exported_series import (
    FEBRUARY_MS,
    HEADER,
    HOUR_MS,
    JANUARY_MS,
    MARCH_MS,
    MINUTE_MS,
    change_manifest,
    change_month,
    export,
    hourly,
)
from hypothesis import given
from hypothesis import strategies as st
from killing import Killed, killed_before_call

import candle_loader
from candle_ingestor.model.candles import EXCHANGE_CANDLES
from candle_ingestor.model.export_forms import ExportFormat
from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.months import Month
from candle_loader import Candles, Gap, LoaderError, list_series, load

ALL_INT64 = dict.fromkeys(["timestamp_ms", "open", "high", "low", "close", "volume"], pl.Int64)


def load_at_once(
    data_root: Path,
    start: int | str | None = None,
    end: int | str | None = None,
    *,
    patience_seconds: float = 0,
    **options: Any,
) -> Candles:
    return load(
        *(data_root, "kraken", "BTC/USD", start, end, "1h"),
        patience_seconds=patience_seconds,
        **options,
    )


def test_all_that_was_exported_is_loaded_as_integers(tmp_path: Path) -> None:
    export(tmp_path)
    candles = load_at_once(tmp_path)
    assert candles.frame.schema == ALL_INT64
    assert candles.frame["timestamp_ms"].to_list() == list(range(JANUARY_MS, MARCH_MS, HOUR_MS))
    assert candles.frame.row(2) == (
        *(JANUARY_MS + 2 * HOUR_MS, 300, 100025, 50, 100),
        1234567887654321,
    )
    assert (candles.price_decimal_digits, candles.volume_decimal_digits) == (2, 8)
    assert (candles.start_ms, candles.end_ms) == (JANUARY_MS, MARCH_MS)
    assert candles.is_complete


def test_integers_that_no_float_holds_are_loaded_exactly(tmp_path: Path) -> None:
    folder = export(tmp_path)
    largest = 2**63 - 1
    change_month(
        folder,
        HEADER + f"2024-01-01T00:00:00Z,9007199254740993,{largest},1,-{largest},{largest - 1}\n",
        rows=1,
    )
    row = load_at_once(tmp_path, "2024-01-01", "2024-02-01").frame.row(0)
    assert row == (JANUARY_MS, 9007199254740993, largest, 1, -largest, largest - 1)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    export(root)
    return root


@given(st.integers(JANUARY_MS - HOUR_MS, MARCH_MS), st.integers(0, MARCH_MS - JANUARY_MS))
def test_a_range_is_half_open(exported: Path, start_ms: int, length_ms: int) -> None:
    known = IntervalSet.of(start_ms, start_ms + length_ms) & IntervalSet.of(JANUARY_MS, MARCH_MS)
    if length_ms and not known:
        with pytest.raises(LoaderError, match="nothing is exported"):
            load_at_once(exported, start_ms, start_ms + length_ms)
        return
    candles = load_at_once(exported, start_ms, start_ms + length_ms)
    times = range(JANUARY_MS, MARCH_MS, HOUR_MS)
    assert candles.frame["timestamp_ms"].to_list() == [
        time for time in times if start_ms <= time < start_ms + length_ms
    ]
    unknown_ms = sum(gap.end_ms - gap.start_ms for gap in candles.gaps)
    assert unknown_ms == length_ms - known.duration_ms


@pytest.mark.parametrize(
    "start",
    [
        JANUARY_MS + 24 * HOUR_MS,
        "2024-01-02",
        "2024-01-02T00:00:00Z",
        "2024-01-02T00:00:00",
        "2024-01-02T01:00:00+01:00",
    ],
)
def test_times_are_milliseconds_or_iso_text_in_utc(exported: Path, start: int | str) -> None:
    candles = load_at_once(exported, start, "2024-01-03")
    assert candles.start_ms == JANUARY_MS + 24 * HOUR_MS
    assert candles.frame.height == 24


@pytest.mark.parametrize("symbol", ["BTC/USD", "btc-usd", "BTCUSD", "BTC_USD"])
def test_a_symbol_may_be_written_as_is_usual(exported: Path, symbol: str) -> None:
    assert load(exported, "kraken", symbol, timeframe="1h").series.symbol == "BTC/USD"


def test_months_outside_the_range_are_not_read(tmp_path: Path) -> None:
    folder = export(tmp_path)
    (folder / "2024/2024-02.csv").unlink()
    assert load_at_once(tmp_path, "2024-01-01", "2024-02-01").frame.height == 744


def test_gaps_in_range_come_with_their_reason(tmp_path: Path) -> None:
    covered = IntervalSet([(JANUARY_MS + 2 * HOUR_MS, FEBRUARY_MS + 3 * HOUR_MS)])
    export(tmp_path, covered, FEBRUARY_MS + 5 * HOUR_MS)
    assert load_at_once(tmp_path).gaps == (
        Gap(JANUARY_MS, JANUARY_MS + 2 * HOUR_MS, "fetch_failed"),
        Gap(FEBRUARY_MS + 3 * HOUR_MS, FEBRUARY_MS + 5 * HOUR_MS, "not_fetched"),
    )
    assert load_at_once(tmp_path, JANUARY_MS + HOUR_MS, "2024-02-01").gaps == (
        Gap(JANUARY_MS + HOUR_MS, JANUARY_MS + 2 * HOUR_MS, "fetch_failed"),
    )
    assert load_at_once(tmp_path, "2024-01-02", "2024-02-01").is_complete


def test_time_that_was_never_exported_is_a_gap(tmp_path: Path) -> None:
    covered = IntervalSet([(JANUARY_MS, FEBRUARY_MS + 3 * HOUR_MS)])
    export(tmp_path, covered, FEBRUARY_MS + 3 * HOUR_MS)
    assert load_at_once(tmp_path).is_complete
    assert load_at_once(tmp_path, "2023-12-31", "2024-02-02").gaps == (
        Gap(JANUARY_MS - 24 * HOUR_MS, JANUARY_MS, "not_exported"),
        Gap(FEBRUARY_MS + 3 * HOUR_MS, FEBRUARY_MS + 24 * HOUR_MS, "not_exported"),
    )


def test_a_month_missing_between_two_is_a_gap(tmp_path: Path) -> None:
    folder = export(tmp_path)
    months = json.loads((folder / "manifest.json").read_text())["months"]
    april = {**months["2024-02"], "file": "2024/2024-04.csv", "rows": 0}
    (folder / "2024/2024-04.csv").write_text(HEADER)
    change_manifest(folder, months={"2024-01": months["2024-01"], "2024-04": april})
    gaps = load_at_once(tmp_path, verify=False).gaps
    assert gaps == (Gap(FEBRUARY_MS, Month(2024, 4).start_ms, "not_exported"),)


def test_a_gap_is_an_error_where_completeness_is_required(tmp_path: Path) -> None:
    export(tmp_path, IntervalSet([(JANUARY_MS + 2 * HOUR_MS, MARCH_MS)]))
    with pytest.raises(
        LoaderError,
        match=r"kraken BTC/USD 1h is not complete .*"
        r"2024-01-01T00:00:00Z to 2024-01-01T02:00:00Z \(fetch_failed\)",
    ):
        load_at_once(tmp_path, require_complete=True)
    assert load_at_once(tmp_path, "2024-01-02", require_complete=True).is_complete


def test_a_month_without_a_trade_loads_as_no_rows(tmp_path: Path) -> None:
    export(tmp_path, read=lambda _: pl.DataFrame(schema=EXCHANGE_CANDLES))
    candles = load_at_once(tmp_path, require_complete=True)
    assert candles.frame.schema == ALL_INT64
    assert candles.frame.is_empty()


def minutely(interval: Interval) -> pl.DataFrame:
    rows = [(t, 1.0, 1.0, 1.0, 1.0, 2.0) for t in range(*interval, MINUTE_MS)]
    return pl.DataFrame(rows, schema=EXCHANGE_CANDLES, orient="row")


def test_timeframes_of_a_symbol_stand_side_by_side(tmp_path: Path) -> None:
    day = IntervalSet.of(JANUARY_MS, JANUARY_MS + 24 * HOUR_MS)
    export(tmp_path, day)
    export(tmp_path, day, read=minutely, timeframe="1m")
    assert load(tmp_path, "kraken", "BTC/USD", end="2024-01-02").frame.height == 1440
    for timeframe in ("1h", "60m"):
        candles = load(tmp_path, "kraken", "BTC/USD", end="2024-01-02", timeframe=timeframe)
        assert (candles.series.timeframe, candles.frame.height) == ("1h", 24)
    assert [str(series) for series in list_series(tmp_path)] == [
        "kraken BTC/USD 1m",
        "kraken BTC/USD 1h",
    ]


def test_a_folder_of_another_timeframe_is_not_loaded(tmp_path: Path) -> None:
    export(tmp_path).rename(tmp_path / "kraken" / "BTCUSD")
    with pytest.raises(LoaderError, match=r"holds kraken BTC/USD 1h, not kraken BTC/USD 1m"):
        load(tmp_path, "kraken", "BTC/USD", patience_seconds=0)


@pytest.mark.parametrize("timeframe", ["1x", "", "0m", "h", "../1h"])
def test_a_timeframe_that_is_none_is_named(exported: Path, timeframe: str) -> None:
    with pytest.raises(LoaderError, match="is no timeframe; write 1m"):
        load(exported, "kraken", "BTC/USD", timeframe=timeframe)


def idle_at_the_end(interval: Interval) -> pl.DataFrame:
    """No trade in the last five hours of January."""
    return hourly(interval).filter(
        ~pl.col("open_time_ms").is_between(FEBRUARY_MS - 5 * HOUR_MS, FEBRUARY_MS, closed="left")
    )


def test_the_end_of_a_month_without_trades_is_known(tmp_path: Path) -> None:
    """Of a month that was downloaded from the 15th on, once over (defect Q)."""
    fifteenth_ms = JANUARY_MS + 14 * 24 * HOUR_MS
    export(tmp_path, IntervalSet.of(fifteenth_ms, MARCH_MS), read=idle_at_the_end)
    assert load_at_once(tmp_path).gaps == (Gap(JANUARY_MS, fifteenth_ms, "fetch_failed"),)
    assert load_at_once(tmp_path, "2024-01-15", require_complete=True).is_complete


def test_an_idle_hour_up_to_now_is_known(tmp_path: Path) -> None:
    end_ms = FEBRUARY_MS - HOUR_MS
    export(tmp_path, IntervalSet.of(JANUARY_MS, end_ms), end_ms, read=idle_at_the_end)
    candles = load_at_once(tmp_path)
    assert (candles.end_ms, candles.is_complete) == (end_ms, True)
    assert load_at_once(tmp_path, end=FEBRUARY_MS).gaps == (
        Gap(end_ms, FEBRUARY_MS, "not_exported"),
    )


def test_a_manifest_that_does_not_say_how_far_it_knows_is_taken_by_its_rows(
    tmp_path: Path,
) -> None:
    fifteenth_ms = JANUARY_MS + 14 * 24 * HOUR_MS
    folder = export(tmp_path, IntervalSet.of(fifteenth_ms, MARCH_MS), read=idle_at_the_end)
    months = json.loads((folder / "manifest.json").read_text())["months"]
    for month in months.values():
        del month["known_until"]
    change_manifest(folder, months=months, key_of_a_later_release=1)
    assert load_at_once(tmp_path).gaps == (
        Gap(JANUARY_MS, fifteenth_ms, "fetch_failed"),
        Gap(FEBRUARY_MS - 5 * HOUR_MS, FEBRUARY_MS, "not_exported"),
    )


def test_a_month_that_lost_everything_loads_as_gaps(tmp_path: Path) -> None:
    """And never as the rows that it had (defect B)."""
    export(tmp_path)
    export(tmp_path, IntervalSet.of(FEBRUARY_MS, MARCH_MS), restate=True)
    assert load_at_once(tmp_path, end=FEBRUARY_MS).frame.is_empty()
    assert load_at_once(tmp_path).gaps == (Gap(JANUARY_MS, FEBRUARY_MS, "fetch_failed"),)


def test_series_are_listed_with_their_scale_their_span_and_what_is_missing(tmp_path: Path) -> None:
    assert list_series(tmp_path) == []
    export(tmp_path, exchange="kraken")
    known = [(JANUARY_MS + HOUR_MS, JANUARY_MS + 3 * HOUR_MS), (FEBRUARY_MS, MARCH_MS - HOUR_MS)]
    export(tmp_path, IntervalSet(known), exchange="aggregated")
    merged, kraken = list_series(tmp_path)
    assert [str(merged), str(kraken)] == ["aggregated BTC/USD 1h", "kraken BTC/USD 1h"]
    digits = {
        (listed.series.price_decimal_digits, listed.series.volume_decimal_digits)
        for listed in (merged, kraken)
    }
    assert digits == {(2, 8)}
    assert (kraken.start_ms, kraken.end_ms, kraken.rows) == (JANUARY_MS, MARCH_MS, 60 * 24)
    assert (kraken.is_complete, kraken.known_pct) == (True, 100)
    assert (kraken.months, kraken.complete_months) == (2, 2)
    assert (merged.start_ms, merged.end_ms) == (JANUARY_MS + HOUR_MS, MARCH_MS - HOUR_MS)
    assert merged.gaps == (Gap(JANUARY_MS + 3 * HOUR_MS, FEBRUARY_MS, "fetch_failed"),)
    hours = (MARCH_MS - JANUARY_MS) / HOUR_MS - 2
    assert merged.known_pct == pytest.approx(100 * (2 + 29 * 24 - 1) / hours)
    assert not merged.is_complete
    assert merged.complete_months == 0


@pytest.mark.parametrize("text", ["", "Timestamp,Open\n", "half a fi"])
def test_a_file_that_differs_from_its_manifest_is_never_loaded(tmp_path: Path, text: str) -> None:
    folder = export(tmp_path)
    (folder / "2024/2024-01.csv").write_text(text)
    with pytest.raises(LoaderError, match=r"2024-01\.csv does not have the sha256"):
        load_at_once(tmp_path)
    with pytest.raises(LoaderError, match=r"2024-01\.csv does not begin with the header"):
        load_at_once(tmp_path, verify=False)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    folder = export(tmp_path)
    (folder / "2024/2024-02.csv").unlink()
    with pytest.raises(LoaderError, match=r"2024-02\.csv is missing"):
        load_at_once(tmp_path)


ROW = "2024-01-01T00:00:00Z,1,1,1,1,1\n"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (ROW, "has 1 rows and its manifest states 744"),
        (ROW.replace(",1,", ",1.5,", 1), "is malformed"),
        (ROW.replace(",1\n", ",\n"), "empty field"),
        (ROW.replace(",1\n", "\n"), "is malformed"),
        (ROW + ROW.replace(",1\n", "\n"), "empty field"),
        (ROW.replace(",1\n", ",1,1\n"), "is malformed"),
        (ROW.replace(",1,", f",{2**63},", 1), "is malformed"),
        (ROW.replace("2024-01-01T", "2024-01-01 "), "is malformed"),
        (ROW + ROW, "does not ascend by time"),
        ("\n", "is malformed"),
        (ROW.replace("2024-01", "2024-02"), "holds 2024-02-01T00:00:00Z, of another month"),
    ],
)
def test_malformed_rows_are_an_error_even_where_the_sha256_fits(
    tmp_path: Path, rows: str, message: str
) -> None:
    folder = export(tmp_path)
    change_month(folder, HEADER + rows)
    with pytest.raises(LoaderError, match=rf"2024-01\.csv .*{message}"):
        load_at_once(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": 2}, "has format_version 2, and this loader knows only 1"),
        ({"timeframe": "1x"}, "is no valid manifest: timeframe is '1x'"),
        ({"volume_decimal_digits": None}, "volume_decimal_digits is None"),
        ({"months": {"2024-13": {}}}, "'2024-13' is not a month"),
        ({"months": {"2024-01": {"file": "../2024-01.csv"}}}, "and not '2024/2024-01.csv'"),
        ({"months": {"2024-01": {"file": "2024/2024-01.csv"}}}, "'gaps' is missing"),
        ({"months": {}}, "holds no month yet"),
        ({"symbol": "BTCU/SD"}, "holds kraken BTCU/SD 1h, not kraken BTC/USD 1h"),
    ],
)
def test_a_manifest_that_does_not_fit_is_named(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    folder = export(tmp_path)
    change_manifest(folder, **changes)
    with pytest.raises(LoaderError, match=message) as caught:
        load_at_once(tmp_path)
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize(
    ("exchange", "symbol", "message"),
    [
        ("binance", "BTC/USD", r"binance/BTCUSD_1h/manifest\.json does not exist"),
        ("kraken", "ETH/USD", r"kraken/ETHUSD_1h/manifest\.json does not exist"),
        ("..", "BTC/USD", "'..' names no exchange or symbol"),
        ("kraken", "", "'' names no exchange or symbol"),
    ],
)
def test_a_series_that_is_not_there_is_named(
    exported: Path, exchange: str, symbol: str, message: str
) -> None:
    with pytest.raises(LoaderError, match=message):
        load(exported, exchange, symbol, timeframe="1h")


def test_a_missing_root_is_named(tmp_path: Path) -> None:
    with pytest.raises(LoaderError, match="nowhere is not a folder"):
        load(tmp_path / "nowhere", "kraken", "BTC/USD")
    with pytest.raises(LoaderError, match="nowhere is not a folder"):
        list_series(tmp_path / "nowhere")


@pytest.mark.parametrize("start", ["yesterday", "2024-13-01", True, 1.5])
def test_a_time_that_is_none_is_named(exported: Path, start: Any) -> None:
    with pytest.raises(LoaderError, match="is no time"):
        load_at_once(exported, start)


def test_a_range_that_ends_before_it_starts_is_an_error(exported: Path) -> None:
    with pytest.raises(LoaderError, match="ends before it starts"):
        load_at_once(exported, "2024-02-01", "2024-01-01")


@pytest.mark.parametrize("knows_second_names", [True, False])
def test_a_reader_sees_the_former_months_until_the_manifest_comes_or_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, knows_second_names: bool
) -> None:
    """The writer stops between a replaced month and its manifest until the reader has tried.

    On a file system without second names for files the former month is gone by then.
    """

    def refused(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    if not knows_second_names:
        monkeypatch.setattr(os, "link", refused)
    export(tmp_path)
    former = load_at_once(tmp_path)
    january_is_replaced, reader_has_tried = threading.Event(), threading.Event()

    def read(interval: Interval) -> pl.DataFrame:
        if interval.start_ms == FEBRUARY_MS:
            january_is_replaced.set()
            assert reader_has_tried.wait(10)
        return hourly(interval).with_columns(high=pl.lit(5000.0))

    writer = threading.Thread(
        target=export, args=(tmp_path,), kwargs={"read": read, "restate": True}
    )
    writer.start()
    assert january_is_replaced.wait(10)
    if knows_second_names:
        assert load_at_once(tmp_path).frame.equals(former.frame)
    else:
        with pytest.raises(LoaderError, match="does not have the sha256"):
            load_at_once(tmp_path)
    reader_has_tried.set()
    if knows_second_names:
        writer.join()
    candles = load_at_once(tmp_path, patience_seconds=10)
    writer.join()
    assert candles.frame["high"].unique().to_list() == [500000]


def test_a_file_is_hashed_once_while_it_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = export(tmp_path)
    hashed: list[int] = []

    def sha256(content: bytes) -> Any:
        hashed.append(len(content))
        return real_sha256(content)

    real_sha256 = hashlib.sha256
    monkeypatch.setattr(hashlib, "sha256", sha256)
    first = load_at_once(tmp_path)
    assert len(hashed) == 2
    assert load_at_once(tmp_path).frame.equals(first.frame)
    assert len(hashed) == 2
    path = folder / "2024/2024-01.csv"
    content = path.read_bytes()
    path.write_bytes(content.replace(b",100,", b",101,", 1))
    os.utime(path)
    with pytest.raises(LoaderError, match="does not have the sha256"):
        load_at_once(tmp_path)
    # What was found not to match is not taken for what it was before either.
    path.write_bytes(content)
    assert load_at_once(tmp_path).frame.equals(first.frame)


@pytest.mark.parametrize("file_format", list(ExportFormat))
@pytest.mark.parametrize("is_there_before", [True, False])
def test_of_a_killed_export_only_whole_months_are_seen(
    tmp_path: Path, file_format: ExportFormat, is_there_before: bool
) -> None:
    """The former or the later ones; or a refusal, until the next export."""

    def dearer(interval: Interval) -> pl.DataFrame:
        return hourly(interval).with_columns(high=5000.0)

    seen, is_killed, number = set(), True, 0
    while is_killed:
        root = tmp_path / str(number)
        if is_there_before:
            export(root, file_format=file_format)
        with killed_before_call(number):
            try:
                export(root, read=dearer, restate=True, file_format=file_format)
                is_killed = False
            except Killed:
                number += 1
        try:
            for month in ("2024-01", "2024-02"):
                loaded = load_at_once(root, month, month, require_complete=True)
                highs = loaded.frame["high"].unique().to_list()
                assert highs in ([100025], [500000])
                assert loaded.frame.height == (loaded.end_ms - loaded.start_ms) // HOUR_MS
                seen.add(highs[0])
        except LoaderError:
            seen.add("refused")
        export(root, read=dearer, restate=True, file_format=file_format)
        assert load_at_once(root).frame["high"].unique().to_list() == [500000]
    assert number > 10
    assert seen == {500000, 100025 if is_there_before else "refused"}


def test_the_loader_knows_nothing_of_the_ingestor() -> None:
    for path in Path(candle_loader.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert not [name for name in names if name.startswith("candle_ingestor")], path
