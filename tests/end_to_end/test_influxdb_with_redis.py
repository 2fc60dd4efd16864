"""The production pair: symbols, markets and the run lock in Redis, candles in InfluxDB."""

import json
import signal
from typing import Any

import pytest
from bucket_contents import contents_of
from influxd import InfluxServer
from logged import levels_of

from candle_ingestor.stores.influxdb.connection import InfluxDbConnection
from exchange_simulator import ExchangeSimulator, Fault

EXCHANGES = ("coinbaseexchange", "binanceus")
KEY = "top_cryptocurrencies"
DEPENDENCY_DOWN = 3
ANOTHER_RUN_HOLDS_THE_LOCK = 75
HOSTILE = (
    "BTC/USD'; DROP MEASUREMENT candles; --",
    'BTC/USD" OR 1=1 --',
    "${x}",
    '${import "os"}/USD',
    "BTC/USD\nprocessing_state,key=x last_processed_timestamp_ms=0i",
    "BTC/USD\r\nE0000 forged line",
    "BTC/USD,timeframe=1m open=0",
    "BTC\\/USD",
    "BTC/USD\x00",
    "\x1b[2J/USD",
    "../../etc/passwd",
    "'",
    '"',
    "`BTC`/USD",
    "BTC/USD) |> yield(",
    {"symbol": "ETH/USD' OR ''='"},
    "B" * 5_000,
)


@pytest.fixture
def market(simulate: Any, ms_of: Any) -> ExchangeSimulator:
    simulator: ExchangeSimulator = simulate(
        now_ms=ms_of("2024-05-03T02:00:10"), exchanges=EXCHANGES
    )
    return simulator


@pytest.fixture
def job(
    new_influxdb_job: Any,
    market: ExchangeSimulator,
    bucket: InfluxDbConnection,
    redis_client: Any,
    redis_server: Any,
) -> Any:
    """A job for a day of hours of the symbols in Redis."""
    redis_client.set(KEY, '["BTC/USD"]')
    one = new_influxdb_job(
        bucket,
        now=market.clock.now_ms(),
        exchanges=",".join(EXCHANGES),
        backfill_start_date="2024-05-02",
        candle_granularity_minutes=60,
    )
    one.environment |= {
        "REDIS_HOST": redis_server.host,
        "REDIS_PORT": str(redis_server.port),
        "REDIS_PASSWORD": redis_server.password,
    }
    one.use(market)
    return one


def test_hostile_symbols_are_named_and_skipped_and_touch_nothing(
    job: Any, redis_client: Any, influx_server: InfluxServer, bucket: InfluxDbConnection
) -> None:
    job.run_well()
    before = contents_of(influx_server, bucket.bucket)
    files = job.stored.files()
    assert len(before["candles"]) == 26

    redis_client.set(KEY, json.dumps([*HOSTILE, "BTC/USD"]))
    finished = job.run_well()

    assert contents_of(influx_server, bucket.bucket) == before
    assert job.stored.files() == files
    assert [ticker["symbol"] for ticker in finished.report["tickers"]] == ["BTC/USD"]
    assert len(finished.report["rejected_symbols"]) == len(HOSTILE)
    assert f"1 symbol, {len(HOSTILE)} passed over" in finished.errors
    lines = finished.errors.splitlines()
    assert sum("passed over '" in line or 'passed over "' in line for line in lines) >= 16
    # Each stays on a line of its own, cut and without control characters.
    assert set(levels_of(finished.errors)) == {"INFO", "WARNING"}
    assert all(line.isprintable() and len(line) < 500 for line in lines)

    redis_client.set(KEY, json.dumps(HOSTILE))
    finished = job.run()
    assert finished.exit_code == DEPENDENCY_DOWN
    assert KEY in finished.complaint
    assert contents_of(influx_server, bucket.bucket) == before


