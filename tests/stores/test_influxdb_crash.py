"""An InfluxDB that dies, or has no space left, while it is written."""

import resource
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import polars as pl
import pytest
from influxd import InfluxdProcess
from storing import covering, put
from tenacity import wait_fixed

from candle_ingestor.model.candles import EXCHANGE_CANDLES
from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.stores.base import SeriesChange, StoreUnavailableError
from candle_ingestor.stores.influxdb.connection import InfluxDbConnection
from candle_ingestor.stores.influxdb.patience import Patience
from candle_ingestor.stores.influxdb.store import InfluxDbStore

MINUTE_MS = 60_000
PAGE_SIZE = 500
BITCOIN = Symbol("BTC", "USD")
KRAKEN = Series("kraken", BITCOIN, Timeframe(1))
EVERYTHING = Interval(0, 2**60)
PATIENT = Patience(tries=2_000, seconds=90, wait=wait_fixed(0.03))
IMPATIENT = Patience(tries=2, wait=wait_fixed(0))


def page(number: int) -> pl.DataFrame:
    minutes = range(number * PAGE_SIZE, (number + 1) * PAGE_SIZE)
    values = [minute / 7 for minute in minutes]
    return pl.DataFrame(
        {
            **dict.fromkeys(EXCHANGE_CANDLES, values),
            "open_time_ms": [minute * MINUTE_MS for minute in minutes],
        },
        schema=EXCHANGE_CANDLES,
    )


def write_page(store: InfluxDbStore, number: int) -> None:
    """As a run does: the candles, then the coverage, then the state (rule C1)."""
    end_ms = (number + 1) * PAGE_SIZE * MINUTE_MS
    put(store, KRAKEN, page(number), covering(IntervalSet.of(0, end_ms)))
    store.write_state("ingestor", {"BTC/USD-backfill": end_ms - MINUTE_MS})


def assert_holds(store: InfluxDbStore, pages: int) -> None:
    """The first pages are there, each row once; what was being written may be as well."""
    found = store.read_candles(KRAKEN, Interval(0, pages * PAGE_SIZE * MINUTE_MS))
    assert found.equals(pl.concat(page(number) for number in range(pages)))
    covered = store.read_records()[KRAKEN].covered
    assert covered.covers((0, pages * PAGE_SIZE * MINUTE_MS))
    beyond = store.read_candles(KRAKEN, EVERYTHING).height - found.height
    assert covered.end_ms <= (pages * PAGE_SIZE + beyond) * MINUTE_MS
    assert store.read_state("ingestor")["BTC/USD-backfill"] < covered.end_ms


@pytest.fixture
def influxd(influxd_binary: Path, tmp_path: Path) -> Iterator[InfluxdProcess]:
    process = InfluxdProcess(influxd_binary, tmp_path / "influxd")
    process.start()
    yield process
    process.stop()


@pytest.fixture
def connection(influxd: InfluxdProcess) -> InfluxDbConnection:
    server = influxd.server
    server.make_bucket("candles")
    return InfluxDbConnection(server.url, server.token, server.org, "candles", timeout_seconds=10)


def test_a_server_that_dies_during_a_backfill_is_waited_for(
    influxd: InfluxdProcess, connection: InfluxDbConnection
) -> None:
    page_count = 60
    written = threading.Semaphore(0)
    failures: list[BaseException] = []

    def backfill() -> None:
        try:
            with closing(InfluxDbStore(connection, patience=PATIENT)) as store:
                for number in range(page_count):
                    write_page(store, number)
                    written.release()
        except BaseException as failure:  # noqa: BLE001
            failures.append(failure)

    thread = threading.Thread(target=backfill)
    thread.start()
    for pages in (1, 7, 15):
        for _ in range(pages):
            assert written.acquire(timeout=60)
        influxd.kill()
        influxd.start()
    thread.join()

    assert failures == []
    with closing(InfluxDbStore(connection)) as store:
        assert_holds(store, page_count)
        assert store.read_candles(KRAKEN, EVERYTHING).height == page_count * PAGE_SIZE


def test_what_was_confirmed_outlives_the_server(
    influxd: InfluxdProcess, connection: InfluxDbConnection
) -> None:
    with closing(InfluxDbStore(connection, patience=IMPATIENT)) as store:
        for number in range(5):
            write_page(store, number)
        record = store.read_records()[KRAKEN]
        store.replace([SeriesChange(KRAKEN, record, deleted=[2 * MINUTE_MS])])
        influxd.kill()
        for call in (
            lambda: write_page(store, 5),
            store.read_records,
            lambda: store.read_state("ingestor"),
        ):
            with pytest.raises(StoreUnavailableError, match="--influxdb_url"):
                call()
        influxd.start()

        assert store.read_candles(KRAKEN, Interval(0, 4 * MINUTE_MS)).equals(
            page(0).head(4).filter(pl.col("open_time_ms") != 2 * MINUTE_MS)
        )
        put(store, KRAKEN, page(0), record)
        assert_holds(store, 5)
        write_page(store, 5)
        assert_holds(store, 6)


@pytest.fixture
def limit_file_size(influxd: InfluxdProcess) -> Callable[[int], None]:
    """Sets how long a file of the server may grow; what is more fails as on a full disk."""
    if not hasattr(resource, "prlimit"):
        pytest.skip("only Linux limits the files of another process")
    _, hard = resource.prlimit(influxd.pid, resource.RLIMIT_FSIZE)

    def limit(size: int) -> None:
        resource.prlimit(influxd.pid, resource.RLIMIT_FSIZE, (size, hard))

    return limit


def test_a_disk_that_is_full_loses_nothing_that_was_confirmed(
    influxd: InfluxdProcess,
    connection: InfluxDbConnection,
    limit_file_size: Callable[[int], None],
) -> None:
    random = Random(3)
    times = [minute * MINUTE_MS for minute in range(10_000)]
    pages: dict[Series, pl.DataFrame] = {}

    def write_until_full(store: InfluxDbStore) -> None:
        for number in range(200):
            series = Series(f"exchange{number}", BITCOIN, Timeframe(1))
            values = [random.random() for _ in times]
            candles = pl.DataFrame(
                {**dict.fromkeys(EXCHANGE_CANDLES, values), "open_time_ms": times},
                schema=EXCHANGE_CANDLES,
            )
            put(store, series, candles, covering(IntervalSet.of(0, number + 1)))
            pages[series] = candles

    with closing(InfluxDbStore(connection, patience=IMPATIENT)) as store:
        store.check()
        limit_file_size(5_000_000)
        with pytest.raises(StoreUnavailableError, match="file too large") as caught:
            write_until_full(store)
        assert "bucket 'candles'" in str(caught.value)
        assert len(pages) > 1

        limit_file_size(resource.RLIM_INFINITY)
        influxd.kill()
        influxd.start()

        records = store.read_records()
        for number, (series, candles) in enumerate(pages.items()):
            assert store.read_candles(series, EVERYTHING).equals(candles)
            assert records[series] == covering(IntervalSet.of(0, number + 1))
        assert records.keys() == pages.keys()
        write_page(store, 0)
        assert_holds(store, 1)
