"""What is InfluxDB's own: its measurements, its times, its other users."""

import csv
import io
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from influxd import InfluxServer
from storing import covering, keep, put, remove

from candle_ingestor.model.candle_counts import CandleCounts
from candle_ingestor.model.candles import EXCHANGE_CANDLES, MERGED_CANDLES
from candle_ingestor.model.gap_notes import GapNote, GapNotes
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.merge_rules import MergeRules
from candle_ingestor.model.months import Month
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import (
    NOTHING_KNOWN,
    Coverage,
    Exports,
    MergeBasis,
    Merging,
    SeriesRecord,
)
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.stores.base import SeriesChange, StoreRefusedError
from candle_ingestor.stores.influxdb.connection import InfluxDbConnection
from candle_ingestor.stores.influxdb.parts import PART_LENGTH, TextInParts
from candle_ingestor.stores.influxdb.patience import Patience
from candle_ingestor.stores.influxdb.store import FAR_FUTURE_NS, InfluxDbStore

MINUTE_MS = 60_000
DAY_MS = 86_400_000
WEEK_MS = 7 * DAY_MS
START_MS = 1_700_000_040_000
BITCOIN = Symbol("BTC", "USD")
KRAKEN = Series("kraken", BITCOIN, Timeframe(1))
MERGED = Series.merged(BITCOIN, Timeframe(1))
EVERYTHING = Interval(0, 2**60)
LONG_RECORD = covering(
    IntervalSet((2 * n * MINUTE_MS, (2 * n + 1) * MINUTE_MS) for n in range(20_000))
)
SHORT_RECORD = covering(IntervalSet.of(0, MINUTE_MS))


def candles(row_count: int, start_ms: int = START_MS) -> pl.DataFrame:
    times = [start_ms + minute * MINUTE_MS for minute in range(row_count)]
    values = [minute + 0.5 for minute in range(row_count)]
    return pl.DataFrame(
        {**dict.fromkeys(EXCHANGE_CANDLES, values), "open_time_ms": times},
        schema=EXCHANGE_CANDLES,
    )


def merged_candles(row_count: int) -> pl.DataFrame:
    return candles(row_count).with_columns(
        pl.lit("kraken,binance").alias("source_exchanges"),
        pl.lit(2, pl.Int64()).alias("exchange_count"),
    )


@pytest.fixture
def store(bucket: InfluxDbConnection) -> Iterator[InfluxDbStore]:
    with closing(InfluxDbStore(bucket, patience=Patience(sleep=lambda _: None))) as store:
        yield store


def points(
    server: InfluxServer, bucket: InfluxDbConnection, measurement: str, stop: str = "now()"
) -> list[dict[str, str]]:
    """What Flux shows of a measurement, a row a point, as a dashboard reads it."""
    text = server.flux(
        f'from(bucket: "{bucket.bucket}") |> range(start: 0, stop: {stop})'
        f' |> filter(fn: (r) => r._measurement == "{measurement}")'
        ' |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")'
        ' |> drop(columns: ["_start", "_stop", "_measurement"])'
    )
    return [
        {name: value for name, value in row.items() if name not in ("", "result", "table")}
        for table in text.replace("\r", "").split("\n\n")
        for row in csv.DictReader(io.StringIO(table.strip()))
    ]


def test_a_dashboard_finds_merged_candles_by_pair_and_timeframe(
    store: InfluxDbStore, influx_server: InfluxServer, bucket: InfluxDbConnection
) -> None:
    put(store, MERGED, merged_candles(1))

    assert points(influx_server, bucket, "candles") == [
        {
            "_time": "2023-11-14T22:14:00Z",
            "currency_pair": "BTC/USD",
            "timeframe": "1m",
            **dict.fromkeys(("open", "high", "low", "close", "volume"), "0.5"),
            "exchange_count": "2",
            "source_exchanges": "kraken,binance",
        }
    ]


def test_a_dashboard_finds_each_exchanges_candles(
    store: InfluxDbStore, influx_server: InfluxServer, bucket: InfluxDbConnection
) -> None:
    put(store, KRAKEN, candles(1))

    assert points(influx_server, bucket, "exchange_candles") == [
        {
            "_time": "2023-11-14T22:14:00Z",
            "exchange": "kraken",
            "currency_pair": "BTC/USD",
            "timeframe": "1m",
            **dict.fromkeys(("open", "high", "low", "close", "volume"), "0.5"),
        }
    ]


def test_whole_numbers_stay_in_float_fields(
    store: InfluxDbStore, influx_server: InfluxServer, bucket: InfluxDbConnection
) -> None:
    """An integer field would refuse the next price."""
    whole = candles(2).with_columns(pl.lit(50_000.0).alias("open"), pl.lit(0.0).alias("volume"))

    put(store, KRAKEN, whole)
    put(store, KRAKEN, candles(2))

    types = influx_server.flux(
        f'from(bucket: "{bucket.bucket}") |> range(start: 0)'
        ' |> filter(fn: (r) => r._measurement == "exchange_candles") |> map(fn: (r) => '
        "({_value: r._value / 2.0})) |> count()"
    )
    assert "error" not in types


