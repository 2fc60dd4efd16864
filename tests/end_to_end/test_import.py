"""The command import: history files into the store, and into all that is made from it."""

import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest
from archive_files import (
    Row,
    binance_text,
    kraken_text,
    rows_of,
    write_checksum,
    write_zip,
)
from bucket_contents import rows_of as points_of

from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.ledger.replacement import Replacement
from candle_ingestor.model.candles import no_candles
from candle_ingestor.model.intervals import IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.operations.run_lock import FileRunLock, lock_path_of
from candle_ingestor.stores.influxdb.connection import InfluxDbConnection
from candle_ingestor.stores.sqlite.store import SqliteStore
from exchange_simulator import SimulatorClock, SimulatorConfig, running_simulator

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "tests" / "data" / "market_minutes"
SHARED = ROOT.parent / "shared" / "data"
RECORDED = SHARED / "market_2023_03_1m"
ARCHIVES = SHARED / "archives"
MINUTE_MS = 60_000
DAY_MS = 86_400_000
FOUR = ("coinbaseexchange", "kraken", "binanceus", "cryptocom")


@pytest.fixture
def start_ms(ms_of: Any) -> int:
    return ms_of("2023-01-01")


@pytest.fixture
def importing(new_job: Any) -> Any:
    """A job with nothing stored, long after what it imports."""
    return new_job("importing", now="2023-06-01T00:00:00Z")


def candles_in(job: Any, exchange: str = "kraken", symbol: str = "BTC/USD") -> list[Row]:
    rows = job.stored.of_exchange(exchange, symbol)
    return [(time_ms, *rows[time_ms][:5]) for time_ms in sorted(rows)]


def kraken_file(job: Any, rows: list[Row], folder: str = "archives", text: str = "") -> Path:
    path = job.folder / folder / "XBTUSD_1.csv"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text or kraken_text(rows))
    return path


def recorded_files(job: Any) -> list[tuple]:
    with closing(sqlite3.connect(job.stored.sqlite_path)) as connection:
        return connection.execute(
            "SELECT path, status, candles, new, differing, error FROM imported_files"
        ).fetchall()


@pytest.mark.skipif(not ARCHIVES.is_dir(), reason="the sample archives are not beside the checkout")
def test_the_sample_archives_come_in_whole(importing: Any, ms_of: Any) -> None:
    finished = importing.run_well("import", str(ARCHIVES))

    found = {
        (file["exchange"], file["symbol"], file["timeframe"]): file
        for file in finished.report["files"]
    }
    assert len(finished.report["files"]) == 8
    assert all(file["status"] == "imported" for file in finished.report["files"])
    assert all(file["rows"] == file["new"] for file in finished.report["files"])
    usdc = found["kraken", "BTC/USDC", "1m"]
    assert usdc["rows"] == 56_717
    assert (usdc["first"], usdc["last"]) == ("2023-01-01T00:00:00Z", "2023-03-31T23:59:00Z")
    quarter = [(ms_of("2023-01-01"), ms_of("2023-04-01"))]
    assert importing.stored.coverage("kraken", "BTC/USDC") == quarter
    assert importing.stored.record("kraken", "BTC/USDC")["coverage"]["origins"] == {
        "archive": [list(quarter[0])]
    }
    stored = candles_in(importing, symbol="BTC/USDC")
    assert len(stored) == 56_717
    assert (quarter[0][1] - quarter[0][0]) // MINUTE_MS - len(stored) == 72_883
    assert len(candles_in(importing, "binance", "BTC/USDT")) == 3 * 1440
    assert importing.stored.coverage("binance", "BTC/USDT") == [
        (ms_of("2023-03-10"), ms_of("2023-03-13"))
    ]

    importing.run_well("export", exchanges="kraken", symbols="BTC/USDC", run_report_path=None)
    exported = importing.stored.exported("BTC/USDC")
    files = sorted(importing.stored.files())
    assert [name for name in files if name.endswith(".csv")] == [
        f"aggregated/BTCUSDC/2023/2023-0{month}.csv" for month in (1, 2, 3)
    ]
    assert exported.frame["timestamp_ms"].to_list() == [row[0] for row in stored]
    digits = 10**exported.price_decimal_digits
    assert exported.frame["close"].to_list() == [round(row[4] * digits) for row in stored]


