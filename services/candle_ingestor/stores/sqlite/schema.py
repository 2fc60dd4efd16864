"""The SQLite store's tables, and how a file is recognised as one of its own."""

from __future__ import annotations

import apsw

from candle_ingestor.stores.record_fields import RecordError
from candle_ingestor.stores.sqlite.migration import migrate_from_1, migrate_from_2
from candle_ingestor.stores.sqlite.records import record_views

SCHEMA_VERSION = 3
APPLICATION_ID = 0x43_4E_44_4C
"""Marks the file's header as a candle store, so that another program's file is never touched."""

_PRICES_AND_VOLUME = """
    open REAL NOT NULL, high REAL NOT NULL, low REAL NOT NULL, close REAL NOT NULL,
    volume REAL NOT NULL"""

RECORD_STATEMENTS = (
    """CREATE TABLE series_record_rows (
        series_id INTEGER PRIMARY KEY, facts TEXT NOT NULL)""",
    """CREATE TABLE coverage_interval_rows (
        series_id INTEGER NOT NULL, kind TEXT NOT NULL,
        start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL,
        PRIMARY KEY (series_id, kind, start_ms)) WITHOUT ROWID""",
    *record_views(),
)
"""The tables and views of series records."""

IMPORTED_FILES_STATEMENT = """CREATE TABLE imported_files (
    path TEXT NOT NULL,
    exchange TEXT NOT NULL, currency_pair TEXT NOT NULL, timeframe TEXT NOT NULL,
    sha256 TEXT NOT NULL, size_bytes INTEGER NOT NULL, status TEXT NOT NULL,
    read_as TEXT NOT NULL,
    candles INTEGER NOT NULL, new INTEGER NOT NULL, differing INTEGER NOT NULL,
    first_ms INTEGER, last_ms INTEGER, imported_ms INTEGER NOT NULL, error TEXT,
    PRIMARY KEY (path, exchange, currency_pair, timeframe)) WITHOUT ROWID"""

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
    *RECORD_STATEMENTS,
    """CREATE TABLE processing_state (
        service_identifier TEXT NOT NULL, key TEXT NOT NULL,
        last_processed_timestamp_ms INTEGER NOT NULL,
        PRIMARY KEY (service_identifier, key)) WITHOUT ROWID""",
    """CREATE TABLE ingestion_runs (
        run_id TEXT PRIMARY KEY, started_ms INTEGER NOT NULL, status TEXT NOT NULL,
        report TEXT NOT NULL) WITHOUT ROWID""",
    IMPORTED_FILES_STATEMENT,
    "CREATE INDEX ingestion_runs_by_start ON ingestion_runs (started_ms)",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)


class ForeignFileError(Exception):
    """The file is a database that this version cannot use; the message says why."""


def prepare(connection: apsw.Connection) -> None:
    """Sets the connection up, makes the tables where the file is new and migrates an older one.

    The write-ahead log lets readers and the writer work side by side. With `synchronous=NORMAL`
    a power cut may take back the newest transactions, but always the newest first: coverage
    never survives candles that were written before it (rule C1).

    Raises:
        ForeignFileError: if another program or a newer version made the file.
        apsw.Error: if SQLite fails.
    """
    _refuse_foreign(connection)
    journal_mode = connection.execute("PRAGMA journal_mode = WAL").get
    if journal_mode != "wal":
        raise ForeignFileError(
            f"cannot use a write-ahead log there (its journal mode stays '{journal_mode}'), "
            "as on some network file systems; choose a local disk"
        )
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA journal_size_limit = {64 * 1024 * 1024}")
    # Rare checkpoints write a page of the file once that many commits have changed.
    connection.execute("PRAGMA wal_autocheckpoint = 4000")
    if _version(connection) == SCHEMA_VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another program may have done it in the meantime.
        if _is_empty(connection):
            for statement in _STATEMENTS:
                connection.execute(statement)
        elif _version(connection) < SCHEMA_VERSION:
            if _version(connection) == 1:
                migrate_from_1(connection, RECORD_STATEMENTS)
            else:
                migrate_from_2(connection, record_views())
            connection.execute(IMPORTED_FILES_STATEMENT)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        if isinstance(error, RecordError):
            raise ForeignFileError(f"cannot be brought to this version: {error}") from error
        raise


def _refuse_foreign(connection: apsw.Connection) -> None:
    if _is_empty(connection):
        return
    if _pragma(connection, "application_id") != APPLICATION_ID:
        raise ForeignFileError("is a SQLite database of another program; choose another file")
    version = _version(connection)
    if version > SCHEMA_VERSION:
        raise ForeignFileError(
            f"has schema version {version} and this program knows up to {SCHEMA_VERSION}; "
            "update candle-ingestor or choose another file"
        )


def _is_empty(connection: apsw.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None


def _version(connection: apsw.Connection) -> int:
    return _pragma(connection, "user_version")


def _pragma(connection: apsw.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").get)