def test_a_dashboard_finds_how_much_of_a_series_is_known(
    store: InfluxDbStore, influx_server: InfluxServer, bucket: InfluxDbConnection
) -> None:
    record = covering(
        IntervalSet([(MINUTE_MS, 3 * MINUTE_MS), (5 * MINUTE_MS, 6 * MINUTE_MS)]),
        provisional=IntervalSet.of(5 * MINUTE_MS, 6 * MINUTE_MS),
        reasons={GapReason.REJECTED: IntervalSet.of(3 * MINUTE_MS, 4 * MINUTE_MS)},
    )
    keep(store, {KRAKEN: record})
    keep(store, {MERGED: NOTHING_KNOWN})

    found = {row["exchange"]: row for row in points(influx_server, bucket, "candle_coverage")}

    assert found["kraken"]["_time"] == "1970-01-01T00:00:00Z"
    assert {name: found["kraken"][name] for name in found["kraken"] if name.endswith("_ms")} == {
        "covered_from_ms": "60000",
        "covered_until_ms": "360000",
        "covered_ms": "180000",
        "provisional_ms": "60000",
        "not_fetched_ms": "0",
        "fetch_failed_ms": "0",
        "beyond_reach_ms": "0",
        "not_listed_yet_ms": "0",
        "rejected_ms": "60000",
        "below_minimum_ms": "0",
    }
    assert found["kraken"]["interval_count"] == "2"
    assert found["kraken"]["intervals"].startswith(
        '{"format_version":2,"coverage":{"covered":[[60000,180000]'
    )
    assert found["aggregated"]["covered_ms"] == "0"


def test_a_dashboard_finds_a_runs_figures(
    store: InfluxDbStore, influx_server: InfluxServer, bucket: InfluxDbConnection
) -> None:
    source = {"requests": 3, "candles": 300, "revised": 1, "rejected": 2, "excluded": 4}
    source |= {"retries": 5, "failed_pages": 1}
    ticker = {
        "symbol": "BTC/USD",
        "errors": ["x"],
        "merged_candles": 290,
        "gap_candles": {"rejected": 2, "fetch_failed": 7},
        "exchanges": {"kraken": source, "binance": source},
    }
    report = {
        "run_id": "a",
        "started_ms": START_MS,
        "status": "failed",
        "seconds": 12,
        "dropped_symbols": {"A/B": ["kraken"]},
        "unavailable_exchanges": {},
        "tickers": [ticker, ticker | {"errors": []}],
    }

    store.write_run(report)

    (row,) = points(influx_server, bucket, "ingestion_runs")
    assert row.pop("_time").startswith("2023-11-14T22:14:00.")
    assert {name: value for name, value in row.items() if not name.startswith("report_")} == {
        "status": "failed",
        "run_id": "a",
        "seconds": "12",
        "tickers": "2",
        "failed_tickers": "1",
        "dropped_symbols": "1",
        "unavailable_exchanges": "0",
        "requests": "12",
        "candles": "1200",
        "revised": "4",
        "rejected": "8",
        "excluded": "16",
        "retries": "20",
        "failed_pages": "4",
        "merged_candles": "580",
        "gap_candles": "18",
        "command": "ingest",
    }


def test_runs_that_start_in_the_same_millisecond_are_told_apart(store: InfluxDbStore) -> None:
    reports = [{"run_id": f"r{n}", "started_ms": START_MS, "status": "ok"} for n in range(5)]

    for report in reports:
        store.write_run(report)

    assert sorted(store.read_runs(10), key=lambda run: run["run_id"]) == reports
    assert len(store.read_runs(2)) == 2
    assert store.read_runs(0) == []


def test_a_run_report_of_any_length_survives(store: InfluxDbStore) -> None:
    report = {
        "run_id": "long",
        "started_ms": START_MS,
        "status": "ok",
        "errors": ['ü"\\\n' * 70_000],
    }

    store.write_run(report)
    assert store.read_runs(1) == [report]
    store.write_run(report | {"errors": []})

    assert store.read_runs(1) == [report | {"errors": []}]


def test_the_end_of_a_run_replaces_its_beginning_and_no_other_run(
    store: InfluxDbStore, influx_server: InfluxServer, bucket: InfluxDbConnection
) -> None:
    begun = {"run_id": "a", "started_ms": START_MS, "status": "running"}
    other = {"run_id": "b", "started_ms": START_MS, "status": "running"}
    store.write_run(begun)
    store.write_run(other)

    store.write_run(begun | {"status": "ok"})

    statuses = {
        (row["run_id"], row["status"]) for row in points(influx_server, bucket, "ingestion_runs")
    }
    assert statuses == {("a", "ok"), ("b", "running")}


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


NOW_MS = int(time.time() * 1000) // MINUTE_MS * MINUTE_MS