@pytest.mark.parametrize(
    ("folder", "days", "later", "quarter"),
    [
        pytest.param(SAMPLES, ("2024-08-05", "2024-08-07"), "2024-10-12", "Q3_2024", id="sample"),
        pytest.param(
            RECORDED,
            ("2023-03-01", "2023-03-15"),
            "2023-03-20",
            "2023Q1",
            id="recorded",
            marks=pytest.mark.skipif(
                not RECORDED.is_dir(), reason="the recordings are not beside the checkout"
            ),
        ),
    ],
)
def test_a_file_fills_what_the_endpoint_does_not_reach_and_all_that_is_made_from_it(
    job: Any,
    truth: Any,
    ms_of: Any,
    folder: Path,
    days: tuple[str, str],
    later: str,
    quarter: str,
) -> None:
    span = ms_of(days[0]), ms_of(days[1])
    clock = SimulatorClock(ms_of(f"{later}T00:00:30"), frozen=True)
    with running_simulator(SimulatorConfig(recordings=(folder,)), clock=clock) as market:
        job.use(market)
        job.settings["now"] = clock.now_ms()
        first = job.run_well(
            exchanges=",".join(FOUR),
            symbols="BTC/USD",
            backfill_start_date=days[0],
            backfill_end_date=days[1],
        )
        series = {e: truth.exchange_candles(market, e, "BTC/USD", *span) for e in FOUR}
    minutes = (span[1] - span[0]) // MINUTE_MS
    assert first.ticker("BTC/USD")["exchanges"]["kraken"]["gap_candles"] == {
        "beyond_reach": minutes
    }
    assert job.stored.merged("BTC/USD") == {}
    rows = [(minute, *map(float, candle)) for minute, candle in series["kraken"].items()]
    archive = write_zip(
        job.folder / f"Kraken_OHLCVT_{quarter}.zip", {"XBTUSD_1.csv": kraken_text(rows)}
    )

    finished = job.run_well("import", str(archive))

    expected = truth.merged(series)
    truth.assert_stored(job.stored.merged("BTC/USD"), expected)
    truth.assert_exported(job.stored.exported("BTC/USD"), expected)
    (ticker,) = finished.report["tickers"]
    assert ticker["merged_candles"] == len(expected)
    assert f"BTC/USD: {len(expected):,} merged candles changed" in finished.output
    (covered,) = job.stored.coverage("aggregated", "BTC/USD")
    assert covered == span

    before = job.stored.contents()
    again = job.run_well("import", str(archive))
    assert [file["status"] for file in again.report["files"]] == ["unchanged"]
    assert again.report["tickers"][0]["merged_candles"] == 0
    assert job.stored.contents() == before


def test_a_report_lists_every_file(importing: Any, start_ms: int) -> None:
    rows = rows_of(start_ms, 10)
    kraken_file(importing, rows)
    folder = importing.folder / "archives"
    path = write_zip(
        folder / "BTCUSDT-1h-2023-01.zip",
        {"BTCUSDT-1h-2023-01.csv": binance_text(rows_of(start_ms, 744, step_ms=3_600_000))},
    )
    write_checksum(path)
    (folder / "notes.csv").write_text("a,b\n")
    (folder / "XBTUSD_10080.csv").write_text("1,2\n")

    finished = importing.run_well("import", "archives")

    assert set(finished.report["files"][0]) == {
        *("path", "sha256", "status", "exchange", "symbol", "timeframe", "rows", "new"),
        *("first", "last", "error"),
    }
    files = {file["path"]: file for file in finished.report["files"]}
    assert files["archives/BTCUSDT-1h-2023-01.zip"] == {
        "path": "archives/BTCUSDT-1h-2023-01.zip",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "status": "imported",
        "exchange": "binance",
        "symbol": "BTC/USDT",
        "timeframe": "1h",
        "rows": 744,
        "new": 744,
        "first": "2023-01-01T00:00:00Z",
        "last": "2023-01-31T23:00:00Z",
        "error": None,
    }
    assert files["archives/XBTUSD_1.csv"]["new"] == 10
    assert files["archives/notes.csv"]["status"] == "passed_over"
    assert "longer than a day" in files["archives/XBTUSD_10080.csv"]["error"]
    assert candles_in(importing) == rows
    assert "Import done in" in finished.output
    assert "4 files: 2 imported, 2 passed over; 754 new candles" in finished.output


