"""What every store must do with records of files, and with what is removed."""

from dataclasses import replace
from typing import Any

from conforming import (
    BITCOIN,
    EVERYTHING,
    KRAKEN,
    MERGED,
    MINUTE_MS,
    START_MS,
    OpenStore,
    candles,
    merged_candles,
)
from storing import put

from candle_ingestor.model.imported_file import FileStatus, ImportedFile
from candle_ingestor.model.intervals import IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import (
    Coverage,
    SeriesRecord,
)
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.stores.base import Store


def imported_file(path: str, **changes: Any) -> ImportedFile:
    file = ImportedFile(
        path=path,
        sha256="ab" * 32,
        size_bytes=1000,
        series=KRAKEN,
        status=FileStatus.IMPORTED,
        read_as="time:s,open,high,low,close,volume of 2023-01-01T00:00 to 2023-04-01T00:00",
        rows=20,
        new=15,
        first_ms=START_MS,
        last_ms=START_MS + 60 * MINUTE_MS,
        differing=2,
        imported_ms=START_MS + 1,
    )
    return replace(file, **changes)


def test_a_store_without_imported_files_has_no_record_of_any(store: Store) -> None:
    assert store.read_imported_files() == []


def test_records_of_imported_files_are_read_back_by_path_and_series(open_store: OpenStore) -> None:
    of_minutes = imported_file("data/Kraken Q1, 2023.zip/XBTUSD_1.csv")
    of_hours = imported_file(of_minutes.path, series=Series("kraken", BITCOIN, Timeframe(60)))
    odd = imported_file('data/ä\\b=c%20\'"d".csv', rows=0, new=0)
    open_store().write_imported_files([of_minutes, of_hours, odd])

    assert sorted(open_store().read_imported_files(), key=str) == sorted(
        [of_minutes, of_hours, odd], key=str
    )


def test_another_record_of_the_same_path_and_series_replaces_the_first(store: Store) -> None:
    path = "data/XBTUSD_1.csv"
    refused = imported_file(
        path,
        status=FileStatus.FAILED,
        rows=0,
        first_ms=None,
        last_ms=None,
        error='line 3: a "price" is not above 0, or so',
    )
    unknown = imported_file("data/odd.zip", series=None, status=FileStatus.FAILED, error="damaged")
    store.write_imported_files([refused, unknown])
    assert store.read_imported_files() == [refused, unknown]

    mended = imported_file(path, sha256="cd" * 32)
    store.write_imported_files([mended])
    assert store.read_imported_files() == [mended, unknown]
    store.write_imported_files([refused])
    assert store.read_imported_files() == [refused, unknown]


def test_writing_no_record_of_a_file_changes_nothing(store: Store) -> None:
    store.write_imported_files([])

    assert store.read_imported_files() == []


def test_a_forgotten_series_leaves_nothing_and_takes_no_other_along(open_store: OpenStore) -> None:
    store = open_store()
    other = replace(KRAKEN, symbol=Symbol("ETH", "USD"))
    record = SeriesRecord(Coverage(IntervalSet.of(START_MS, START_MS + 3 * MINUTE_MS)))
    for series in (KRAKEN, MERGED, other):
        made = merged_candles([1, 2, 3], ["kraken"] * 3) if series.is_merged else candles([1, 2, 3])
        put(store, series, made, record)

    store.forget([KRAKEN, MERGED, replace(KRAKEN, exchange="nobody")])

    for opened in (store, open_store()):
        assert set(opened.read_records()) == {other}
        assert opened.read_candles(KRAKEN, EVERYTHING).is_empty()
        assert opened.read_candles(MERGED, EVERYTHING).is_empty()
        assert opened.read_candles(other, EVERYTHING).height == 3
    put(store, KRAKEN, candles([1, 2]), record)
    assert open_store().read_candles(KRAKEN, EVERYTHING).height == 2
    assert open_store().read_records()[KRAKEN] == record


def test_forgetting_in_a_store_without_anything_is_harmless(store: Store) -> None:
    store.forget([KRAKEN])
    assert store.read_records() == {}


def test_removed_keys_of_the_state_are_gone_and_others_stay(open_store: OpenStore) -> None:
    store = open_store()
    store.write_state("mine", {"BTC/USD-backfill": 1, "BTC/USD-catch_up": 2, "'\"\\": 3})
    store.write_state("other", {"BTC/USD-backfill": 4})

    store.remove_state("mine", ["BTC/USD-backfill", "'\"\\", "never there"])

    for opened in (store, open_store()):
        assert opened.read_state("mine") == {"BTC/USD-catch_up": 2}
        assert opened.read_state("other") == {"BTC/USD-backfill": 4}
    store.write_state("mine", {"BTC/USD-backfill": 5})
    assert open_store().read_state("mine")["BTC/USD-backfill"] == 5


def test_removed_records_of_files_are_gone_and_others_stay(open_store: OpenStore) -> None:
    store = open_store()
    file = imported_file("data/a.csv")
    hourly = replace(KRAKEN, timeframe=Timeframe(60))
    files = [file, replace(file, series=hourly), replace(file, path='b c,d=e"\\%')]
    store.write_imported_files(files)

    store.remove_imported_files([files[0], files[2], replace(file, path="never there")])

    assert open_store().read_imported_files() == [files[1]]
