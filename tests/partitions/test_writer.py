"""Partitions on a real file system (rules E1 to E4)."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from partition_exports import (
    BOTH_MONTHS,
    DIGITS,
    EXPORT,
    FEBRUARY,
    HOUR_MS,
    JANUARY,
    MARCH,
    SERIES,
    YEAR_END_MS,
    Export,
    assert_manifest_describes_its_files,
    contents,
    entry_of,
    hourly,
    manifest_of,
    revised,
    snapshot,
    without_trades,
)

from candle_ingestor.model.candles import MERGED_CANDLES
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.months import Month
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.partitions.errors import PartitionError
from candle_ingestor.partitions.manifest import Digits
from candle_ingestor.partitions.writer import PartitionWriter

SUPPORT = Path(__file__).parent.parent / "support"


def test_files_stand_at_exchange_asset_year_month(tmp_path: Path) -> None:
    result = EXPORT.to(tmp_path)
    assert result.folder == tmp_path / "aggregated" / "BTCUSDT_1h"
    assert set(snapshot(result.folder)) == {"2024/2024-01.csv", "2024/2024-02.csv", "manifest.json"}
    assert result.written == (JANUARY, FEBRUARY)


def test_rows_are_utc_text_and_scaled_integers(tmp_path: Path) -> None:
    def read(interval: Interval) -> pl.DataFrame:
        values = (1.005, 1.015, 0.995, 1.004, 0.26833389999999996)
        row = (interval.start_ms + 14 * 24 * HOUR_MS, *values, "kraken", 1)
        return pl.DataFrame([row], schema=MERGED_CANDLES, orient="row")

    folder = replace(EXPORT, read=read, months={JANUARY: None}).to(tmp_path).folder
    assert (folder / "2024/2024-01.csv").read_text() == (
        "Timestamp,Open,High,Low,Close,Volume\n2024-01-15T00:00:00Z,101,102,100,100,26833390\n"
    )


def test_the_manifest_has_the_agreed_form(tmp_path: Path) -> None:
    coverage = IntervalSet([JANUARY.interval])
    folder = replace(EXPORT, coverage=coverage).to(tmp_path).folder
    content = (folder / "2024/2024-01.csv").read_bytes()
    assert manifest_of(folder) == {
        "format_version": 1,
        "exchange": "aggregated",
        "symbol": "BTC/USDT",
        "timeframe": "1h",
        "price_decimal_digits": 2,
        "volume_decimal_digits": 8,
        "months": {
            "2024-01": {
                "file": "2024/2024-01.csv",
                "rows": 744,
                "first_timestamp": "2024-01-01T00:00:00Z",
                "last_timestamp": "2024-01-31T23:00:00Z",
                "sha256": hashlib.sha256(content).hexdigest(),
                "complete": True,
                "known_until": "2024-02-01T00:00:00Z",
                "gaps": [],
                "bytes": len(content),
            }
        },
    }


def test_a_second_export_changes_nothing(tmp_path: Path) -> None:
    EXPORT.to(tmp_path)
    before = snapshot(tmp_path)
    result = EXPORT.to(tmp_path)
    assert (result.written, result.restated, result.refused) == ((), (), ())
    assert snapshot(tmp_path) == before


def test_gaps_are_listed_with_their_reasons_up_to_the_last_closed_candle(tmp_path: Path) -> None:
    start = FEBRUARY.start_ms
    result = Export(
        months={FEBRUARY: None},
        coverage=IntervalSet([(start + 2 * HOUR_MS, start + 5 * HOUR_MS)]),
        reasons={
            GapReason.BEYOND_REACH: IntervalSet.of(start - HOUR_MS, start + HOUR_MS),
            GapReason.REJECTED: IntervalSet.of(start + 7 * HOUR_MS, start + 9 * HOUR_MS),
        },
        closed_end_ms=start + 8 * HOUR_MS,
    ).to(tmp_path)
    month = manifest_of(result.folder)["months"]["2024-02"]
    assert month["gaps"] == [
        {"start": "2024-02-01T00:00:00Z", "end": "2024-02-01T01:00:00Z", "reason": "beyond_reach"},
        {"start": "2024-02-01T01:00:00Z", "end": "2024-02-01T02:00:00Z", "reason": "not_fetched"},
        {"start": "2024-02-01T05:00:00Z", "end": "2024-02-01T07:00:00Z", "reason": "not_fetched"},
        {"start": "2024-02-01T07:00:00Z", "end": "2024-02-01T08:00:00Z", "reason": "rejected"},
    ]
    assert month["complete"] is False
    assert month["rows"] == 3


def test_candles_outside_coverage_are_not_exported(tmp_path: Path) -> None:
    covered = IntervalSet.of(JANUARY.start_ms, JANUARY.start_ms + 3 * HOUR_MS)
    folder = replace(EXPORT, coverage=covered, months={JANUARY: None}).to(tmp_path).folder
    _, *rows = (folder / "2024/2024-01.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == [
        f"2024-01-01T0{hour}:00:00Z" for hour in range(3)
    ]


def test_a_covered_month_without_a_trade_is_listed_and_complete(tmp_path: Path) -> None:
    export = replace(EXPORT, read=without_trades, months={JANUARY: None})
    folder = export.to(tmp_path).folder
    month = manifest_of(folder)["months"]["2024-01"]
    assert (month["rows"], month["first_timestamp"], month["last_timestamp"]) == (0, None, None)
    assert month["complete"] is True
    header = "Timestamp,Open,High,Low,Close,Volume\n"
    assert (folder / "2024/2024-01.csv").read_text() == header
    assert export.to(tmp_path).written == ()


def test_a_month_is_complete_only_once_its_last_candle_is_closed(tmp_path: Path) -> None:
    covered = IntervalSet.of(JANUARY.start_ms, FEBRUARY.start_ms)
    export = Export(
        months={JANUARY: None}, coverage=covered, closed_end_ms=FEBRUARY.start_ms - HOUR_MS
    )
    folder = export.to(tmp_path).folder
    assert manifest_of(folder)["months"]["2024-01"]["complete"] is False
    replace(export, closed_end_ms=FEBRUARY.start_ms).to(tmp_path)
    assert manifest_of(folder)["months"]["2024-01"]["complete"] is True


def test_a_month_is_complete_only_once_nothing_in_it_is_unsettled(tmp_path: Path) -> None:
    """Be it provisional, or a gap of a source that a later run could fill."""
    unsettled = IntervalSet.of(MARCH.start_ms - HOUR_MS, MARCH.start_ms + HOUR_MS)
    export = replace(EXPORT, unsettled=unsettled)
    folder = export.to(tmp_path).folder
    months = manifest_of(folder)["months"]
    assert [month["complete"] for month in months.values()] == [True, False]
    assert [month["gaps"] for month in months.values()] == [[], []]
    later = replace(export, months={}, unsettled=IntervalSet.of(MARCH.start_ms, YEAR_END_MS))
    assert later.to(tmp_path).written == (FEBRUARY,)
    assert entry_of(folder, FEBRUARY)["complete"] is True


def test_a_complete_month_stays_complete_when_a_source_is_added_that_lacks_it(
    tmp_path: Path,
) -> None:
    EXPORT.to(tmp_path)
    before = snapshot(tmp_path)
    lacking = replace(EXPORT, unsettled=BOTH_MONTHS)
    result = lacking.to(tmp_path)
    assert (result.written, result.restated, result.refused) == ((), (), ())
    assert snapshot(tmp_path) == before
    assert replace(lacking, restate=True).to(tmp_path).restated == (JANUARY, FEBRUARY)


def test_a_month_that_has_not_begun_is_left_for_later(tmp_path: Path) -> None:
    first_ms = FEBRUARY.start_ms + HOUR_MS
    export = replace(
        EXPORT, months={JANUARY: None, FEBRUARY: first_ms}, closed_end_ms=FEBRUARY.start_ms
    )
    result = export.to(tmp_path)
    assert result.written == (JANUARY,)
    assert result.undone == {FEBRUARY: first_ms}
    assert not (result.folder / "2024/2024-02.csv").exists()


def test_a_month_that_nothing_was_ever_known_of_is_passed_over(tmp_path: Path) -> None:
    result = replace(EXPORT, coverage=IntervalSet([JANUARY.interval])).to(tmp_path)
    assert (result.written, result.undone) == ((JANUARY,), {})
    assert list(manifest_of(result.folder)["months"]) == ["2024-01"]


def test_an_odd_timeframe_counts_the_candles_that_open_in_the_month(tmp_path: Path) -> None:
    series = replace(SERIES, timeframe=Timeframe(7))
    step = series.timeframe.duration_ms
    span = Interval(
        series.timeframe.ceil_ms(JANUARY.start_ms), series.timeframe.ceil_ms(FEBRUARY.start_ms)
    )

    def read(interval: Interval) -> pl.DataFrame:
        rows = [(t, 1.0, 1.0, 1.0, 1.0, 1.0, "kraken", 1) for t in range(*interval, step)]
        return pl.DataFrame(rows, schema=MERGED_CANDLES, orient="row")

    result = Export(series, read=read, months={JANUARY: None}, coverage=IntervalSet([span])).to(
        tmp_path
    )
    month = manifest_of(result.folder)["months"]["2024-01"]
    assert (month["rows"], month["complete"], month["gaps"]) == (span.duration_ms // step, True, [])


def test_an_open_month_follows_its_candles(tmp_path: Path) -> None:
    covered = IntervalSet.of(JANUARY.start_ms, FEBRUARY.start_ms + 24 * HOUR_MS)
    export = replace(EXPORT, coverage=covered)
    export.to(tmp_path)
    result = replace(export, read=revised, months={FEBRUARY: None}).to(tmp_path)
    assert result.written == (FEBRUARY,)
    assert ",10100," in (result.folder / "2024/2024-02.csv").read_text()
    assert_manifest_describes_its_files(result.folder)


def test_a_complete_month_that_would_differ_is_left_alone_and_named(tmp_path: Path) -> None:
    EXPORT.to(tmp_path)
    before = snapshot(tmp_path)
    result = replace(EXPORT, read=revised).to(tmp_path)
    assert result.refused == (JANUARY, FEBRUARY)
    assert result.written == ()
    assert snapshot(tmp_path) == before


def test_a_complete_month_stays_when_coverage_is_lost(tmp_path: Path) -> None:
    EXPORT.to(tmp_path)
    before = snapshot(tmp_path)
    lost = replace(EXPORT, coverage=EMPTY, months={})
    for _ in range(2):
        result = lost.to(tmp_path)
        assert result.refused == (JANUARY, FEBRUARY)
        assert result.undone == {month: month.start_ms for month in (JANUARY, FEBRUARY)}
    assert snapshot(tmp_path) == before


def test_a_restated_month_that_lost_all_coverage_is_an_empty_file_with_gaps(tmp_path: Path) -> None:
    folder = EXPORT.to(tmp_path).folder
    result = replace(
        EXPORT,
        months={},
        coverage=IntervalSet([FEBRUARY.interval]),
        reasons={GapReason.BELOW_MINIMUM: IntervalSet.of(0, FEBRUARY.start_ms)},
        restate=True,
    ).to(tmp_path)
    assert (result.restated, result.undone) == ((JANUARY,), {})
    header = "Timestamp,Open,High,Low,Close,Volume\n"
    assert (folder / "2024/2024-01.csv").read_text() == header
    entry = entry_of(folder, JANUARY)
    assert (entry["rows"], entry["complete"]) == (0, False)
    assert entry["gaps"] == [
        {"start": "2024-01-01T00:00:00Z", "end": "2024-02-01T00:00:00Z", "reason": "below_minimum"}
    ]
    assert_manifest_describes_its_files(folder)


def test_an_open_month_that_lost_its_last_row_is_exported_as_such(tmp_path: Path) -> None:
    day = IntervalSet.of(FEBRUARY.start_ms, FEBRUARY.start_ms + 24 * HOUR_MS)
    open_month = Export(months={FEBRUARY: None}, coverage=day, closed_end_ms=day.end_ms)
    folder = open_month.to(tmp_path).folder
    assert entry_of(folder, FEBRUARY)["rows"] == 24
    withdrawn = replace(open_month, months={FEBRUARY: FEBRUARY.start_ms}, read=without_trades)
    assert withdrawn.to(tmp_path).written == (FEBRUARY,)
    assert (entry_of(folder, FEBRUARY)["rows"], entry_of(folder, FEBRUARY)["gaps"]) == (0, [])
    assert replace(open_month, months={}, coverage=EMPTY).to(tmp_path).written == (FEBRUARY,)
    assert len(entry_of(folder, FEBRUARY)["gaps"]) == 1
    assert_manifest_describes_its_files(folder)


def test_a_refused_month_stays_in_the_callers_backlog_until_it_is_restated(tmp_path: Path) -> None:
    EXPORT.to(tmp_path)
    first_ms = JANUARY.start_ms + 5 * HOUR_MS
    export = replace(EXPORT, read=revised, months={JANUARY: first_ms})
    for _ in range(2):
        result = export.to(tmp_path)
        assert (result.refused, result.undone) == ((JANUARY,), {JANUARY: first_ms})
    result = replace(export, restate=True).to(tmp_path)
    assert (result.restated, result.undone) == ((JANUARY,), {})


def test_restate_changes_a_complete_month_and_names_it(tmp_path: Path) -> None:
    EXPORT.to(tmp_path)
    result = replace(EXPORT, read=revised, months={JANUARY: None}, restate=True).to(tmp_path)
    assert (result.restated, result.written, result.refused) == ((JANUARY,), (), ())
    assert ",10100," in (result.folder / "2024/2024-01.csv").read_text()
    assert ",10050," in (result.folder / "2024/2024-02.csv").read_text()
    assert_manifest_describes_its_files(result.folder)


def test_every_restatement_keeps_the_former_digest_and_the_reason(tmp_path: Path) -> None:
    folder = EXPORT.to(tmp_path).folder
    first = entry_of(folder, JANUARY)["sha256"]
    assert "history" not in entry_of(folder, JANUARY)
    restating = replace(EXPORT, months={JANUARY: None}, restate=True)
    replace(restating, read=revised, reason="kraken corrected a day").to(tmp_path)
    second = entry_of(folder, JANUARY)["sha256"]
    replace(restating, read=without_trades).to(tmp_path)
    before = snapshot(tmp_path)
    replace(restating, read=without_trades).to(tmp_path)
    assert snapshot(tmp_path) == before
    when = "2025-01-01T01:00:00Z"
    assert entry_of(folder, JANUARY)["history"] == [
        {"restated_at": when, "sha256": first, "reason": "kraken corrected a day"},
        {"restated_at": when, "sha256": second, "reason": "the store has other candles"},
    ]
    assert "history" not in entry_of(folder, FEBRUARY)


def test_complete_months_are_read_only_and_can_be_restated_all_the_same(tmp_path: Path) -> None:
    until = FEBRUARY.start_ms + 24 * HOUR_MS
    begun = replace(EXPORT, coverage=IntervalSet.of(JANUARY.start_ms, until), closed_end_ms=until)
    folder = begun.to(tmp_path).folder
    january, february = (folder / f"2024/{month}.csv" for month in (JANUARY, FEBRUARY))
    assert [path.stat().st_mode & 0o222 for path in (january, february)] == [0, 0o200]
    january.chmod(0o644)
    EXPORT.to(tmp_path)
    assert [path.stat().st_mode & 0o222 for path in (january, february)] == [0, 0]
    assert replace(EXPORT, read=revised, restate=True).to(tmp_path).restated == (JANUARY, FEBRUARY)
    assert [path.stat().st_mode & 0o222 for path in (january, february)] == [0, 0]
    lost = replace(EXPORT, coverage=IntervalSet([JANUARY.interval]), read=revised, restate=True)
    lost.to(tmp_path)
    assert [path.stat().st_mode & 0o222 for path in (january, february)] == [0, 0o200]


@pytest.mark.parametrize("content", [b"", b"half a fi", b"Timestamp,Open,High,Low,Close,Volume\n"])
def test_a_damaged_file_is_named_and_left_alone_until_it_may_be_mended(
    tmp_path: Path, content: bytes
) -> None:
    folder = EXPORT.to(tmp_path).folder
    whole = contents(tmp_path)
    damaged = folder / "2024/2024-01.csv"
    damaged.unlink()
    damaged.write_bytes(content)
    (folder / "2024/2024-02.csv").unlink()
    for _ in range(2):
        result = EXPORT.to(tmp_path)
        assert (result.foreign, result.undone) == ((damaged,), {JANUARY: JANUARY.start_ms})
        assert damaged.read_bytes() == content
    assert replace(EXPORT, mends=True).to(tmp_path).written == (JANUARY,)
    assert contents(tmp_path) == whole


def test_a_file_that_no_manifest_lists_is_not_overwritten(tmp_path: Path) -> None:
    foreign = tmp_path / "aggregated/BTCUSDT_1h/2024/2024-01.csv"
    foreign.parent.mkdir(parents=True)
    foreign.write_text("of somebody else")
    result = EXPORT.to(tmp_path)
    assert (result.written, result.foreign) == ((FEBRUARY,), (foreign,))
    assert foreign.read_text() == "of somebody else"
    assert list(manifest_of(result.folder)["months"]) == ["2024-02"]


def test_a_manifest_that_was_lost_is_made_again_for_files_that_are_right(tmp_path: Path) -> None:
    folder = EXPORT.to(tmp_path).folder
    before = snapshot(tmp_path)
    (folder / "manifest.json").unlink()
    assert EXPORT.to(tmp_path).foreign == ()
    after = snapshot(tmp_path)
    manifest = "aggregated/BTCUSDT_1h/manifest.json"
    assert after.pop(manifest)[0] == before.pop(manifest)[0]
    assert after == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"series": replace(SERIES, symbol=Symbol("BTCU", "SDT"))}, "holds aggregated BTC/USDT 1h"),
        ({"digits": Digits(3, 8)}, "2 price and 8 volume digits, and 3 and 8 are asked for"),
        ({"digits": Digits(2, 19)}, "an int64 holds 0 to 18"),
    ],
)
def test_a_folder_of_something_else_is_refused_with_what_to_do(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    EXPORT.to(tmp_path)
    before = snapshot(tmp_path)
    with pytest.raises(PartitionError, match=message) as caught:
        replace(EXPORT, **changes).to(tmp_path)
    assert "--data_root" in str(caught.value) or "fewer digits" in str(caught.value)
    assert snapshot(tmp_path) == before


def test_folders_of_timeframes_stand_side_by_side(tmp_path: Path) -> None:
    """A minute's by the bare name (rule E1)."""
    writer = PartitionWriter(tmp_path)
    names = {
        writer.folder_of(replace(SERIES, timeframe=Timeframe.parse(text))).name
        for text in ("1m", "5m", "60m", "1h", "1d")
    }
    assert names == {"BTCUSDT", "BTCUSDT_5m", "BTCUSDT_1h", "BTCUSDT_1d"}