def test_a_dry_run_reads_all_and_writes_nothing(importing: Any, start_ms: int) -> None:
    rows = rows_of(start_ms, 10)
    path = kraken_file(importing, rows)

    planned = importing.run_well("import", str(path), run_mode="dry")

    assert not importing.stored.sqlite_path.exists()
    assert "to import" in planned.output
    assert "Nothing was written." in planned.output
    assert "kraken BTC/USD 1m" in planned.output

    importing.run_well("import", str(path))
    before = importing.stored.contents()
    path.write_text(kraken_text(rows_of(start_ms, 20, price=7.0)))
    planned = importing.run_well("import", str(path), run_mode="dry")
    assert importing.stored.contents() == before
    line = next(line for line in planned.output.splitlines() if "to import" in line)
    assert line.split()[-4:-2] == ["20", "10"]


def test_the_same_file_again_is_a_no_op_wherever_it_lies(importing: Any, start_ms: int) -> None:
    rows = rows_of(start_ms, 10)
    path = kraken_file(importing, rows)
    importing.run_well("import", str(path))
    elsewhere = kraken_file(importing, rows, "elsewhere")

    for place in (path, elsewhere):
        again = importing.run_well("import", str(place))
        (file,) = again.report["files"]
        assert (file["status"], file["rows"], file["new"]) == ("unchanged", 10, 0)
        assert "1 imported before; 0 new candles" in again.output


def test_a_changed_file_of_the_same_name_is_read_again(importing: Any, start_ms: int) -> None:
    path = kraken_file(importing, rows_of(start_ms, 10))
    importing.run_well("import", str(path))
    changed = rows_of(start_ms + 5 * MINUTE_MS, 20, price=50)
    kraken_file(importing, changed)

    finished = importing.run_well("import", str(path))

    (file,) = finished.report["files"]
    assert (file["status"], file["rows"], file["new"]) == ("imported", 20, 15)
    assert candles_in(importing) == rows_of(start_ms, 10)[:5] + changed
    assert len(recorded_files(importing)) == 1

    # The first again is another change of the file.
    kraken_file(importing, rows_of(start_ms, 10))
    importing.run_well("import", str(path))
    assert candles_in(importing) == rows_of(start_ms, 10) + changed[5:]


def test_a_file_with_a_bad_row_is_refused_whole_unless_that_is_to_be_skipped(
    importing: Any, start_ms: int
) -> None:
    rows = rows_of(start_ms, 10)
    lines = kraken_text(rows).splitlines()
    lines[4] = lines[4].replace(",104.0,", ",0,")
    path = kraken_file(importing, [], text="\n".join(lines) + "\n")

    refused = importing.run("import", str(path))

    assert refused.exit_code == 1
    assert f"{path}, line 5: a price is not above 0: '1672531440,0,107.5" in refused.errors
    assert "--skip_bad_rows" in refused.output
    (file,) = refused.report["files"]
    assert file["status"] == "failed"
    assert "line 5: a price is not above 0" in file["error"]
    assert refused.report["bad_rows"] == [
        {"path": str(path), "line": 5, "why": "a price is not above 0", "text": lines[4]}
    ]
    assert candles_in(importing) == []
    assert [row[:2] for row in recorded_files(importing)] == [(str(path), "failed")]

    importing.run_well("import", str(path), skip_bad_rows=True)
    assert candles_in(importing) == rows[:4] + rows[5:]
    coverage = importing.stored.record("kraken", "BTC/USD")["coverage"]
    hole = [start_ms + 4 * MINUTE_MS, start_ms + 5 * MINUTE_MS]
    assert coverage["covered"] == [[start_ms, hole[0]], [hole[1], start_ms + 10 * MINUTE_MS]]
    assert coverage["reasons"] == {"rejected": [hole]}

    kraken_file(importing, rows)
    importing.run_well("import", str(path))
    assert candles_in(importing) == rows