def test_of_two_runs_at_once_on_one_bucket_the_second_leaves(
    job: Any,
    market: ExchangeSimulator,
    redis_client: Any,
    at_candle_request: Any,
    influx_server: InfluxServer,
    bucket: InfluxDbConnection,
    new_influxdb_job: Any,
) -> None:
    market.set_faults([Fault("all", "stall", 1)])
    is_running = at_candle_request(market, 1, lambda: None)
    first = job.start(request_timeout_seconds=60)
    assert is_running.wait(30)
    elsewhere = new_influxdb_job(bucket, "elsewhere", **job.settings)
    elsewhere.environment |= job.environment

    for command in ("ingest", "merge"):
        second = elsewhere.run(command)
        assert second.exit_code == ANOTHER_RUN_HOLDS_THE_LOCK
        assert "another run holds the lock" in second.complaint
        assert f"process {first.pid} " in second.complaint
    assert first.poll() is None

    first.send_signal(signal.SIGTERM)
    assert job.finish(first).report["status"] == "stopped"
    market.set_faults([])
    elsewhere.run_well()  # A run that leaves gives the lock back at once.
    assert len(contents_of(influx_server, bucket.bucket)["candles"]) == 26
    assert redis_client.keys("*run_lock*") == []


def test_merge_and_export_need_no_redis_where_none_is_named(
    job: Any, closed_port: int, influx_server: InfluxServer, bucket: InfluxDbConnection
) -> None:
    job.run_well()
    before = contents_of(influx_server, bucket.bucket)
    files = job.stored.files()
    job.environment.pop("REDIS_HOST")
    job.environment["REDIS_PORT"] = str(closed_port)

    for command in ("merge", "export"):
        assert "BTC/USD" in job.run_well(command).output
    assert contents_of(influx_server, bucket.bucket) == before
    assert job.stored.files() == files


def test_merge_and_export_see_the_lock_of_a_run_whose_redis_nobody_named(
    job: Any, market: ExchangeSimulator, at_candle_request: Any
) -> None:
    # The run finds it at localhost, by default; the others look for none.
    job.environment.pop("REDIS_HOST")
    market.set_faults([Fault("all", "stall", 1)])
    is_running = at_candle_request(market, 1, lambda: None)
    first = job.start(request_timeout_seconds=60)
    assert is_running.wait(30)

    for command in ("merge", "export"):
        second = job.run(command)
        assert second.exit_code == ANOTHER_RUN_HOLDS_THE_LOCK
        assert f"process {first.pid} " in second.complaint
    first.send_signal(signal.SIGTERM)
    job.finish(first)


def test_a_run_whose_lock_is_lost_ends_and_says_what_happened(
    job: Any, market: ExchangeSimulator, own_redis: Any, at_candle_request: Any
) -> None:
    """Redis is killed, and started again without its data."""
    job.settings["symbols"] = "BTC/USD"
    job.environment["REDIS_PORT"] = str(own_redis.connection.port)
    market.set_faults([Fault("all", "stall", 1)])
    is_running = at_candle_request(market, 1, lambda: None)
    process = job.start(request_timeout_seconds=60)
    assert is_running.wait(30)
    own_redis.end()
    own_redis.empty()
    own_redis.start()
    finished = job.finish(process)

    assert finished.exit_code == DEPENDENCY_DOWN
    assert "is lost: it is gone from Redis: its key was removed, or Redis has lost its data" in (
        finished.complaint
    )
    assert "what it stored is whole, and the next run goes on from there" in finished.complaint
    assert finished.complaint.count("goes on from there") == 1
    assert finished.report["status"] == "failed"
    assert finished.report["stop_reason"] == "the loss of its run lock"
    market.set_faults([])
    assert job.run_well().report["status"] == "ok"


def test_the_markets_are_asked_for_once_and_then_come_from_redis(
    job: Any, market: ExchangeSimulator, redis_client: Any, bucket: Any, new_influxdb_job: Any
) -> None:
    first = job.run_well()
    assert all(market.requests.other_request_count(exchange) > 0 for exchange in EXCHANGES)
    keys = redis_client.keys("candle_ingestor:markets:*")
    assert len(keys) == len(EXCHANGES), first.errors
    assert all(redis_client.ttl(key) > 0 for key in keys)
    assert not list(job.folder.rglob("*markets_cache*"))

    market.requests.reset()
    elsewhere = new_influxdb_job(bucket, "elsewhere", **job.settings)
    elsewhere.environment |= job.environment
    # Its clock begins anew: a minute later, lest it start before the first run did.
    second = elsewhere.run_well(now=market.clock.now_ms() + 60_000)
    asked = [market.requests.other_request_count(exchange) for exchange in EXCHANGES]
    assert asked == [0] * len(EXCHANGES), second.errors
