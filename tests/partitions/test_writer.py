"""Partitions on a real file system (rules E1 to E4)."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from candle_ingestor.model.candles import MERGED_CANDLES
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.partitions.errors import PartitionError
from candle_ingestor.partitions.manifest import Digits
from candle_ingestor.partitions.months import Month
from candle_ingestor.partitions.writer import ExportResult, PartitionWriter

HOUR_MS = 3_600_000
JANUARY, FEBRUARY, MARCH = Month(2024, 1), Month(2024, 2), Month(2024, 3)
BOTH_MONTHS = IntervalSet.of(JANUARY.start_ms, MARCH.start_ms)
YEAR_END_MS = Month(2025, 1).start_ms
SERIES = Series.merged(Symbol("BTC", "USDT"), Timeframe.parse("1h"))
DIGITS = Digits(price=2, volume=8)


def hourly(interval: Interval, price: float = 100.5, volume: float = 0.25) -> pl.DataFrame:
    times = range(-(-interval.start_ms // HOUR_MS) * HOUR_MS, interval.end_ms, HOUR_MS)
    rows = [(t, price, price, price, price, volume, "kraken", 1) for t in times]
    return pl.DataFrame(rows, schema=MERGED_CANDLES, orient="row")


@dataclass(frozen=True)
class Export:
    """An export of January and February 2024, all of it covered, with changes of it by name."""

    series: Series = SERIES
    digits: Digits = DIGITS
    months: tuple[Month, ...] = (JANUARY, FEBRUARY)
    read: Callable[[Interval], pl.DataFrame] = hourly
    covered: IntervalSet = BOTH_MONTHS
    reasons: Mapping[GapReason, IntervalSet] = field(default_factory=dict)
    closed_end_ms: int = YEAR_END_MS
    settled_end_ms: int | None = None
    restate: bool = False

    def to(self, data_root: Path) -> ExportResult:
        return PartitionWriter(data_root).export(**vars(self))


EXPORT = Export()


def manifest_of(folder: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return values


def snapshot(root: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(root)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in root.rglob("*")
        if path.is_file()
    }


def assert_manifest_describes_its_files(folder: Path) -> None:
    for entry in manifest_of(folder)["months"].values():
        content = (folder / entry["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == entry["sha256"]
        assert content.count(b"\n") == entry["rows"] + 1


def test_files_stand_at_exchange_asset_year_month(tmp_path: Path) -> None:
    result = EXPORT.to(tmp_path)
    assert result.folder == tmp_path / "aggregated" / "BTCUSDT"
    assert set(snapshot(result.folder)) == {"2024/2024-01.csv", "2024/2024-02.csv", "manifest.json"}
    assert result.written == (JANUARY, FEBRUARY)


def test_rows_are_utc_text_and_scaled_integers(tmp_path: Path) -> None:
    def read(interval: Interval) -> pl.DataFrame:
        values = (1.005, 1.015, 0.995, 1.004, 0.26833389999999996)
        row = (interval.start_ms + 14 * 24 * HOUR_MS, *values, "kraken", 1)
        return pl.DataFrame([row], schema=MERGED_CANDLES, orient="row")

    folder = replace(EXPORT, read=read, months=(JANUARY,)).to(tmp_path).folder
    assert (folder / "2024/2024-01.csv").read_text() == (
        "Timestamp,Open,High,Low,Close,Volume\n2024-01-15T00:00:00Z,101,102,100,100,26833390\n"
    )


def test_the_manifest_has_the_agreed_form(tmp_path: Path) -> None:
    folder = replace(EXPORT, months=(JANUARY,)).to(tmp_path).folder
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
                "gaps": [],
            }
        },
    }


def test_a_second_export_changes_nothing(tmp_path: Path) -> None:
    EXPORT.to(tmp_path)
    before = snapshot(tmp_path)
    result = EXPORT.to(tmp_path)
    assert result.unchanged == (JANUARY, FEBRUARY)
    assert (result.written, result.restated, result.refused) == ((), (), ())
    assert snapshot(tmp_path) == before


def test_gaps_are_listed_with_their_reasons_up_to_the_last_closed_candle(tmp_path: Path) -> None:
    start = FEBRUARY.start_ms
    result = Export(
        months=(FEBRUARY,),
        covered=IntervalSet([(start + 2 * HOUR_MS, start + 5 * HOUR_MS)]),
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
    folder = replace(EXPORT, covered=covered, months=(JANUARY,)).to(tmp_path).folder
    _, *rows = (folder / "2024/2024-01.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == [
        f"2024-01-01T0{hour}:00:00Z" for hour in range(3)
    ]


def test_a_covered_month_without_a_trade_is_listed_and_complete(tmp_path: Path) -> None:
    export = replace(EXPORT, read=lambda _: pl.DataFrame(schema=MERGED_CANDLES), months=(JANUARY,))
    folder = export.to(tmp_path).folder
    month = manifest_of(folder)["months"]["2024-01"]
    assert (month["rows"], month["first_timestamp"], month["last_timestamp"]) == (0, None, None)
    assert month["complete"] is True
    header = "Timestamp,Open,High,Low,Close,Volume\n"
    assert (folder / "2024/2024-01.csv").read_text() == header
    assert export.to(tmp_path).unchanged == (JANUARY,)


def test_a_month_is_complete_only_once_its_last_candle_is_closed(tmp_path: Path) -> None:
    covered = IntervalSet.of(JANUARY.start_ms, FEBRUARY.start_ms)
    export = Export(months=(JANUARY,), covered=covered, closed_end_ms=FEBRUARY.start_ms - HOUR_MS)
    folder = export.to(tmp_path).folder
    assert manifest_of(folder)["months"]["2024-01"]["complete"] is False
    replace(export, closed_end_ms=FEBRUARY.start_ms).to(tmp_path)
    assert manifest_of(folder)["months"]["2024-01"]["complete"] is True


def test_a_month_is_complete_only_once_its_last_candle_is_settled(tmp_path: Path) -> None:
    export = replace(EXPORT, settled_end_ms=MARCH.start_ms - HOUR_MS)
    folder = export.to(tmp_path).folder
    months = manifest_of(folder)["months"]
    assert [month["complete"] for month in months.values()] == [True, False]
    assert [month["gaps"] for month in months.values()] == [[], []]
    assert replace(export, settled_end_ms=MARCH.start_ms).to(tmp_path).written == (FEBRUARY,)
    assert manifest_of(folder)["months"]["2024-02"]["complete"] is True


def test_a_month_that_has_not_begun_is_left_out(tmp_path: Path) -> None:
    result = replace(EXPORT, closed_end_ms=FEBRUARY.start_ms).to(tmp_path)
    assert result.written == (JANUARY,)
    assert not (result.folder / "2024/2024-02.csv").exists()


def test_an_odd_timeframe_counts_the_candles_that_open_in_the_month(tmp_path: Path) -> None:
    series = replace(SERIES, timeframe=Timeframe(7))
    step = series.timeframe.duration_ms
    span = Interval(
        series.timeframe.ceil_ms(JANUARY.start_ms), series.timeframe.ceil_ms(FEBRUARY.start_ms)
    )

    def read(interval: Interval) -> pl.DataFrame:
        rows = [(t, 1.0, 1.0, 1.0, 1.0, 1.0, "kraken", 1) for t in range(*interval, step)]
        return pl.DataFrame(rows, schema=MERGED_CANDLES, orient="row")

    result = Export(series, read=read, months=(JANUARY,), covered=IntervalSet([span])).to(tmp_path)
    month = manifest_of(result.folder)["months"]["2024-01"]
    assert (month["rows"], month["complete"], month["gaps"]) == (span.duration_ms // step, True, [])


def revised(interval: Interval) -> pl.DataFrame:
    return hourly(interval, price=101.0)


def test_an_open_month_follows_its_candles(tmp_path: Path) -> None:
    covered = IntervalSet.of(JANUARY.start_ms, FEBRUARY.start_ms + 24 * HOUR_MS)
    export = replace(EXPORT, covered=covered)
    export.to(tmp_path)
    result = replace(export, read=revised, months=(FEBRUARY,)).to(tmp_path)
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
    assert replace(EXPORT, covered=EMPTY).to(tmp_path).refused == (JANUARY, FEBRUARY)
    assert snapshot(tmp_path) == before


def test_restate_changes_a_complete_month_and_names_it(tmp_path: Path) -> None:
    EXPORT.to(tmp_path)
    result = replace(EXPORT, read=revised, months=(JANUARY,), restate=True).to(tmp_path)
    assert (result.restated, result.written, result.refused) == ((JANUARY,), (), ())
    assert ",10100," in (result.folder / "2024/2024-01.csv").read_text()
    assert ",10050," in (result.folder / "2024/2024-02.csv").read_text()
    assert_manifest_describes_its_files(result.folder)


def test_a_damaged_file_is_made_whole_again(tmp_path: Path) -> None:
    folder = EXPORT.to(tmp_path).folder
    (folder / "2024/2024-01.csv").write_text("half a fi")
    (folder / "2024/2024-02.csv").unlink()
    assert EXPORT.to(tmp_path).written == (JANUARY, FEBRUARY)
    assert_manifest_describes_its_files(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"series": replace(SERIES, symbol=Symbol("BTCU", "SDT"))}, "holds aggregated BTC/USDT 1h"),
        ({"series": replace(SERIES, timeframe=Timeframe(1))}, "holds aggregated BTC/USDT 1h"),
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


IN_A_PROCESS = """
import os, resource, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import test_writer as t
from dataclasses import replace
{body}
"""


def run_in_a_process(body: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = IN_A_PROCESS.format(tests=str(Path(__file__).parent), body=body)
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_full_disk_leaves_what_was_there_before(tmp_path: Path) -> None:
    covered = IntervalSet.of(JANUARY.start_ms, JANUARY.start_ms + HOUR_MS)
    folder = replace(EXPORT, covered=covered).to(tmp_path).folder
    before = snapshot(tmp_path)
    ended = run_in_a_process(
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\nt.EXPORT.to(Path(sys.argv[1]))",
        str(tmp_path),
    )
    assert f"PartitionError: cannot write {folder}/2024/2024-01.csv: File too large" in ended.stderr
    assert "free some space there or give another --data_root" in ended.stderr
    left = snapshot(tmp_path)
    left.pop("aggregated/BTCUSDT/.unfinished_export")
    assert left == before
    assert EXPORT.to(tmp_path).written == (JANUARY, FEBRUARY)
    assert_manifest_describes_its_files(folder)
    assert len(snapshot(folder)) == 3


KILLED_BEFORE_THE_MANIFEST = """
def read(interval):
    if interval.start_ms >= t.FEBRUARY.start_ms:
        os.kill(os.getpid(), signal.SIGKILL)
    return t.revised(interval)