def test_a_file_that_fails_leaves_nothing_unmerged_that_a_kill_left_so(
    job: Any, simulate: Any, ms_of: Any
) -> None:
    start_ms = ms_of("2024-05-02")
    market = simulate(now_ms=ms_of("2024-05-02T02:00:10"), exchanges=("binanceus",))
    job.use(market)
    job.settings |= {"now": market.clock.now_ms()}
    job.run_well(exchanges="binanceus", symbols="BTC/USD", backfill_start_date="2024-05-02")
    whole = job.stored.merged("BTC/USD")
    series = Series("binanceus", Symbol("BTC", "USD"), Timeframe(1))
    kept = IntervalSet.of(start_ms, start_ms + 10 * MINUTE_MS)
    with closing(SqliteStore(job.stored.sqlite_path)) as store:
        Ledger(store).replace([Replacement(series, kept, no_candles(series), kept)])
    assert job.stored.merged("BTC/USD") == whole
    name = "BTCUSD-1m-2024-05-01.csv"
    (job.folder / name).write_text("x\n" * 3)

    finished = job.run("import", name, archive_exchange="binanceus")

    assert finished.exit_code == 1
    assert job.stored.merged("BTC/USD").keys() == {
        minute for minute in whole if not kept.contains(minute)
    }


def test_a_damaged_or_wrong_file_stops_no_other(importing: Any, start_ms: int) -> None:
    rows = rows_of(start_ms, 1440)
    folder = importing.folder / "archives"
    for day, kind in (("01", "good"), ("02", "cut"), ("03", "checksum"), ("04", "good")):
        name = f"BTCUSDT-1m-2023-01-{day}"
        at_day = rows_of(start_ms + (int(day) - 1) * DAY_MS, 1440)
        path = write_zip(folder / f"{name}.zip", {f"{name}.csv": binance_text(at_day)})
        write_checksum(path, "0" * 64 if kind == "checksum" else None)
        if kind == "cut":
            path.write_bytes(path.read_bytes()[:-50])

    finished = importing.run("import", "archives")

    assert finished.exit_code == 1
    statuses = {file["path"]: file["status"] for file in finished.report["files"]}
    assert list(statuses.values()).count("imported") == 2
    assert "damaged zip" in finished.output
    assert "it is not the file that was published" in finished.output
    assert importing.stored.coverage("binance", "BTC/USDT") == [
        (start_ms, start_ms + DAY_MS),
        (start_ms + 3 * DAY_MS, start_ms + 4 * DAY_MS),
    ]
    assert candles_in(importing, "binance", "BTC/USDT")[:1440] == rows


def test_what_the_endpoint_answered_stays_where_a_file_differs_unless_that_is_preferred(
    job: Any, simulate: Any, truth: Any, ms_of: Any
) -> None:
    market = simulate(now_ms=ms_of("2024-05-03T02:00:10"), exchanges=("binanceus",))
    job.use(market)
    job.settings |= {"now": market.clock.now_ms()}
    job.run_well(exchanges="binanceus", symbols="BTC/USD", backfill_start_date="2024-05-02")
    span = ms_of("2024-05-01"), ms_of("2024-05-02T12:00")
    exact = truth.exchange_candles(market, "binanceus", "BTC/USD", *span)
    rows = [(minute, *map(float, candle)) for minute, candle in exact.items()]
    answered = [row for row in rows if row[0] >= ms_of("2024-05-02")]
    changed = {answered[10][0], answered[500][0]}
    wrong = [(*row[:5], row[5] + 1) if row[0] in changed else row for row in rows]
    missing = answered[300][0]
    path = job.folder / "mine.csv"
    path.write_text(
        "time,open,high,low,close,volume\n"
        + "".join(",".join(map(repr, row)) + "\n" for row in wrong if row[0] != missing)
    )
    flags = {
        "archive_columns": "time:ms,open,high,low,close,volume",
        "archive_exchange": "binanceus",
        "archive_symbol": "BTC/USD",
        "archive_timeframe": "1m",
    }
    before = candles_in(job, "binanceus")

    finished = job.run_well("import", str(path), **flags)

    earlier = [row for row in rows if row[0] < ms_of("2024-05-02")]
    assert candles_in(job, "binanceus") == earlier + before
    assert finished.report["files"][0]["new"] == len(earlier)
    (differences,) = finished.report["differences"]
    assert differences["candles"] == 3
    assert "3 candles differ from what the exchange's candle endpoint answered" in finished.errors
    first = f"{iso(answered[10][0])}: the file has "
    assert any(line.startswith(first) for line in differences["first"])
    assert any("the file has no candle" in line for line in differences["first"])
    assert job.stored.merged("BTC/USD").keys() >= {row[0] for row in earlier}

    preferred = job.run_well("import", str(path), prefer="archive", **flags)
    found = {row[0]: row for row in candles_in(job, "binanceus")}
    assert all(found[row[0]] == row for row in wrong if row[0] != missing)
    assert missing not in found
    assert preferred.report["files"][0]["status"] == "imported"
    merged = job.stored.merged("BTC/USD")
    assert all(merged[minute].volume == found[minute][5] for minute in changed)
    assert missing not in merged
    records = [run for run in job.stored.runs() if run["command"] == "import"]
    assert sorted(record["candles"] for record in records) == [3, len(earlier)]

    again = job.run_well("import", str(path), prefer="archive", **flags)
    assert again.report["files"][0]["status"] == "unchanged"