def test_a_folder_of_another_timeframe_is_refused(tmp_path: Path) -> None:
    folder = EXPORT.to(tmp_path).folder
    folder.rename(tmp_path / "aggregated" / "BTCUSDT")
    before = snapshot(tmp_path)
    with pytest.raises(PartitionError, match=r"holds aggregated BTC/USDT 1h.* --data_root"):
        replace(EXPORT, series=replace(SERIES, timeframe=Timeframe(1))).to(tmp_path)
    assert snapshot(tmp_path) == before


def test_digits_are_fixed_once_written(tmp_path: Path) -> None:
    writer = PartitionWriter(tmp_path)
    assert writer.fixed_digits(SERIES) is None
    EXPORT.to(tmp_path)
    assert writer.fixed_digits(SERIES) == DIGITS


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": 2}, "format_version 2, and only 1 is known"),
        ({"symbol": "nonsense"}, "is no valid manifest"),
        ({"timeframe": 60}, "timeframe is 60"),
        ({"price_decimal_digits": "2"}, "price_decimal_digits is '2'"),
        ({"months": {"2024-01": {}}}, "'file' is missing"),
        ({"months": {"2024-01": {"file": "../../secret.csv"}}}, "is '../../secret.csv' and not"),
        ({"months": []}, "months is"),
    ],
)
def test_a_manifest_that_is_none_is_named_and_left_alone(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    folder = EXPORT.to(tmp_path).folder
    path = folder / "manifest.json"
    path.write_text(json.dumps({**manifest_of(folder), **change}))
    before = snapshot(tmp_path)
    with pytest.raises(PartitionError, match=message) as caught:
        EXPORT.to(tmp_path)
    assert str(path) in str(caught.value)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"months": {}}', "\xff"])
