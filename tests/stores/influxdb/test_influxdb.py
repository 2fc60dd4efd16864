"""What is InfluxDB's own: its refusals, its texts, its other users."""

import polars as pl
import pytest
from bucket_points import (
    BITCOIN,
    DAY_MS,
    EVERYTHING,
    KRAKEN,
    MERGED,
    MINUTE_MS,
    SHORT_RECORD,
    START_MS,
    candles,
    merged_candles,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from influxd import InfluxServer
from storing import covering, put, remove

from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import (
    NOTHING_KNOWN,
)
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.stores.base import SeriesChange, StoreRefusedError
from candle_ingestor.stores.influxdb.connection import InfluxDbConnection
from candle_ingestor.stores.influxdb.store import InfluxDbStore

WEEK_MS = 7 * DAY_MS


def test_candles_with_the_tags_of_another_program_are_an_error(
    store: InfluxDbStore, influx_server: InfluxServer, bucket: InfluxDbConnection
) -> None:
    put(store, KRAKEN, candles(3))
    tags = "currency_pair=BTC/USD,exchange=kraken,timeframe=1m,host=a"
    influx_server.write(
        bucket.bucket,
        f"exchange_candles,{tags} open=1,high=1,low=1,close=1,volume=1 {START_MS * 1_000_000}",
    )

    with pytest.raises(StoreRefusedError, match=r"candles of kraken BTC/USD 1m .*another program"):
        store.read_candles(KRAKEN, EVERYTHING)
    with pytest.raises(StoreRefusedError, match=r"candles of kraken BTC/USD 1m .*another program"):
        store.read_newest([KRAKEN], START_MS)


def test_candles_that_lack_a_field_are_an_error(
    store: InfluxDbStore, influx_server: InfluxServer, bucket: InfluxDbConnection
) -> None:
    put(store, KRAKEN, candles(3))
    tags = "currency_pair=BTC/USD,exchange=kraken,timeframe=1m"
    influx_server.write(
        bucket.bucket, f"exchange_candles,{tags} open=1 {(START_MS - MINUTE_MS) * 1_000_000}"
    )

    with pytest.raises(StoreRefusedError, match="another program"):
        store.read_candles(KRAKEN, EVERYTHING)


def test_rejected_lines_are_told_and_the_others_are_written(
    store: InfluxDbStore, influx_server: InfluxServer, bucket: InfluxDbConnection
) -> None:
    """Types are fixed a week at a time: here another program made `volume` an integer in one."""
    second_week_ms = (START_MS // WEEK_MS + 1) * WEEK_MS
    influx_server.write(
        bucket.bucket,
        f"exchange_candles,currency_pair=X volume=1i {(second_week_ms + DAY_MS) * 1_000_000}",
    )
    first_ms = second_week_ms - second_week_ms % WEEK_MS + 4 * DAY_MS - 5 * MINUTE_MS
    page = pl.concat([candles(5, first_ms - 7 * DAY_MS), candles(4, second_week_ms + DAY_MS)])

    with pytest.raises(StoreRefusedError) as caught:
        put(store, KRAKEN, page)

    rejected = second_week_ms + DAY_MS
    for part in (
        "4 of 9 lines of kraken BTC/USD 1m",
        f"volume=0.5 {rejected};",
        f"volume=2.5 {rejected + 2 * MINUTE_MS};",
        "field type conflict",
        bucket.bucket,
        "another --influxdb_bucket",
    ):
        assert part in str(caught.value)
    assert store.read_candles(KRAKEN, EVERYTHING).equals(page.head(5))


def test_rejected_lines_are_told_where_a_request_is_of_many_series(
    store: InfluxDbStore, influx_server: InfluxServer, bucket: InfluxDbConnection
) -> None:
    influx_server.write(bucket.bucket, f"candles,currency_pair=X volume=1i {START_MS * 1_000_000}")

    with pytest.raises(StoreRefusedError, match="4 of 4 lines of aggregated BTC/USD 1m"):
        store.replace(
            [
                SeriesChange(KRAKEN, SHORT_RECORD, candles(3), cautious=NOTHING_KNOWN),
                SeriesChange(MERGED, SHORT_RECORD, merged_candles(4)),
            ]
        )

    assert store.read_candles(KRAKEN, EVERYTHING).equals(candles(3))
    assert store.read_records() == {KRAKEN: NOTHING_KNOWN}


def test_a_deleted_candle_can_be_written_again(store: InfluxDbStore) -> None:
    for _ in range(3):
        put(store, KRAKEN, candles(5))
        remove(store, KRAKEN, [START_MS + minute * MINUTE_MS for minute in (0, 1, 2, 4)])
        assert store.read_candles(KRAKEN, EVERYTHING).equals(candles(5)[3:4])
    put(store, KRAKEN, candles(5))

    assert store.read_candles(KRAKEN, EVERYTHING).equals(candles(5))


def test_a_month_is_read_whole(store: InfluxDbStore) -> None:
    month = candles(43_200)

    put(store, KRAKEN, month)

    assert store.read_candles(KRAKEN, EVERYTHING).equals(month)


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(texts, texts, st.integers(-(2**63), 2**63 - 1))
def test_any_text_names_state(store: InfluxDbStore, service: str, key: str, value: int) -> None:
    store.write_state(service, {key: value})

    assert store.read_state(service)[key] == value


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(texts, min_size=1, max_size=3))
def test_any_text_names_an_exchange(store: InfluxDbStore, exchanges: list[str]) -> None:
    series = sorted({Series(exchange, BITCOIN, Timeframe(1)) for exchange in exchanges})
    records = {
        one: covering(IntervalSet.of(0, (number + 1) * MINUTE_MS))
        for number, one in enumerate(series)
    }

    for number, one in enumerate(series):
        put(store, one, candles(number + 1), records[one])

    found = store.read_records()
    assert {one: found[one] for one in series} == records
    newest = store.read_newest(series, START_MS)
    for number, one in enumerate(series):
        assert store.read_candles(one, EVERYTHING).equals(candles(number + 1))
        assert newest[one].equals(candles(number + 1))
        assert store.last_open_ms(one, 2**60) == START_MS + number * MINUTE_MS
        remove(store, one, candles(number + 1)["open_time_ms"])
        assert store.read_candles(one, EVERYTHING).is_empty()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(texts, min_size=1, max_size=20))
def test_any_text_is_provenance(store: InfluxDbStore, sources: list[str]) -> None:
    written = merged_candles(len(sources)).with_columns(
        pl.Series("source_exchanges", sources, dtype=pl.String())
    )

    put(store, MERGED, written)

    found = store.read_candles(MERGED, Interval(START_MS, START_MS + len(sources) * MINUTE_MS))
    assert found["source_exchanges"].to_list() == sources