def test_older_history_takes_no_state_back(
    job: Any, simulate: Any, start_ms: int, ms_of: Any
) -> None:
    market = simulate(now_ms=ms_of("2024-05-03T02:00:10"), exchanges=("binanceus",))
    job.use(market)
    job.settings |= {"now": market.clock.now_ms()}
    job.run_well(exchanges="binanceus", symbols="BTC/USD", backfill_start_date="2024-05-02")
    state = job.stored.state()
    older = job.folder / "BTCUSD-1m-2023-01-01.csv"
    older.write_text(binance_text(rows_of(start_ms, 1440)))

    job.run_well("import", str(older), archive_exchange="binanceus")

    assert len(job.stored.merged("BTC/USD")) > 1440
    assert job.stored.state() == state


def iso(time_ms: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime(time_ms // 1000))


def test_only_wanted_symbols_and_lengths_of_candles_are_taken(
    importing: Any, start_ms: int
) -> None:
    members = {
        "XBTUSD_1.csv": kraken_text(rows_of(start_ms, 5)),
        "XBTUSD_60.csv": kraken_text(rows_of(start_ms, 5, step_ms=3_600_000)),
        "ETHUSD_1.csv": kraken_text(rows_of(start_ms, 5)),
        "ETH2.SETH_1.csv": "",
    }
    write_zip(importing.folder / "Kraken_OHLCVT.zip", members)

    finished = importing.run_well(
        "import", "Kraken_OHLCVT.zip", symbols="BTC/USD", candle_granularity_minutes=1
    )

    taken = [file for file in finished.report["files"] if file["status"] == "imported"]
    assert [file["path"] for file in taken] == ["Kraken_OHLCVT.zip/XBTUSD_1.csv"]
    assert finished.report["files_left_out"] == 2
    assert "2 files of other symbols or lengths of candles left out" in finished.output


def test_an_import_that_nothing_is_merged_from_says_how_to_make_csv_of_it(
    importing: Any, start_ms: int
) -> None:
    file = kraken_file(importing, rows_of(start_ms, 5, step_ms=300_000))
    path = file.rename(file.with_name("XBTUSD_5.csv"))

    finished = importing.run_well("import", str(path))

    words = ["--exchanges=kraken", "--symbols=BTC/USD", "--candle_granularity_minutes=5"]
    assert f"candle-ingestor merge {' '.join(words)}" in finished.output
    assert "candle-ingestor export --symbols=BTC/USD --candle_granularity_minutes=5" in (
        finished.output
    )
    flags = {"exchanges": None, "symbols": None, "run_report_path": None}
    importing.run_well("merge", *words, **flags)
    importing.run_well("export", *words[1:], **flags)
    assert [name for name in importing.stored.files() if name.endswith(".csv")] == [
        "aggregated/BTCUSD_5m/2023/2023-01.csv"
    ]

    again = importing.run_well("import", str(path))
    assert "candle-ingestor merge" not in again.output


def test_a_file_that_is_said_to_be_of_shorter_candles_than_it_has_is_refused(
    importing: Any, start_ms: int
) -> None:
    # All the minutes between its hours would count as minutes without a trade.
    hours = rows_of(start_ms, 24, step_ms=3_600_000)
    path = importing.folder / "mine.csv"
    path.write_text(kraken_text(hours[:5] + hours[8:]))
    flags = {
        "archive_columns": "time:s,open,high,low,close,volume,_",
        "archive_exchange": "gemini",
        "archive_symbol": "BTC/USD",
    }

    wrong = importing.run("import", "mine.csv", archive_timeframe="1m", **flags)

    assert wrong.exit_code == 1
    assert "all of its rows stand 1h apart, or a multiple of that" in wrong.errors
    assert "--archive_timeframe=1m" in wrong.errors
    assert candles_in(importing, "gemini") == []
    right = importing.run_well("import", "mine.csv", archive_timeframe="1h", **flags)
    assert right.report["files"][0]["new"] == 21


@pytest.mark.parametrize("run_mode", ["wet", "dry"])
def test_a_symbol_or_length_that_no_file_has_is_named_and_what_they_have(
    importing: Any, start_ms: int, run_mode: str
) -> None:
    path = kraken_file(importing, rows_of(start_ms, 5))
    flags = {"run_mode": run_mode, "run_report_path": None}

    typo = importing.run("import", str(path), symbols="BTC/USDD", **flags)
    assert typo.exit_code == 2
    assert f"no file in {path} has BTC/USDD (did you mean BTC/USD?); " in typo.complaint

    length = importing.run("import", str(path), candle_granularity_minutes=15, **flags)
    assert length.exit_code == 2
    assert f"no file in {path} has candles of 15m; they are of kraken BTC/USD 1m" in length.errors

    both = {"symbols": "ETH/EUR", "candle_granularity_minutes": 15}
    nothing = importing.run("import", str(path), **both, **flags)
    assert nothing.exit_code == 2
    assert "has ETH/EUR in 15m; they are of kraken BTC/USD 1m" in nothing.errors

    some = importing.run_well("import", str(path), symbols="BTC/USD,ETH/USD", **flags)
    assert f"no file in {path} has ETH/USD" in some.errors


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ((), "import takes files or folders, as in: candle-ingestor import"),
        (("nothing",), "nothing is not there"),
        (("empty",), "no file of candles is in empty"),
        (("odd",), "no file of candles is in odd: odd/a.csv: 'a.csv' is no name of Kraken's"),
        (("empty", "--archive_symbol=BTC/USD"), "--archive_symbol goes with --archive_columns"),
        (
            ("empty", "--archive_columns=time:s,open,high,low,close,volume"),
            "goes with --archive_exchange, --archive_symbol, --archive_timeframe",
        ),
        (("empty", "--archive_exchange=krakken"), "did you mean kraken?"),
    ],
)
def test_a_mistake_in_what_is_typed_ends_with_2(
    importing: Any, words: tuple[str, ...], complaint: str
) -> None:
    for name in ("empty", "odd"):
        (importing.folder / name).mkdir()
    (importing.folder / "odd" / "a.csv").touch()

    finished = importing.run("import", *words)

    assert finished.exit_code == 2
    assert complaint in finished.complaint


