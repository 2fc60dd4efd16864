"""The SQLite store's tables, and how a file is recognised as one of its own."""

from __future__ import annotations

import sqlite3

SCHEMA_VERSION = 1
APPLICATION_ID = 0x43_4E_44_4C
"""Marks the file's header as a candle store, so that another program's file is never touched."""

_PRICES_AND_VOLUME = """
    open REAL NOT NULL, high REAL NOT NULL, low REAL NOT NULL, close REAL NOT NULL,
    volume REAL NOT NULL"""

# Rows carry small integers in place of the names that views join back on: half the size and
# two thirds of the time. CROSS JOIN fixes the order, series first, so that a filter by name
# becomes a range of the rows' key.
_STATEMENTS = (
    """CREATE TABLE series (
        series_id INTEGER PRIMARY KEY,
        exchange TEXT NOT NULL, currency_pair TEXT NOT NULL, timeframe TEXT NOT NULL,
        UNIQUE (exchange, currency_pair, timeframe))""",
    """CREATE TABLE exchange_sets (
        exchange_set_id INTEGER PRIMARY KEY,
        source_exchanges TEXT NOT NULL UNIQUE)""",
    f"""CREATE TABLE exchange_candle_rows (
        series_id INTEGER NOT NULL, open_time_ms INTEGER NOT NULL, {_PRICES_AND_VOLUME},
        PRIMARY KEY (series_id, open_time_ms)) WITHOUT ROWID""",
    f"""CREATE TABLE merged_candle_rows (
        series_id INTEGER NOT NULL, open_time_ms INTEGER NOT NULL, {_PRICES_AND_VOLUME},
        exchange_set_id INTEGER NOT NULL, exchange_count INTEGER NOT NULL,
        PRIMARY KEY (series_id, open_time_ms)) WITHOUT ROWID""",
    """CREATE VIEW exchange_candles AS
        SELECT exchange, currency_pair, timeframe, open_time_ms, open, high, low, close, volume
        FROM series CROSS JOIN exchange_candle_rows USING (series_id)""",
    """CREATE VIEW candles AS
        SELECT currency_pair, timeframe, open_time_ms, open, high, low, close, volume,
            exchange_count, source_exchanges
        FROM series CROSS JOIN merged_candle_rows USING (series_id)
            CROSS JOIN exchange_sets USING (exchange_set_id)""",
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
    "CREATE INDEX ingestion_runs_by_start ON ingestion_runs (started_ms)",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)


class ForeignFileError(Exception):
    """The file is a database that this version cannot use; the message says why."""


def prepare(connection: sqlite3.Connection) -> None:
    """Sets the connection up and makes the tables where the file is new.

    The write-ahead log lets readers and the writer work side by side. With `synchronous=NORMAL`
    a power cut may take back the newest transactions, but always the newest first: coverage
    never survives candles that were written before it (rule C1).

    Raises:
        ForeignFileError: if another program or a newer version made the file.
        sqlite3.Error: if SQLite fails.
    """
    _refuse_foreign(connection)
    (journal_mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if journal_mode != "wal":
        raise ForeignFileError(
            f"cannot use a write-ahead log there (its journal mode stays '{journal_mode}'), "
            "as on some network file systems; choose a local disk"
        )
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA journal_size_limit = {64 * 1024 * 1024}")
    if not _is_empty(connection):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        if _is_empty(connection):
            for statement in _STATEMENTS:
                connection.execute(statement)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _refuse_foreign(connection: sqlite3.Connection) -> None:
    if _is_empty(connection):
        return
    if _pragma(connection, "application_id") != APPLICATION_ID:
        raise ForeignFileError("is a SQLite database of another program; choose another file")
    version = _pragma(connection, "user_version")
    if version > SCHEMA_VERSION:
        raise ForeignFileError(
            f"has schema version {version} and this program knows up to {SCHEMA_VERSION}; "
            "update candle-ingestor or choose another file"
        )


def _is_empty(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    (value,) = connection.execute(f"PRAGMA {name}").fetchone()
    return int(value)
