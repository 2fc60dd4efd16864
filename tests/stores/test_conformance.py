"""What every store must do with state, with run reports and as a whole, whatever it is made of."""

import threading

import pytest
from conforming import (
    BITCOIN,
    EVERYTHING,
    FULL_RECORD,
    KRAKEN,
    MERGED,
    MINUTE_MS,
    OpenStore,
    candles,
    merged_candles,
    minutes,
)
from storing import covering, put

from candle_ingestor.model.intervals import IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import (
    NOTHING_KNOWN,
)
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.stores.base import Store, StoreRefusedError


def test_state_is_kept_by_service_and_key(store: Store) -> None:
    assert store.read_state("ingestor") == {}
    store.write_state("ingestor", {"BTC/USD-backfill": 1_000, "BTC/USD-catch_up": 2_000})
    store.write_state("other", {"BTC/USD-backfill": 7})
    store.write_state("ingestor", {"BTC/USD-backfill": 1_700_000_000_000})
    store.write_state("ingestor", {})

    assert store.read_state("ingestor") == {
        "BTC/USD-backfill": 1_700_000_000_000,
        "BTC/USD-catch_up": 2_000,
    }
    assert store.read_state("other") == {"BTC/USD-backfill": 7}


def test_hostile_names_are_data_like_any_other(store: Store) -> None:
    name = "x'; DROP TABLE processing_state; --\" ${r} \\ \n, = ünï"

    store.write_state(name, {name: 5})

    assert store.read_state(name) == {name: 5}
    assert store.read_state("x") == {}


def report(run_id: str, started_ms: int, **figures: object) -> dict[str, object]:
    return {"run_id": run_id, "started_ms": started_ms, "status": "ok", **figures}


def test_run_reports_are_read_newest_first(store: Store) -> None:
    assert store.read_runs(5) == []
    for started_ms in (3_000, 1_000, 5_000, 2_000, 4_000):
        store.write_run(report(f"run-{started_ms}", started_ms))

    assert [run["started_ms"] for run in store.read_runs(3)] == [5_000, 4_000, 3_000]
    assert len(store.read_runs(100)) == 5


def test_runs_that_start_in_one_second_keep_their_order(store: Store) -> None:
    begun = [(5_000, "b"), (5_400, "a"), (5_000, "c"), (5_000, "e"), (5_001, "d")]
    for started_ms, run_id in begun:
        store.write_run(report(run_id, started_ms))

    found = [(run["started_ms"], run["run_id"]) for run in store.read_runs(9)]

    assert found == sorted(begun, reverse=True)


def test_a_run_report_keeps_its_nested_figures(store: Store) -> None:
    written = report(
        "a", 1, tickers=[{"symbol": "BTC/USD", "gaps": [], "seconds": 0.1, "x": None}], ok=True
    )

    store.write_run(written)

    assert store.read_runs(1) == [written]


def test_a_run_report_of_the_same_run_replaces_the_earlier_one(store: Store) -> None:
    store.write_run(report("a", 1) | {"status": "running"})
    store.write_run(report("a", 1) | {"status": "failed"})

    assert [run["status"] for run in store.read_runs(10)] == ["failed"]


@pytest.mark.parametrize("missing", ["run_id", "started_ms", "status"])
def test_a_run_report_without_its_keys_is_an_error(store: Store, missing: str) -> None:
    incomplete = {name: value for name, value in report("a", 1).items() if name != missing}

    with pytest.raises(ValueError, match=missing):
        store.write_run(incomplete)


def test_everything_is_there_after_reopening(open_store: OpenStore) -> None:
    first = open_store()
    put(first, KRAKEN, candles([1.0, 2.0]), FULL_RECORD)
    put(first, MERGED, merged_candles([1.0, 2.0], ["kraken", "kraken"]))
    first.write_state("ingestor", {"BTC/USD-backfill": 9})
    first.write_run(report("a", 1))
    first.close()

    second = open_store()
    put(second, KRAKEN, candles([3.0], first_minute=2), FULL_RECORD)

    assert second.read_candles(KRAKEN, EVERYTHING)["open"].to_list() == [1.0, 2.0, 3.0]
    assert second.read_candles(MERGED, EVERYTHING)["exchange_count"].to_list() == [1, 1]
    assert second.read_records() == {KRAKEN: FULL_RECORD, MERGED: NOTHING_KNOWN}
    assert second.read_state("ingestor") == {"BTC/USD-backfill": 9}
    assert second.read_runs(1) == [report("a", 1)]


def test_a_reader_beside_the_writer_never_sees_coverage_without_its_candles(
    open_store: OpenStore,
) -> None:
    writer, reader = open_store(), open_store()
    writer.check()
    page_count, page_size = 40, 100
    finished = threading.Event()

    def write() -> None:
        covered = IntervalSet()
        try:
            for page in range(page_count):
                first = page * page_size
                page_candles = candles(
                    [float(first + minute) for minute in range(page_size)], first_minute=first
                )
                covered = covered | IntervalSet([minutes(first, first + page_size)])
                put(writer, KRAKEN, page_candles, covering(covered))
        finally:
            finished.set()

    thread = threading.Thread(target=write)
    thread.start()
    reads = 0
    try:
        while not finished.is_set() or reads == 0:
            covered = reader.read_records().get(KRAKEN, NOTHING_KNOWN).covered
            found = reader.read_candles(KRAKEN, EVERYTHING)
            expected = [float(minute) for minute in range(covered.duration_ms // MINUTE_MS)]
            assert found["open"].to_list()[: len(expected)] == expected
            reads += 1
    finally:
        thread.join()

    assert reader.read_records()[KRAKEN].covered.duration_ms == (page_count * page_size * MINUTE_MS)


def test_threads_may_share_a_store(store: Store) -> None:
    series = [Series(f"exchange{number}", BITCOIN, Timeframe(1)) for number in range(4)]
    failures: list[BaseException] = []

    def work(one: Series) -> None:
        try:
            for page in range(10):
                put(store, one, candles([float(page)] * 50, first_minute=page * 50))
                assert store.read_candles(one, EVERYTHING).height == (page + 1) * 50
        except BaseException as failure:  # noqa: BLE001
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(one,)) for one in series]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []


def test_a_check_leaves_nothing_behind(store: Store) -> None:
    store.check()
    put(store, KRAKEN, candles([1.0]))
    store.check()

    assert store.read_records() == {KRAKEN: NOTHING_KNOWN}
    assert store.read_state("check") == {}
    assert store.read_runs(10) == []
    assert store.read_candles(KRAKEN, EVERYTHING).height == 1


def test_the_description_says_which_store_it_is(store: Store) -> None:
    assert len(store.description) > 5


def test_closing_twice_is_harmless_and_a_closed_store_says_so(store: Store) -> None:
    put(store, KRAKEN, candles([1.0]))
    store.close()
    store.close()

    with pytest.raises(StoreRefusedError, match="closed"):
        store.read_candles(KRAKEN, EVERYTHING)
