"""Records of series in a bucket: in parts, damaged, and read while they are written."""

import threading
from contextlib import closing
from dataclasses import replace

import pytest
from bucket_points import KRAKEN, LONG_RECORD, MERGED, SHORT_RECORD, points
from influxd import InfluxServer
from storing import keep

from candle_ingestor.model.candle_counts import CandleCounts
from candle_ingestor.model.months import Month
from candle_ingestor.stores.base import StoreRefusedError
from candle_ingestor.stores.influxdb.connection import InfluxDbConnection
from candle_ingestor.stores.influxdb.parts import PART_LENGTH, TextInParts
from candle_ingestor.stores.influxdb.store import InfluxDbStore


def test_the_parts_of_a_longer_record_are_not_taken_for_the_shorter_ones(
    store: InfluxDbStore, influx_server: InfluxServer, bucket: InfluxDbConnection
) -> None:
    keep(store, {KRAKEN: LONG_RECORD})
    parts = points(influx_server, bucket, "candle_coverage")
    assert len(parts) > 5
    assert max(len(row["intervals"]) for row in parts) == PART_LENGTH

    for record in (SHORT_RECORD, LONG_RECORD, SHORT_RECORD):
        keep(store, {KRAKEN: record})
        assert store.read_records() == {KRAKEN: record}


def test_a_record_that_is_not_whole_is_an_error_and_never_empty(
    store: InfluxDbStore, influx_server: InfluxServer, bucket: InfluxDbConnection
) -> None:
    keep(store, {KRAKEN: LONG_RECORD, MERGED: SHORT_RECORD})
    path = f"/api/v2/delete?org={bucket.org}&bucket={bucket.bucket}"
    span = {"start": "1970-01-01T00:00:00Z", "stop": "1970-01-01T00:00:00Z"}
    influx_server.answer("POST", path, span | {"predicate": 'part="3"'})

    with pytest.raises(
        StoreRefusedError, match=r"coverage record of kraken BTC/USD 1m .*part 3 of"
    ):
        store.read_records()


def test_a_record_of_which_the_first_part_is_gone_is_an_error(
    store: InfluxDbStore, influx_server: InfluxServer, bucket: InfluxDbConnection
) -> None:
    keep(store, {KRAKEN: LONG_RECORD})
    path = f"/api/v2/delete?org={bucket.org}&bucket={bucket.bucket}"
    span = {"start": "1970-01-01T00:00:00Z", "stop": "1970-01-01T00:00:00Z"}
    influx_server.answer("POST", path, span | {"predicate": 'part="0"'})

    with pytest.raises(StoreRefusedError, match=r"coverage record of kraken BTC/USD 1m .*part 0"):
        store.read_records()


@pytest.mark.parametrize("text", ["", "{}", "not json", '{\\"format_version\\":2}'])
def test_a_damaged_record_is_an_error(
    store: InfluxDbStore, influx_server: InfluxServer, bucket: InfluxDbConnection, text: str
) -> None:
    keep(store, {KRAKEN: SHORT_RECORD})
    tags = "currency_pair=BTC/USD,exchange=kraken,part=0,timeframe=1m"
    influx_server.write(bucket.bucket, f'candle_coverage,{tags} intervals="{text}" 0')

    with pytest.raises(StoreRefusedError, match=r"coverage record of kraken BTC/USD 1m"):
        store.read_records()


def test_a_record_of_the_first_version_is_read_and_replaced(
    store: InfluxDbStore, influx_server: InfluxServer, bucket: InfluxDbConnection
) -> None:
    text = TextInParts.cut('{"format_version":1,"covered":[[0,60000]],"reasons":{}}')
    tags = "currency_pair=BTC/USD,exchange=kraken,part=0,timeframe=1m"
    (quoted,) = (part.replace('"', '\\"') for part in text.parts)
    influx_server.write(
        bucket.bucket,
        f'candle_coverage,{tags} intervals="{quoted}",part_count=1i,digest="{text.digest}" 0',
    )

    uncounted = CandleCounts(unknown=frozenset({Month(1970, 1)}))
    assert store.read_records() == {KRAKEN: replace(SHORT_RECORD, counts=uncounted)}
    keep(store, {KRAKEN: LONG_RECORD})

    assert store.read_records() == {KRAKEN: LONG_RECORD}


def test_points_that_name_no_series_are_an_error(
    store: InfluxDbStore, influx_server: InfluxServer, bucket: InfluxDbConnection
) -> None:
    influx_server.write(bucket.bucket, "candle_coverage,part=0 part_count=1i 0")

    with pytest.raises(StoreRefusedError, match="candle_coverage names no series"):
        store.read_records()


def test_a_reader_sees_the_record_before_or_the_record_after(
    store: InfluxDbStore, bucket: InfluxDbConnection
) -> None:
    """While a long and a short record replace each other."""
    keep(store, {KRAKEN: LONG_RECORD})
    finished = threading.Event()
    failures: list[BaseException] = []

    def write() -> None:
        try:
            for _ in range(15):
                keep(store, {KRAKEN: SHORT_RECORD})
                keep(store, {KRAKEN: LONG_RECORD})
        except BaseException as failure:  # noqa: BLE001
            failures.append(failure)
        finally:
            finished.set()

    thread = threading.Thread(target=write)
    thread.start()
    seen = 0
    with closing(InfluxDbStore(bucket)) as reader:
        while not finished.is_set():
            assert reader.read_records()[KRAKEN] in (SHORT_RECORD, LONG_RECORD)
            seen += 1
    thread.join()

    assert failures == []
    assert seen > 0


def test_a_damaged_series_name_is_an_error(
    store: InfluxDbStore, influx_server: InfluxServer, bucket: InfluxDbConnection
) -> None:
    tags = "currency_pair=BTC/USD,exchange=kraken,part=0,timeframe=often"
    influx_server.write(bucket.bucket, f"candle_coverage,{tags} part_count=1i 0")

    with pytest.raises(StoreRefusedError, match="'often' is not a timeframe"):
        store.read_records()
