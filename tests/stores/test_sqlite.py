"""What is SQLite's own: the file, its readers, its failures."""

import json
import os
import resource
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw
import polars as pl
import pytest
from storing import covering, keep, put

from candle_ingestor.model.candles import EXCHANGE_CANDLES, MERGED_CANDLES
from candle_ingestor.model.exports import Exports
from candle_ingestor.model.gap_notes import GapNote, GapNotes
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import NOTHING_KNOWN, SeriesRecord
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.stores.base import StoreRefusedError, StoreUnavailableError
from candle_ingestor.stores.record_json import decode_record, encode_record
from candle_ingestor.stores.sqlite.store import SqliteStore

WRITING_PROCESS = Path(__file__).with_name("writing_process.py")
BITCOIN = Symbol("BTC", "USD")
KRAKEN = Series("kraken", BITCOIN, Timeframe(1))
MERGED = Series.merged(BITCOIN, Timeframe(1))
EVERYTHING = Interval(0, 2**60)
MINUTE_MS = 60_000
NOTES = GapNotes((GapNote(IntervalSet.of(60, 120), GapReason.REJECTED, 500, 2, "no close"),))


def candles(row_count: int, first_minute: int = 0) -> pl.DataFrame:
    times = [(first_minute + minute) * MINUTE_MS for minute in range(row_count)]
    values = [float(minute) for minute in range(row_count)]
    return pl.DataFrame(
        {**dict.fromkeys(EXCHANGE_CANDLES, values), "open_time_ms": times},
        schema=EXCHANGE_CANDLES,
    )


