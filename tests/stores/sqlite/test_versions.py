"""Files of earlier versions are brought to this one."""

import json
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlite_candles import BITCOIN, EVERYTHING, KRAKEN, MERGED, MINUTE_MS, NOTES, candles
from storing import keep, put

from candle_ingestor.model.exports import Exports
from candle_ingestor.model.intervals import IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import SeriesRecord
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.stores.base import StoreRefusedError
from candle_ingestor.stores.record_json import decode_record, encode_record
from candle_ingestor.stores.sqlite.store import SqliteStore

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