def test_influxdb_keeps_what_is_imported_and_the_record_of_it(
    new_influxdb_job: Any, bucket: InfluxDbConnection, influx_server: Any, start_ms: int
) -> None:
    job = new_influxdb_job(bucket, now="2023-06-01T00:00:00Z")
    rows = rows_of(start_ms, 100)
    path = kraken_file(job, rows)

    for status in ("imported", "unchanged"):
        finished = job.run_well("import", str(path))
        assert finished.report["files"][0]["status"] == status

    stored = points_of(influx_server, bucket.bucket, "exchange_candles")
    assert sorted((p["time"], p["open"], p["volume"]) for p in stored) == [
        (row[0], row[1], row[5]) for row in rows
    ]
    (record,) = points_of(influx_server, bucket.bucket, "imported_files")
    assert (record["path"], record["status"], record["candles"]) == (str(path), "imported", 100)
    assert record["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def archive(tmp_path: Path, start_ms: int) -> tuple[Path, dict[str, list[Row]]]:
    """A zip of many files, and what is in them by symbol."""
    return write_archive(tmp_path, start_ms, 24)


def write_archive(folder: Path, start_ms: int, files: int) -> tuple[Path, dict[str, list[Row]]]:
    random = Random(5)
    by_symbol, members = {}, {}
    for number in range(files):
        rows = [row for row in rows_of(start_ms, 2_000) if random.random() < 0.9]
        by_symbol[f"A{number}/USD"] = rows
        members[f"A{number}USD_1.csv"] = kraken_text(rows)
    return write_zip(folder / "Kraken_OHLCVT_Q1_2023.zip", members), by_symbol


def test_a_kill_at_any_write_leaves_nothing_half_done_and_the_next_run_goes_on(
    new_job: Any, tmp_path: Path, start_ms: int
) -> None:
    path, by_symbol = write_archive(tmp_path, start_ms, 2)
    undisturbed, job = (
        new_job(name, now="2023-06-01T00:00:00Z") for name in ("undisturbed", "killed")
    )
    undisturbed.run_well("import", str(path))
    kills = 0
    while True:
        # Each run dies one write later than the one before, whose work it takes up.
        process = job.start("import", str(path), dies_at_write=kills + 1)
        process.communicate()
        assert_nothing_half_done(job, by_symbol)
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL
        kills += 1
    assert kills > 4
    assert job.stored.contents() == undisturbed.stored.contents()


def assert_nothing_half_done(job: Any, by_symbol: dict[str, list[Row]]) -> None:
    """What is covered has exactly the candles of the files, and a file that is recorded has all."""
    contents = job.stored.contents()
    stored: dict[str, list[Row]] = {}
    for _, symbol, _, *row in contents["exchange_candles"]:
        stored.setdefault(symbol, []).append(tuple(row))
    assert stored == {symbol: by_symbol[symbol] for symbol in stored}
    assert {symbol for _, symbol, *_ in contents["coverage"]} == stored.keys()
    for path, status, *_ in recorded_files(job):
        assert status == "imported"
        assert path.rpartition("/")[2].replace("USD_1.csv", "/USD") in stored


def test_an_import_that_is_out_of_time_says_how_far_it_came_and_the_next_goes_on(
    importing: Any, archive: tuple[Path, dict[str, list[Row]]]
) -> None:
    path, by_symbol = archive
    stopped = importing.run_well("import", str(path), max_run_seconds=0.001)

    assert stopped.report["status"] == "stopped"
    assert stopped.report["stop_reason"] == "time limit"
    assert {file["status"] for file in stopped.report["files"]} == {"not_done"}
    assert "The same command goes on from there." in stopped.output

    importing.run_well("import", str(path))
    assert candles_in(importing, symbol="A7/USD") == by_symbol["A7/USD"]


def test_an_import_leaves_at_once_while_another_run_works(importing: Any, start_ms: int) -> None:
    path = kraken_file(importing, rows_of(start_ms, 10))
    lock = lock_path_of(importing.stored.sqlite_path)
    lock.parent.mkdir()
    with FileRunLock(lock, started_ms=0):
        finished = importing.run("import", str(path))

    assert finished.exit_code == 75


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process its peak")
def test_a_file_many_times_as_large_takes_no_more_memory(tmp_path: Path) -> None:
    peaks = []
    for candles in (1_500_000, 4_500_000):
        path = tmp_path / f"{candles}" / "XBTUSD_1.csv"
        path.parent.mkdir()
        times = pl.int_range(candles, eager=True).alias("time") * 60
        prices = (times % 997 + 100.5).alias("open")
        columns = [prices.alias(name) for name in ("open", "high", "low", "close", "volume")]
        made = pl.DataFrame([times, *columns, prices.alias("trades")])
        made.write_csv(path, include_header=False)
        peaks.append(peak_mb_of_plan(path))
    assert peaks[1] < peaks[0] * 1.2


AND_PEAK = """
import sys
from candle_ingestor.main import main
code = main(sys.argv, {})
status = dict(line.split(":") for line in open("/proc/self/status"))
print(code, int(status["VmHWM"].split()[0]) / 1024)
"""


def peak_mb_of_plan(path: Path) -> float:
    done = subprocess.run(
        [sys.executable, "-P", "-c", AND_PEAK, "import", str(path), "--run_mode=dry"],
        cwd=path.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT / "services")},
        capture_output=True,
        text=True,
        check=True,
    )
    code, peak_mb = done.stdout.splitlines()[-1].split()
    assert code == "0"
    return float(peak_mb)