@pytest.fixture
def short_lived(influx_server: InfluxServer) -> Iterator[InfluxDbConnection]:
    """An empty bucket that keeps points for 30 days."""
    with influx_server.bucket(retention_seconds=30 * 86_400) as connection:
        yield connection


def test_records_outlive_what_the_bucket_drops(
    influx_server: InfluxServer, short_lived: InfluxDbConnection
) -> None:
    report = {"run_id": "a", "started_ms": NOW_MS, "status": "ok"}
    with closing(InfluxDbStore(short_lived)) as store:
        store.check()
        keep(store, {KRAKEN: LONG_RECORD})
        keep(store, {KRAKEN: SHORT_RECORD})
        store.write_state("s", {"k": 1})
        store.write_state("s", {"k": 2})
        store.write_run(report)

    with closing(InfluxDbStore(short_lived)) as store:
        assert store.read_records() == {KRAKEN: SHORT_RECORD}
        assert store.read_state("s") == {"k": 2}
        assert store.read_runs(2) == [report]
    rows = points(influx_server, short_lived, "processing_state", stop="2201-01-01T00:00:00Z")
    assert [row["_time"] for row in rows] == ["2200-01-01T00:00:00Z"]
    assert FAR_FUTURE_NS == 7_258_118_400 * 10**9


def test_candles_beyond_the_retention_are_rejected_aloud(short_lived: InfluxDbConnection) -> None:
    page = pl.concat([candles(2, NOW_MS - 31 * DAY_MS), candles(3, NOW_MS - DAY_MS)])

    with closing(InfluxDbStore(short_lived)) as store:
        with pytest.raises(StoreRefusedError) as caught:
            put(store, KRAKEN, page)

        assert store.read_candles(KRAKEN, EVERYTHING).equals(page.tail(3))
    for part in ("2 of 5 lines", "lengthen the bucket's retention", "--backfill_start_date"):
        assert part in str(caught.value)


def test_what_the_bucket_has_dropped_is_no_longer_covered(short_lived: InfluxDbConnection) -> None:
    """Else a minute whose candle is gone would read as one without a trade."""
    horizon_ms = NOW_MS - 30 * DAY_MS
    span = IntervalSet.of(horizon_ms - DAY_MS, horizon_ms + DAY_MS)
    gone = IntervalSet.of(horizon_ms - DAY_MS, horizon_ms)
    kept = IntervalSet.of(horizon_ms, horizon_ms + DAY_MS)
    bases = [MergeBasis(MergeRules((name,), 1), ()) for name in ("kraken", "binance", "bitstamp")]
    this_month, long_ago = Month.of(horizon_ms), Month(2017, 1)
    record = SeriesRecord(
        coverage=Coverage(span, span, {GapReason.REJECTED: IntervalSet.of(0, MINUTE_MS)}),
        merging=Merging(bases[0], ((bases[1], gone), (bases[2], kept)), gone | kept),
        exports=Exports({"a": {long_ago: long_ago.start_ms, this_month: horizon_ms}}, (2, 8)),
        counts=CandleCounts(
            {long_ago: 3, this_month: 4, this_month.following(): 5},
            frozenset({long_ago.following()}),
        ),
        gap_notes=GapNotes((GapNote(span, GapReason.REJECTED, 1),)),
    )
    with closing(InfluxDbStore(short_lived, now_ms=lambda: NOW_MS)) as store:
        keep(store, {MERGED: record})

        assert store.read_records() == {
            MERGED: SeriesRecord(
                coverage=Coverage(kept, kept, record.coverage.reasons),
                merging=Merging(bases[0], ((bases[2], kept),), kept),
                exports=Exports({"a": {this_month: horizon_ms}}, (2, 8)),
                counts=CandleCounts({this_month.following(): 5}, frozenset({this_month})),
                gap_notes=GapNotes((GapNote(kept, GapReason.REJECTED, 1),)),
            )
        }
        assert store.keeps_from_ms == horizon_ms


def test_a_change_of_retention_brings_no_old_record_back(
    influx_server: InfluxServer, bucket: InfluxDbConnection
) -> None:
    (found,) = influx_server.answer("GET", f"/api/v2/buckets?name={bucket.bucket}")["buckets"]

    def keep_for(seconds: int) -> None:
        rules = [{"type": "expire", "everySeconds": seconds}]
        influx_server.answer("PATCH", f"/api/v2/buckets/{found['id']}", {"retentionRules": rules})

    records = [covering(IntervalSet.of(0, (number + 1) * MINUTE_MS)) for number in range(4)]
    for record, seconds in zip(records, (0, 30 * 86_400, 0, 60 * 86_400), strict=True):
        keep_for(seconds)
        with closing(InfluxDbStore(bucket)) as store:
            keep(store, {KRAKEN: record})
            store.write_state("s", {"k": record.covered.end_ms})
        with closing(InfluxDbStore(bucket)) as store:
            assert store.read_records() == {KRAKEN: record}
            assert store.read_state("s") == {"k": record.covered.end_ms}


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