def test_a_manifest_that_is_no_json_object_is_named(tmp_path: Path, text: str) -> None:
    folder = EXPORT.to(tmp_path).folder
    (folder / "manifest.json").write_text(text, encoding="latin-1")
    with pytest.raises(PartitionError, match=r"manifest\.json is no valid manifest"):
        EXPORT.to(tmp_path)


def test_a_value_too_large_names_series_minute_and_digits(tmp_path: Path) -> None:
    def read(interval: Interval) -> pl.DataFrame:
        return hourly(interval, volume=1e12 if interval.start_ms >= FEBRUARY.start_ms else 1.0)

    export = replace(EXPORT, read=read)
    with pytest.raises(
        PartitionError,
        match=r"aggregated BTC/USDT 1h: the volume 1000000000000\.0 at 2024-02-01T00:00:00Z does "
        "not fit an int64 with 8 digits; ask for fewer digits",
    ):
        export.to(tmp_path)
    folder = PartitionWriter(tmp_path).folder_of(SERIES)
    assert list(manifest_of(folder)["months"]) == ["2024-01"]
    assert_manifest_describes_its_files(folder)


def test_candles_out_of_order_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="do not ascend"):
        replace(EXPORT, read=lambda interval: hourly(interval).reverse()).to(tmp_path)


