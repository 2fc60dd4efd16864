"""What dashboards find in a bucket, and how runs are kept there."""

import polars as pl
from bucket_points import KRAKEN, MERGED, MINUTE_MS, START_MS, candles, merged_candles, points
from influxd import InfluxServer
from storing import covering, keep, put

from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import IntervalSet
from candle_ingestor.model.series_record import (
    NOTHING_KNOWN,
)
from candle_ingestor.stores.influxdb.connection import InfluxDbConnection
from candle_ingestor.stores.influxdb.store import InfluxDbStore


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