def merged_candles(row_count: int) -> pl.DataFrame:
    return candles(row_count).with_columns(
        pl.lit("kraken,binance").alias("source_exchanges"),
        pl.lit(2, pl.Int64()).alias("exchange_count"),
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "candles.sqlite"


@pytest.fixture
def open_sqlite() -> Iterator[Callable[..., SqliteStore]]:
    opened: list[SqliteStore] = []

    def open_one(path: Path, **options: float) -> SqliteStore:
        opened.append(SqliteStore(path, **options))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def store(path: Path, open_sqlite: Callable[..., SqliteStore]) -> SqliteStore:
    return open_sqlite(path, busy_timeout_seconds=0.05)


@pytest.fixture
def notebook(path: Path, store: SqliteStore) -> Iterator[apsw.Connection]:
    """Another program's plain connection to the store's file."""
    put(store, KRAKEN, candles(3))
    with closing(apsw.Connection(str(path))) as connection:
        yield connection


def test_reading_and_checking_an_absent_store_make_no_file(path: Path, store: SqliteStore) -> None:
    store.check()

    assert store.read_candles(KRAKEN, EVERYTHING).is_empty()
    assert store.read_records() == {}
    assert store.read_newest([KRAKEN, MERGED], 0)[KRAKEN].is_empty()
    assert store.last_open_ms(KRAKEN, 2**60) is None
    assert store.read_state("ingestor") == {}
    assert store.read_runs(1) == []
    store.replace([])
    assert not path.parent.exists()


def test_the_first_write_makes_the_file_with_its_folder(path: Path, store: SqliteStore) -> None:
    store.write_state("ingestor", {"BTC/USD-backfill": 1})

    assert path.is_file()


def test_a_closed_store_is_one_file(path: Path, store: SqliteStore) -> None:
    put(store, KRAKEN, candles(500))
    store.close()

    assert [item.name for item in path.parent.iterdir()] == [path.name]


def test_a_notebook_finds_merged_candles_with_a_plain_query(
    store: SqliteStore, notebook: apsw.Connection
) -> None:
    put(store, MERGED, merged_candles(2))

    cursor = notebook.execute("SELECT * FROM candles WHERE currency_pair = 'BTC/USD'")

    assert [column[0] for column in cursor.description] == [
        "currency_pair",
        "timeframe",
        *(name for name in MERGED_CANDLES if name not in ("source_exchanges", "exchange_count")),
        "exchange_count",
        "source_exchanges",
    ]
    assert cursor.fetchall() == [
        ("BTC/USD", "1m", 0, 0.0, 0.0, 0.0, 0.0, 0.0, 2, "kraken,binance"),
        ("BTC/USD", "1m", MINUTE_MS, 1.0, 1.0, 1.0, 1.0, 1.0, 2, "kraken,binance"),
    ]


def test_a_notebook_finds_exchange_candles_by_any_name(
    store: SqliteStore, notebook: apsw.Connection
) -> None:
    put(store, Series("bitstamp", BITCOIN, Timeframe(5)), candles(2))

    rows = notebook.execute(
        "SELECT exchange, timeframe, count(*) FROM exchange_candles"
        " WHERE currency_pair = 'BTC/USD' GROUP BY exchange, timeframe ORDER BY exchange"
    ).fetchall()

    assert rows == [("bitstamp", "5m", 2), ("kraken", "1m", 3)]


@pytest.mark.parametrize("view", ["candles", "exchange_candles"])
def test_a_query_by_name_and_time_searches_and_never_scans_the_rows(
    notebook: apsw.Connection, view: str
) -> None:
    plan = notebook.execute(
        f"EXPLAIN QUERY PLAN SELECT * FROM {view}"
        " WHERE currency_pair = 'BTC/USD' AND timeframe = '1m' AND open_time_ms >= 60000"
    ).fetchall()

    steps = [str(detail) for *_, detail in plan]
    assert any("(series_id=? AND open_time_ms>?)" in step for step in steps), steps


def test_a_notebook_with_an_open_transaction_does_not_stop_the_writer(
    store: SqliteStore, notebook: apsw.Connection
) -> None:
    notebook.execute("BEGIN")
    assert notebook.execute("SELECT count(*) FROM exchange_candles").fetchone() == (3,)

    put(store, KRAKEN, candles(10))

    assert notebook.execute("SELECT count(*) FROM exchange_candles").fetchone() == (3,)
    notebook.execute("COMMIT")
    assert notebook.execute("SELECT count(*) FROM exchange_candles").fetchone() == (10,)


def test_reading_does_not_wait_for_another_writer(
    store: SqliteStore, notebook: apsw.Connection
) -> None:
    notebook.execute("BEGIN IMMEDIATE")
    notebook.execute("DELETE FROM exchange_candle_rows")

    assert store.read_candles(KRAKEN, EVERYTHING).height == 3


def test_a_lock_held_too_long_by_another_program_is_a_transient_error(
    path: Path, store: SqliteStore, notebook: apsw.Connection
) -> None:
    notebook.execute("BEGIN IMMEDIATE")
    calls: tuple[Callable[[], object], ...] = (
        lambda: put(store, KRAKEN, candles(9)),
        lambda: store.write_state("a", {"b": 1}),
        store.check,
    )
    for call in calls:
        with pytest.raises(StoreUnavailableError, match="locked by another program") as caught:
            call()
        assert str(path) in str(caught.value)
    notebook.execute("ROLLBACK")

    put(store, KRAKEN, candles(9))

    assert store.read_candles(KRAKEN, EVERYTHING).height == 9


@pytest.fixture
def holder(path: Path) -> Iterator[apsw.Connection]:
    """Another program that is about to write a file in which there is nothing yet."""
    path.parent.mkdir()
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield connection


def test_a_new_file_that_another_program_holds_is_waited_for(
    path: Path, open_sqlite: Callable[..., SqliteStore], holder: apsw.Connection
) -> None:
    store = open_sqlite(path, busy_timeout_seconds=20)
    release = threading.Timer(0.1, holder.execute, ["COMMIT"])
    release.start()

    put(store, KRAKEN, candles(1))

    release.join()
    assert store.read_candles(KRAKEN, EVERYTHING).height == 1


def test_a_new_file_that_another_program_holds_too_long_is_a_transient_error(
    store: SqliteStore, holder: apsw.Connection
) -> None:
    with pytest.raises(StoreUnavailableError, match="locked by another program"):
        put(store, KRAKEN, candles(1))
    holder.execute("COMMIT")

    put(store, KRAKEN, candles(1))

    assert store.read_candles(KRAKEN, EVERYTHING).height == 1


def test_programs_that_make_the_file_at_once_all_succeed(
    path: Path, open_sqlite: Callable[..., SqliteStore]
) -> None:
    stores = [open_sqlite(path) for _ in range(8)]
    together = threading.Barrier(len(stores))

    def write(number: int) -> None:
        together.wait()
        put(stores[number], Series(f"e{number}", BITCOIN, Timeframe(1)), candles(2))
        stores[number].read_records()

    with ThreadPoolExecutor(len(stores)) as pool:
        list(pool.map(write, range(len(stores))))

    for number in range(len(stores)):
        found = stores[0].read_candles(Series(f"e{number}", BITCOIN, Timeframe(1)), EVERYTHING)
        assert found.height == 2


def test_a_page_that_fails_leaves_neither_rows_nor_ids_behind(
    path: Path, store: SqliteStore, notebook: apsw.Connection
) -> None:
    notebook.execute(
        "CREATE TRIGGER stop AFTER INSERT ON series_record_rows"
        " BEGIN SELECT RAISE(ABORT, 'stopped here'); END"
    )

    with pytest.raises(StoreRefusedError, match="stopped here"):
        put(store, MERGED, merged_candles(120))
    assert notebook.execute("SELECT count(*) FROM merged_candle_rows").fetchone() == (0,)
    assert notebook.execute("SELECT count(*) FROM exchange_sets").fetchone() == (0,)
    notebook.execute("DROP TRIGGER stop")
    put(store, MERGED, merged_candles(120))

    assert notebook.execute("SELECT count(*) FROM candles").fetchone() == (120,)


def test_a_newer_schema_is_refused_with_what_to_do(path: Path, store: SqliteStore) -> None:
    put(store, KRAKEN, candles(1))
    store.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    before = path.read_bytes()

    with closing(SqliteStore(path)) as newer, pytest.raises(StoreRefusedError) as caught:
        newer.read_records()

    for part in (str(path), "schema version 99", "update candle-ingestor", "--sqlite_path"):
        assert part in str(caught.value)
    assert path.read_bytes() == before


def test_another_programs_database_is_refused_and_left_alone(
    path: Path, store: SqliteStore
) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE accounts (name TEXT)")
    before = path.read_bytes()

    with pytest.raises(StoreRefusedError, match=r"another program.*--sqlite_path"):
        put(store, KRAKEN, candles(1))
    with pytest.raises(StoreRefusedError, match="another program"):
        store.check()

    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_refused_and_left_alone(
    path: Path, store: SqliteStore
) -> None:
    path.parent.mkdir()
    path.write_text("Timestamp,Open,High,Low,Close,Volume\n" * 50)
    before = path.read_bytes()

    with pytest.raises(StoreRefusedError, match="not a SQLite database") as caught:
        store.read_state("ingestor")

    assert str(path) in str(caught.value)
    assert "--sqlite_path" in str(caught.value)
    assert path.read_bytes() == before


def test_an_empty_file_becomes_a_store(path: Path, store: SqliteStore) -> None:
    path.parent.mkdir()
    path.touch()

    put(store, KRAKEN, candles(2))

    assert store.read_candles(KRAKEN, EVERYTHING).height == 2


def test_a_folder_in_the_files_place_is_refused(path: Path, store: SqliteStore) -> None:
    path.mkdir(parents=True)

    for call in (store.check, lambda: store.write_state("a", {"b": 1})):
        with pytest.raises(StoreRefusedError, match=r"cannot be opened.*--sqlite_path"):
            call()


def test_a_path_below_a_file_is_refused(
    tmp_path: Path, open_sqlite: Callable[..., SqliteStore]
) -> None:
    (tmp_path / "file").touch()
    store = open_sqlite(tmp_path / "file" / "below" / "candles.sqlite")

    for call in (store.check, lambda: store.write_state("a", {"b": 1})):
        with pytest.raises(StoreRefusedError, match=r"folder .* cannot be .*--sqlite_path"):
            call()


@pytest.mark.parametrize("facts", ["{}", "", "[]", '{"format_version":2,"coverage":{}}'])
def test_a_damaged_record_is_an_error_that_names_the_series(
    store: SqliteStore, notebook: apsw.Connection, facts: str
) -> None:
    notebook.execute("UPDATE series_record_rows SET facts = ?", (facts,))

    with pytest.raises(StoreRefusedError, match="coverage record of kraken BTC/USD 1m"):
        store.read_records()


def test_damaged_intervals_are_an_error_that_names_the_series(
    store: SqliteStore, notebook: apsw.Connection
) -> None:
    keep(store, {KRAKEN: covering(IntervalSet([(0, MINUTE_MS), (2 * MINUTE_MS, 3 * MINUTE_MS)]))})
    notebook.execute("UPDATE coverage_interval_rows SET end_ms = end_ms + 60000")

    with pytest.raises(StoreRefusedError, match=r"kraken BTC/USD 1m .*overlap"):
        store.read_records()


def test_a_damaged_series_name_is_an_error(store: SqliteStore, notebook: apsw.Connection) -> None:
    notebook.execute("UPDATE series SET timeframe = 'often'")

    with pytest.raises(StoreRefusedError, match="'often' is not a timeframe"):
        store.read_records()


def test_a_notebook_reads_coverage_as_the_job_writes_it(
    store: SqliteStore, notebook: apsw.Connection
) -> None:
    record = covering(
        IntervalSet((2 * n * MINUTE_MS, (2 * n + 1) * MINUTE_MS) for n in range(12)),
        IntervalSet.of(0, MINUTE_MS),
        {
            GapReason.REJECTED: IntervalSet.of(3 * MINUTE_MS, 4 * MINUTE_MS),
            GapReason.FETCH_FAILED: IntervalSet.of(MINUTE_MS, 2 * MINUTE_MS),
        },
    )
    keep(store, {KRAKEN: record, MERGED: NOTHING_KNOWN})

    rows = notebook.execute(
        "SELECT exchange, currency_pair, timeframe, record FROM candle_coverage ORDER BY exchange"
    ).fetchall()

    assert rows == [
        ("aggregated", "BTC/USD", "1m", encode_record(NOTHING_KNOWN)),
        ("kraken", "BTC/USD", "1m", encode_record(record)),
    ]
    assert notebook.execute(
        "SELECT start_ms, end_ms FROM coverage_intervals"
        " WHERE exchange = 'kraken' AND kind = 'rejected'"
    ).fetchall() == [(3 * MINUTE_MS, 4 * MINUTE_MS)]


def test_only_intervals_that_differ_are_written(
    store: SqliteStore, notebook: apsw.Connection
) -> None:
    """Else each page of a series with many gaps would cost more than the one before."""
    many = [(2 * n * MINUTE_MS, (2 * n + 1) * MINUTE_MS) for n in range(5_000)]
    keep(store, {KRAKEN: covering(IntervalSet(many))})
    notebook.execute(
        "CREATE TRIGGER tell AFTER INSERT ON coverage_interval_rows BEGIN"
        " INSERT INTO processing_state VALUES ('told', new.start_ms, 1); END"
    )
    store.read_records()

    filled = [*many[:2_000], (many[2_000][0], many[2_001][1]), *many[2_002:]]
    grown = [*filled[:-1], (filled[-1][0], filled[-1][1] + MINUTE_MS)]
    for intervals in (filled, grown):
        keep(store, {KRAKEN: covering(IntervalSet(intervals))})

    assert sorted(map(int, store.read_state("told"))) == [many[2_000][0], many[-1][0]]
    assert store.read_records()[KRAKEN].covered == IntervalSet(grown)


def test_what_another_process_wrote_is_not_taken_for_what_this_one_did(
    path: Path, store: SqliteStore, open_sqlite: Callable[..., SqliteStore]
) -> None:
    other = open_sqlite(path)
    one, two = IntervalSet.of(0, MINUTE_MS), IntervalSet.of(5 * MINUTE_MS, 9 * MINUTE_MS)
    keep(store, {KRAKEN: covering(one)})
    keep(other, {KRAKEN: covering(two)})

    keep(store, {KRAKEN: covering(one)})

    assert other.read_records() == {KRAKEN: covering(one)}


FIRST_VERSION = (
    """CREATE TABLE series (
        series_id INTEGER PRIMARY KEY,
        exchange TEXT NOT NULL, currency_pair TEXT NOT NULL, timeframe TEXT NOT NULL,
        UNIQUE (exchange, currency_pair, timeframe))""",
    """CREATE TABLE exchange_sets (
        exchange_set_id INTEGER PRIMARY KEY,
        source_exchanges TEXT NOT NULL UNIQUE)""",
    """CREATE TABLE exchange_candle_rows (
        series_id INTEGER NOT NULL, open_time_ms INTEGER NOT NULL, open REAL NOT NULL,
        high REAL NOT NULL, low REAL NOT NULL, close REAL NOT NULL, volume REAL NOT NULL,
        PRIMARY KEY (series_id, open_time_ms)) WITHOUT ROWID""",
    """CREATE TABLE merged_candle_rows (
        series_id INTEGER NOT NULL, open_time_ms INTEGER NOT NULL, open REAL NOT NULL,
        high REAL NOT NULL, low REAL NOT NULL, close REAL NOT NULL, volume REAL NOT NULL,
        exchange_set_id INTEGER NOT NULL, exchange_count INTEGER NOT NULL,
        PRIMARY KEY (series_id, open_time_ms)) WITHOUT ROWID""",
    """CREATE TABLE candle_coverage (
        exchange TEXT NOT NULL, currency_pair TEXT NOT NULL, timeframe TEXT NOT NULL,
        record TEXT NOT NULL,
        PRIMARY KEY (exchange, currency_pair, timeframe)) WITHOUT ROWID""",
    """CREATE TABLE processing_state (
        service_identifier TEXT NOT NULL, key TEXT NOT NULL,
        last_processed_timestamp_ms INTEGER NOT NULL,
        PRIMARY KEY (service_identifier, key)) WITHOUT ROWID""",
    """CREATE TABLE ingestion_runs (
        run_id TEXT PRIMARY KEY, started_ms INTEGER NOT NULL, status TEXT NOT NULL,
        report TEXT NOT NULL) WITHOUT ROWID""",
    "INSERT INTO series VALUES (7, 'kraken', 'BTC/USD', '1m')",
    "INSERT INTO exchange_candle_rows VALUES (7, 0, 0.0, 0.0, 0.0, 0.0, 0.0)",
    "INSERT INTO processing_state VALUES ('ingestor', 'BTC/USD-backfill', 5)",
    f"PRAGMA application_id = {0x43_4E_44_4C}",
    "PRAGMA user_version = 1",
)
OLD_RECORD = {
    "format_version": 1,
    "covered": [[0, MINUTE_MS]],
    "reasons": {"rejected": [[MINUTE_MS, 2 * MINUTE_MS]]},
    "listed_from_ms": None,
    "listing_sought_from_ms": None,
    "merge_rules": None,
    "former_rules": [],
    "unexported": [[0, MINUTE_MS]],
    "export_digits": [2, 8],
}


@pytest.fixture
def old_file(path: Path) -> Path:
    """A file as the first version left it, with coverage of an exchange and of a merged series."""
    path.parent.mkdir()
    records = {
        "kraken": OLD_RECORD,
        "aggregated": OLD_RECORD | {"merge_rules": {"exchanges": ["kraken"]}},
        "bitstamp": OLD_RECORD | {"covered": []},
    }
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        for statement in FIRST_VERSION:
            connection.execute(statement)
        for exchange, record in records.items():
            connection.execute(
                "INSERT INTO candle_coverage VALUES (?, 'BTC/USD', '1m', ?)",
                (exchange, json.dumps(record)),
            )
    return path


def test_a_file_of_the_first_version_is_brought_to_this_one(
    store: SqliteStore, old_file: Path
) -> None:
    bitstamp = Series("bitstamp", BITCOIN, Timeframe(1))
    expected = {
        KRAKEN: decode_record(json.dumps(OLD_RECORD), KRAKEN),
        MERGED: SeriesRecord(exports=Exports(digits=(2, 8))),
        bitstamp: decode_record(json.dumps(OLD_RECORD | {"covered": []}), bitstamp),
    }
    assert expected[KRAKEN].covered == IntervalSet.of(0, MINUTE_MS)

    assert store.read_records() == expected

    assert store.read_candles(KRAKEN, EVERYTHING).equals(candles(1))
    assert store.read_state("ingestor") == {"BTC/USD-backfill": 5}
    store.close()
    with closing(SqliteStore(old_file)) as again:
        assert again.read_records() == expected
    with closing(sqlite3.connect(old_file)) as notebook:
        assert notebook.execute("PRAGMA user_version").fetchone() == (5,)
        found = notebook.execute("SELECT record FROM candle_coverage ORDER BY exchange").fetchall()
    assert found == [(encode_record(expected[series]),) for series in (MERGED, bitstamp, KRAKEN)]


def test_a_file_of_the_second_version_is_brought_to_this_one(
    store: SqliteStore, path: Path
) -> None:
    put(store, KRAKEN, candles(1))
    expected = store.read_records()
    store.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for view in ("candle_coverage", "coverage_intervals"):
            connection.execute(f"DROP VIEW {view}")
            connection.execute(f"CREATE VIEW {view} AS SELECT 1 AS record")
        connection.execute(
            "UPDATE series_record_rows SET facts = json_remove(facts, '$.coverage.origins')"
        )
        connection.execute("DROP TABLE imported_files")
        connection.execute("DROP TABLE gap_note_rows")
        connection.execute("PRAGMA user_version = 2")

    with closing(SqliteStore(path)) as again:
        assert again.read_records() == expected
        assert again.read_imported_files() == []

    with closing(sqlite3.connect(path)) as notebook:
        (found,) = notebook.execute("SELECT record FROM candle_coverage").fetchone()
        assert decode_record(found, KRAKEN) == expected[KRAKEN]


def test_a_file_of_the_third_version_is_brought_to_this_one(store: SqliteStore, path: Path) -> None:
    put(store, KRAKEN, candles(1))
    expected = store.read_records()
    store.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DROP VIEW candle_coverage")
        connection.execute("CREATE VIEW candle_coverage AS SELECT 1 AS record")
        connection.execute("DROP TABLE gap_note_rows")
        connection.execute("PRAGMA user_version = 3")

    with closing(SqliteStore(path)) as again:
        assert again.read_records() == expected
        keep(again, {KRAKEN: replace(expected[KRAKEN], gap_notes=NOTES)})

    with closing(sqlite3.connect(path)) as notebook:
        (found,) = notebook.execute("SELECT record FROM candle_coverage").fetchone()
        assert decode_record(found, KRAKEN).gap_notes == NOTES


def test_notes_on_gaps_are_written_only_when_they_change(store: SqliteStore, path: Path) -> None:
    keep(store, {KRAKEN: SeriesRecord(gap_notes=NOTES)})
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE writes (notes TEXT)")
        connection.execute(
            "CREATE TRIGGER watch AFTER INSERT ON gap_note_rows"
            " BEGIN INSERT INTO writes VALUES (new.notes); END"
        )
        store.read_records()

        keep(store, {KRAKEN: SeriesRecord(catch_up_from_ms=1, gap_notes=NOTES)})
        assert connection.execute("SELECT count(*) FROM writes").fetchone() == (0,)

        keep(store, {KRAKEN: SeriesRecord(catch_up_from_ms=1, gap_notes=GapNotes())})
        assert connection.execute("SELECT count(*) FROM writes").fetchone() == (1,)
    assert store.read_records() == {KRAKEN: SeriesRecord(catch_up_from_ms=1)}


def test_a_file_of_the_first_version_with_a_damaged_record_is_refused_and_left_alone(
    store: SqliteStore, old_file: Path
) -> None:
    with closing(sqlite3.connect(old_file, isolation_level=None)) as connection:
        connection.execute("UPDATE candle_coverage SET record = '{' WHERE exchange = 'kraken'")

    with pytest.raises(StoreRefusedError, match="coverage record of kraken BTC/USD 1m"):
        put(store, KRAKEN, candles(1))

    with closing(sqlite3.connect(old_file)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        assert connection.execute("SELECT count(*) FROM candle_coverage").fetchone() == (3,)


def test_a_file_of_the_first_version_is_brought_to_this_one_by_one_of_many(
    old_file: Path, open_sqlite: Callable[..., SqliteStore]
) -> None:
    stores = [open_sqlite(old_file) for _ in range(6)]
    together = threading.Barrier(len(stores))

    def read(one: SqliteStore) -> int:
        together.wait()
        return len(one.read_records())

    with ThreadPoolExecutor(len(stores)) as pool:
        assert list(pool.map(read, stores)) == [3] * len(stores)


def test_zero_has_no_sign(store: SqliteStore) -> None:
    put(store, KRAKEN, candles(1).with_columns(pl.lit(-0.0).alias("volume")))

    (volume,) = store.read_candles(KRAKEN, EVERYTHING)["volume"]
    assert volume.hex() == "0x0.0p+0"


def start_writing(path: Path, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, WRITING_PROCESS, path],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        **options,
    )


@pytest.mark.parametrize("pages_before_the_kill", [1, 30])
def test_a_kill_never_leaves_coverage_without_its_candles(
    path: Path, store: SqliteStore, pages_before_the_kill: int
) -> None:
    with start_writing(path) as process:
        assert process.stdout is not None
        for page in range(pages_before_the_kill):
            assert process.stdout.readline() == f"{page}\n"
        process.kill()

    covered = store.read_records()[KRAKEN].covered
    found = store.read_candles(KRAKEN, EVERYTHING)
    assert found.height % 300 == 0
    assert covered.duration_ms >= pages_before_the_kill * 300 * MINUTE_MS
    covered_minutes = covered.duration_ms // MINUTE_MS
    assert found["open_time_ms"].to_list()[:covered_minutes] == [
        minute * MINUTE_MS for minute in range(covered_minutes)
    ]
    put(store, KRAKEN, candles(5))


def test_a_file_size_limit_stops_the_writer_and_keeps_what_was_there(
    path: Path, store: SqliteStore
) -> None:
    limit = 400_000

    with start_writing(
        path, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    ) as process:
        assert process.stdout is not None
        *pages, last = process.stdout.read().splitlines()

    assert process.returncode == 0
    assert last.startswith("StoreRefusedError: ")
    assert str(path) in last
    assert "file size limit" in last
    found = store.read_candles(KRAKEN, EVERYTHING)
    assert found.height >= len(pages) * 300
    assert found.height % 300 == 0
    covered = store.read_records()[KRAKEN].covered
    assert len(pages) * 300 <= covered.duration_ms // MINUTE_MS <= found.height


def test_a_full_disk_stops_the_writer_and_keeps_what_was_there(
    tmp_path: Path, open_sqlite: Callable[..., SqliteStore]
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=500k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("a small disk of its own can only be mounted by root")
    try:
        path = disk / "candles.sqlite"
        with start_writing(path) as process:
            assert process.stdout is not None
            *pages, last = process.stdout.read().splitlines()

        assert last.startswith("StoreRefusedError: ")
        assert "the disk is full" in last
        assert pages
        store = open_sqlite(path)
        found = store.read_candles(KRAKEN, EVERYTHING)
        assert found.height >= len(pages) * 300
        assert found.height % 300 == 0
        store.close()
    finally:
        subprocess.run(["umount", str(disk)], check=True)