def test_a_file_in_the_way_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "aggregated").write_text("in the way")
    with pytest.raises(PartitionError, match=r"aggregated/BTCUSDT.* --data_root"):
        EXPORT.to(tmp_path)


FULL_DISK = """
import resource, sys
from pathlib import Path
sys.path.insert(0, {support!r})
import partition_exports
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
partition_exports.EXPORT.to(Path(sys.argv[1]))
"""


def test_a_full_disk_leaves_what_was_there_before(tmp_path: Path) -> None:
    coverage = IntervalSet.of(JANUARY.start_ms, JANUARY.start_ms + HOUR_MS)
    folder = replace(EXPORT, coverage=coverage).to(tmp_path).folder
    before = contents(tmp_path)
    ended = subprocess.run(
        [sys.executable, "-c", FULL_DISK.format(support=str(SUPPORT)), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"PartitionError: cannot write {folder}/2024/2024-01.csv: File too large" in ended.stderr
    assert "free some space there or give another --data_root" in ended.stderr
    assert contents(tmp_path) == before
    assert EXPORT.to(tmp_path).written == (JANUARY, FEBRUARY)
    assert_manifest_describes_its_files(folder)


def test_many_months_are_made_side_by_side_and_have_the_bytes_of_one_after_the_other(
    tmp_path: Path,
) -> None:
    threads: set[str] = set()

    def read(interval: Interval) -> pl.DataFrame:
        threads.add(threading.current_thread().name)
        return hourly(interval).with_columns(open=100.0 + pl.col("open_time_ms") % 7_000_000 / 1e6)

    year = [Month(2024, number) for number in range(1, 13)]
    export = replace(
        EXPORT,
        read=read,
        months=dict.fromkeys(year),
        coverage=IntervalSet.of(JANUARY.start_ms, YEAR_END_MS),
    )
    assert export.to(tmp_path / "at once").written == tuple(year)
    assert threads == {threading.current_thread().name}
    for number in range(12):
        until_ms = year[number].interval.end_ms
        known = IntervalSet.of(JANUARY.start_ms, until_ms)
        months = {year[number]: None}
        replace(export, months=months, coverage=known, closed_end_ms=until_ms).to(tmp_path / "each")
    assert contents(tmp_path / "at once") == contents(tmp_path / "each")
