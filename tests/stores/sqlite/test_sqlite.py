"""What is SQLite's own: the file, its readers, its other writers."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import apsw
import polars as pl
import pytest
from sqlite_candles import BITCOIN, EVERYTHING, KRAKEN, MERGED, MINUTE_MS, NOTES, candles
from storing import covering, keep, put

from candle_ingestor.model.candles import MERGED_CANDLES
from candle_ingestor.model.gap_notes import GapNotes
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import NOTHING_KNOWN, SeriesRecord
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.stores.base import StoreRefusedError, StoreUnavailableError
from candle_ingestor.stores.record_json import encode_record
from candle_ingestor.stores.sqlite.store import SqliteStore


def merged_candles(row_count: int) -> pl.DataFrame:
    return candles(row_count).with_columns(
        pl.lit("kraken,binance").alias("source_exchanges"),
        pl.lit(2, pl.Int64()).alias("exchange_count"),
    )


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


def test_zero_has_no_sign(store: SqliteStore) -> None:
    put(store, KRAKEN, candles(1).with_columns(pl.lit(-0.0).alias("volume")))

    (volume,) = store.read_candles(KRAKEN, EVERYTHING)["volume"]
    assert volume.hex() == "0x0.0p+0"
