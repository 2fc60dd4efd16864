"""Files that are no store, of another version, or damaged."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import apsw
import pytest
from sqlite_candles import EVERYTHING, KRAKEN, MINUTE_MS, candles
from storing import covering, keep, put

from candle_ingestor.model.intervals import IntervalSet
from candle_ingestor.stores.base import StoreRefusedError
from candle_ingestor.stores.sqlite.store import SqliteStore


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