replace(t.EXPORT, read=read, restate=True).to(Path(sys.argv[1]))
"""


def test_the_export_after_a_killed_one_finishes_its_months(tmp_path: Path) -> None:
    open_month = IntervalSet.of(JANUARY.start_ms, FEBRUARY.start_ms - HOUR_MS)
    export = replace(EXPORT, covered=open_month)
    folder = export.to(tmp_path).folder
    ended = run_in_a_process(KILLED_BEFORE_THE_MANIFEST, str(tmp_path))
    assert ended.returncode == -signal.SIGKILL
    assert ",10100," in (folder / "2024/2024-01.csv").read_text()

    assert stale_months(export, tmp_path) == [JANUARY]
    assert replace(export, months=()).to(tmp_path).written == (JANUARY,)
    assert_manifest_describes_its_files(folder)
    assert stale_months(export, tmp_path) == []


def test_a_restatement_that_was_killed_is_finished_without_asking_again(tmp_path: Path) -> None:
    folder = EXPORT.to(tmp_path).folder
    run_in_a_process(KILLED_BEFORE_THE_MANIFEST, str(tmp_path))
    result = replace(EXPORT, read=revised, months=(FEBRUARY,)).to(tmp_path)
    assert result.restated == (JANUARY,)
    assert result.refused == (FEBRUARY,)
    assert_manifest_describes_its_files(folder)


def test_files_that_a_killed_writer_left_are_removed(tmp_path: Path) -> None:
    folder = EXPORT.to(tmp_path).folder
    for name in (".manifest.json.tmp", "2024/.2024-01.csv.tmp"):
        (folder / name).write_text("half a fi")
    EXPORT.to(tmp_path)
    assert set(snapshot(folder)) == {"2024/2024-01.csv", "2024/2024-02.csv", "manifest.json"}


def stale_months(export: Export, data_root: Path) -> list[Month]:
    return PartitionWriter(data_root).stale_months(
        export.series, export.covered, export.reasons, export.closed_end_ms
    )


def test_months_never_exported_are_stale(tmp_path: Path) -> None:
    assert stale_months(EXPORT, tmp_path) == [JANUARY, FEBRUARY]
    EXPORT.to(tmp_path)
    assert stale_months(EXPORT, tmp_path) == []


def test_months_whose_gaps_have_changed_are_stale(tmp_path: Path) -> None:
    half = IntervalSet.of(JANUARY.start_ms, FEBRUARY.start_ms + HOUR_MS)
    replace(EXPORT, covered=half).to(tmp_path)
    assert stale_months(EXPORT, tmp_path) == [FEBRUARY]


def test_a_month_that_has_ended_since_is_stale(tmp_path: Path) -> None:
    covered = IntervalSet.of(JANUARY.start_ms, FEBRUARY.start_ms)
    export = Export(months=(JANUARY,), covered=covered, closed_end_ms=FEBRUARY.start_ms - HOUR_MS)
    export.to(tmp_path)
    assert stale_months(export, tmp_path) == []
    ended = replace(export, closed_end_ms=FEBRUARY.start_ms)
    assert stale_months(ended, tmp_path) == [JANUARY]
