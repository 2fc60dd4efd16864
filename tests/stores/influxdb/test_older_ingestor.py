"""A bucket in which an older ingestor left its state and its candles."""

import csv
import io
from contextlib import closing

import pytest
from bucket_points import DAY_MS, EVERYTHING, MERGED, MINUTE_MS, START_MS, merged_candles, points
from influxd import InfluxServer
from storing import put, remove

from candle_ingestor.model.candles import MERGED_CANDLES
from candle_ingestor.stores.influxdb.connection import InfluxDbConnection
from candle_ingestor.stores.influxdb.store import InfluxDbStore


@pytest.fixture
def old_bucket(influx_server: InfluxServer, bucket: InfluxDbConnection) -> InfluxDbConnection:
    """As an older ingestor left it: no timeframe on candles, state at its server's time."""
    influx_server.write(
        bucket.bucket,
        *(
            f"candles,currency_pair=BTC/USD open=1,high=2,low=0.5,close=1.5,volume={minute} "
            f"{START_MS + minute * MINUTE_MS}"
            for minute in range(5)
        ),
        *(
            "processing_state,service_identifier=ingestor,key=BTC/USD-catch_up "
            f"last_processed_timestamp_ms={START_MS + run * MINUTE_MS}i {START_MS + run * 61_003}"
            for run in range(5)
        ),
        precision="ms",
    )
    influx_server.write(
        bucket.bucket,
        "processing_state,service_identifier=ingestor,key=BTC/USD-backfill "
        f"last_processed_timestamp_ms={START_MS}i {START_MS * 1_000_000 + 123_456_789}",
        "processing_state,service_identifier=another,key=BTC/USD-backfill "
        f"last_processed_timestamp_ms=7i {START_MS * 1_000_000 + 1}",
    )
    return bucket


def test_the_newest_state_of_an_older_ingestor_is_honoured(
    store: InfluxDbStore, old_bucket: InfluxDbConnection
) -> None:
    assert store.read_state("ingestor") == {
        "BTC/USD-catch_up": START_MS + 4 * MINUTE_MS,
        "BTC/USD-backfill": START_MS,
    }


@pytest.mark.parametrize("is_read_first", [True, False])
def test_new_state_wins_over_an_older_ingestors_for_every_reader(
    store: InfluxDbStore,
    influx_server: InfluxServer,
    old_bucket: InfluxDbConnection,
    is_read_first: bool,
) -> None:
    if is_read_first:
        store.read_state("ingestor")
    state = {"BTC/USD-backfill": 5, "BTC/USD-catch_up": 6, "ETH/USD-catch_up": 7}

    store.write_state("ingestor", dict.fromkeys(state, 4))
    store.write_state("ingestor", state)

    assert store.read_state("ingestor") == state
    with closing(InfluxDbStore(old_bucket)) as another:
        assert another.read_state("ingestor") == state
    assert store.read_state("another") == {"BTC/USD-backfill": 7}
    text = influx_server.flux(
        f'from(bucket: "{old_bucket.bucket}") |> range(start: 0)'
        ' |> filter(fn: (r) => r._measurement == "processing_state"'
        ' and r.service_identifier == "ingestor")'
        ' |> last() |> keep(columns: ["key", "_value"]) |> group() |> sort(columns: ["key"])'
    )
    assert [row["_value"] for row in csv.DictReader(io.StringIO(text.strip()))] == ["5", "6", "7"]


def test_an_update_of_state_adds_no_point(
    store: InfluxDbStore, influx_server: InfluxServer, old_bucket: InfluxDbConnection
) -> None:
    before = len(points(influx_server, old_bucket, "processing_state"))

    for value in range(5):
        store.write_state("ingestor", {"BTC/USD-catch_up": value, "new": value})

    rows = points(influx_server, old_bucket, "processing_state")
    assert len(rows) == before + 1
    assert [row["_time"] for row in rows if row["key"] == "new"] == ["1970-01-01T00:00:00Z"]


def test_an_older_ingestors_later_state_is_newer(
    store: InfluxDbStore, influx_server: InfluxServer, old_bucket: InfluxDbConnection
) -> None:
    store.write_state("ingestor", {"BTC/USD-catch_up": 1})
    influx_server.write(
        old_bucket.bucket,
        "processing_state,service_identifier=ingestor,key=BTC/USD-catch_up "
        f"last_processed_timestamp_ms=99i {START_MS + DAY_MS}",
        precision="ms",
    )

    assert store.read_state("ingestor")["BTC/USD-catch_up"] == 99


def test_candles_of_an_older_ingestor_are_left_alone(
    store: InfluxDbStore, influx_server: InfluxServer, old_bucket: InfluxDbConnection
) -> None:
    def old_candles() -> list[dict[str, str]]:
        rows = points(influx_server, old_bucket, "candles")
        return [row for row in rows if not row.get("timeframe")]

    before = old_candles()
    assert len(before) == 5
    assert store.read_candles(MERGED, EVERYTHING).is_empty()
    assert store.read_newest([MERGED], 0)[MERGED].is_empty()
    assert store.last_open_ms(MERGED, 2**60) is None

    put(store, MERGED, merged_candles(3))
    assert store.read_candles(MERGED, EVERYTHING).select(MERGED_CANDLES.keys()).height == 3
    remove(store, MERGED, [START_MS + minute * MINUTE_MS for minute in range(5)])

    assert store.read_candles(MERGED, EVERYTHING).is_empty()
    assert old_candles() == before
