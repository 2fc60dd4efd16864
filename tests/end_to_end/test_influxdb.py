"""Whole runs that store in a real InfluxDB, as production does."""

import gzip
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from bucket_contents import contents_of, lines_written, reads, runs_of
from influxd import InfluxdProcess, InfluxServer
from job_server import JobProcess
from misbehaving_proxy import Fault, MisbehavingProxy, Request

from candle_ingestor.stores.influxdb.connection import InfluxDbConnection
from exchange_simulator import (
    ExchangeSimulator,
    SimulatorClock,
    SimulatorConfig,
    running_simulator,
)

EXCHANGES = ("coinbaseexchange", "binanceus", "bitstamp")
SYMBOLS = ("BTC/USD", "ETH/USD")
SEED = 7
SAMPLES = Path(__file__).resolve().parents[1] / "data/market_minutes"
DEPENDENCY_DOWN = 3
MOST_SECONDS_TO_LEAVE = 20
DOES_NOT_SERVE = "does not serve"


class Undisturbed(NamedTuple):
    """What a run that nothing disturbs stores in SQLite."""

    stored: Any
    contents: dict[str, list[Any]]
    files: dict[str, bytes]


@pytest.fixture(scope="module")
def flags(ms_of: Any) -> dict[str, Any]:
    """Two days of two symbols, up to now."""
    return {
        "now": ms_of("2024-05-03T02:00:10"),
        "exchanges": ",".join(EXCHANGES),
        "symbols": ",".join(SYMBOLS),
        "backfill_start_date": "2024-05-01",
    }


@pytest.fixture
def market(simulate: Any, flags: dict[str, Any]) -> ExchangeSimulator:
    simulator: ExchangeSimulator = simulate(now_ms=flags["now"], exchanges=EXCHANGES, seed=SEED)
    return simulator


@pytest.fixture(scope="module")
def undisturbed(
    job_in: Any, tmp_path_factory: pytest.TempPathFactory, flags: dict[str, Any]
) -> Undisturbed:
    config = SimulatorConfig(exchanges=EXCHANGES, seed=SEED)
    job = job_in(tmp_path_factory.mktemp("undisturbed") / "job", **flags)
    with running_simulator(config, clock=SimulatorClock(flags["now"], frozen=True)) as market:
        job.use(market)
        job.run_well()
    return Undisturbed(job.stored, job.stored.contents(), job.stored.files())


@pytest.fixture
def job_into(
    new_influxdb_job: Any, market: ExchangeSimulator, flags: dict[str, Any]
) -> Callable[..., Any]:
    """`job_into(connection)`: a job that fills this bucket with what `flags` say."""

    def make(connection: InfluxDbConnection, **others: Any) -> Any:
        job = new_influxdb_job(connection, **(flags | others))
        job.use(market)
        return job

    return make


@pytest.fixture
def proxy(influx_server: InfluxServer) -> Iterator[MisbehavingProxy]:
    with MisbehavingProxy(influx_server.url).serving() as one:
        yield one


def request_count(market: ExchangeSimulator) -> int:
    return sum(market.requests.candle_request_count(exchange) for exchange in EXCHANGES)


def test_a_synthetic_market_is_stored_as_in_sqlite_and_a_second_run_changes_nothing(
    job_into: Any,
    market: ExchangeSimulator,
    influx_server: InfluxServer,
    bucket: InfluxDbConnection,
    proxy: MisbehavingProxy,
    undisturbed: Undisturbed,
    truth: Any,
    ms_of: Any,
) -> None:
    job = job_into(bucket)
    first = job.run_well()

    contents = contents_of(influx_server, bucket.bucket)
    assert contents == undisturbed.contents
    assert job.stored.files() == undisturbed.files
    assert not job.stored.sqlite_path.exists()
    span = (ms_of("2024-05-01"), ms_of("2024-05-03T02:00"))
    for symbol in SYMBOLS:
        series = {e: truth.exchange_candles(market, e, symbol, *span) for e in EXCHANGES}
        truth.assert_stored(undisturbed.stored.merged(symbol), truth.merged(series))
    assert runs_of(influx_server, bucket.bucket) == [first.report]

    market.requests.reset()
    second = job.run_well(influxdb_url=proxy.url)
    assert contents_of(influx_server, bucket.bucket) == undisturbed.contents
    assert job.stored.files() == undisturbed.files
    assert request_count(market) == len(EXCHANGES) * len(SYMBOLS)
    parts = [p for symbol in SYMBOLS for p in second.ticker(symbol)["exchanges"].values()]
    assert [part["candles"] for part in parts] == [0] * len(parts)
    assert not lines_written(proxy).keys() & {"candles", "exchange_candles", "candle_coverage"}


def test_a_recorded_market_is_stored_as_in_sqlite(
    new_job: Any,
    new_influxdb_job: Any,
    simulate: Any,
    ms_of: Any,
    influx_server: InfluxServer,
    bucket: InfluxDbConnection,
) -> None:
    market = simulate(now_ms=ms_of("2024-08-12"), recordings=(SAMPLES,))
    flags = {
        "now": "2024-08-12",
        "exchanges": "coinbaseexchange,binanceus,cryptocom,kraken",
        "symbols": "BTC/USD,BTC/USDC",
        "min_exchanges_required": 2,
        "max_price_deviation_pct": 0.5,
        "backfill_start_date": "2024-08-05",
        "backfill_end_date": "2024-08-07",
        "export_exchange_candles": "true",
    }
    in_sqlite = new_job("sqlite", **flags)
    in_influxdb = new_influxdb_job(bucket, **flags)
    for job in (in_sqlite, in_influxdb):
        job.use(market)
        job.run_well()

    contents = contents_of(influx_server, bucket.bucket)
    assert contents == in_sqlite.stored.contents()
    assert in_influxdb.stored.files() == in_sqlite.stored.files()
    assert len(contents["candles"]) == 2 * 1440
    assert {row[9] for row in contents["candles"]} > {"coinbaseexchange,binanceus,cryptocom"}


@pytest.fixture(scope="module")
def own_influxd(
    influxd_binary: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[InfluxdProcess]:
    """A server that a test may kill and must start again."""
    process = InfluxdProcess(influxd_binary, tmp_path_factory.mktemp("own_influxd"))
    try:
        process.start()
        yield process
    finally:
        process.stop()


def follow(process: JobProcess, on_outage: Callable[[], object]) -> tuple[int | None, list[str]]:
    """Exit code and log of a job; `on_outage` is called once, when it first says that it waits."""
    lines: list[str] = []
    for line in process.stderr:
        if DOES_NOT_SERVE in line and not any(DOES_NOT_SERVE in before for before in lines):
            on_outage()
        lines.append(line.rstrip("\n"))
    process.communicate()
    assert not any("Traceback" in line for line in lines), "\n".join(lines)
    return process.wait(), lines


@pytest.mark.parametrize("number", [1, 12])
def test_a_run_waits_for_a_server_that_is_killed_and_comes_back(
    job_into: Any,
    market: ExchangeSimulator,
    own_influxd: InfluxdProcess,
    at_candle_request: Any,
    undisturbed: Undisturbed,
    number: int,
) -> None:
    with own_influxd.server.bucket() as connection:
        job = job_into(connection)
        at_candle_request(market, number, own_influxd.kill)
        exit_code, lines = follow(job.start(), own_influxd.start)

        assert any(DOES_NOT_SERVE in line for line in lines)
        assert exit_code == 0, lines[-1]
        assert contents_of(own_influxd.server, connection.bucket) == undisturbed.contents
        assert job.stored.files() == undisturbed.files


@pytest.mark.parametrize("number", [8])
def test_a_run_whose_server_stays_away_fails_cleanly_and_the_next_one_completes_it(
    job_into: Any,
    market: ExchangeSimulator,
    own_influxd: InfluxdProcess,
    at_candle_request: Any,
    undisturbed: Undisturbed,
    number: int,
) -> None:
    with own_influxd.server.bucket() as connection:
        job = job_into(connection)
        at_candle_request(market, number, own_influxd.kill)
        process = job.start()
        told_to_stop: list[float] = []

        def tell_to_stop() -> None:
            told_to_stop.append(time.monotonic())
            process.send_signal(signal.SIGTERM)

        exit_code, lines = follow(process, tell_to_stop)
        assert time.monotonic() - told_to_stop[0] < MOST_SECONDS_TO_LEAVE
        assert exit_code == DEPENDENCY_DOWN
        assert f"InfluxDB at {connection.url}" in lines[-1]
        assert "check that it runs, and --influxdb_url" in lines[-1]
        own_influxd.start()
        rows = contents_of(own_influxd.server, connection.bucket)["exchange_candles"]
        assert set(rows) <= set(undisturbed.contents["exchange_candles"])

        job.run_well()
        assert contents_of(own_influxd.server, connection.bucket) == undisturbed.contents
        assert job.stored.files() == undisturbed.files


def test_a_run_told_to_stop_while_its_report_waits_for_the_server_leaves_in_time(
    job_into: Any, bucket: InfluxDbConnection, proxy: MisbehavingProxy
) -> None:
    def report_is_refused(request: Request) -> Fault:
        is_report = gzip.decompress(request.body).startswith(b"ingestion_runs")
        return Fault(status=503) if is_report else Fault(is_forwarded=True)

    proxy.always("/api/v2/write", report_is_refused)
    process = job_into(bucket, influxdb_url=proxy.url).start()
    told_to_stop: list[float] = []

    def tell_to_stop() -> None:
        told_to_stop.append(time.monotonic())
        process.send_signal(signal.SIGTERM)

    exit_code, lines = follow(process, tell_to_stop)
    assert time.monotonic() - told_to_stop[0] < MOST_SECONDS_TO_LEAVE
    assert exit_code == DEPENDENCY_DOWN
    assert any("Stopping (SIGTERM): finishing what is in hand" in line for line in lines)


STORMS = {
    "503": [Fault(status=503)] * 3,
    "429 with Retry-After": [Fault(status=429, headers={"Retry-After": "1"})] * 2,
    "answers that get lost": [Fault(is_forwarded=True, is_dropped=True)] * 3,
}


@pytest.mark.parametrize("storm", STORMS.values(), ids=STORMS.keys())
def test_a_storm_in_the_middle_of_a_run_is_waited_out(
    job_into: Any,
    market: ExchangeSimulator,
    influx_server: InfluxServer,
    bucket: InfluxDbConnection,
    proxy: MisbehavingProxy,
    at_candle_request: Any,
    undisturbed: Undisturbed,
    storm: list[Fault],
) -> None:
    def begin() -> None:
        proxy.next("/api/v2/write", *storm)
        proxy.next("/query", storm[0])

    job = job_into(bucket, influxdb_url=proxy.url)
    at_candle_request(market, 8, begin)
    finished = job.run_well()

    assert finished.errors.count(DOES_NOT_SERVE) == len(storm) + 1
    assert contents_of(influx_server, bucket.bucket) == undisturbed.contents
    assert job.stored.files() == undisturbed.files


def test_a_token_revoked_in_the_middle_of_a_run_ends_it_and_a_new_one_completes_it(
    job_into: Any,
    market: ExchangeSimulator,
    influx_server: InfluxServer,
    bucket: InfluxDbConnection,
    at_candle_request: Any,
    undisturbed: Undisturbed,
) -> None:
    (found,) = influx_server.answer("GET", f"/api/v2/buckets?name={bucket.bucket}")["buckets"]
    token = influx_server.make_token(found["id"], "read", "write")
    made = influx_server.answer("GET", "/api/v2/authorizations")["authorizations"]
    (token_id,) = (one["id"] for one in made if one["token"] == token)
    job = job_into(bucket)
    job.environment["INFLUXDB_TOKEN"] = token
    revoke = f"/api/v2/authorizations/{token_id}"
    at_candle_request(market, 8, lambda: influx_server.answer("DELETE", revoke))
    finished = job.run()

    assert finished.exit_code == DEPENDENCY_DOWN
    assert "401" in finished.complaint
    assert "--influxdb_token or INFLUXDB_TOKEN" in finished.complaint
    assert f"bucket '{bucket.bucket}'" in finished.complaint
    assert token not in finished.errors + finished.output
    assert finished.report["status"] == "failed"
    assert finished.report["error"] in finished.complaint
    # What was done until then is told.
    assert re.search(
        r"Run failed after .*: 0 of \d complete, .* of everything wanted is known", finished.output
    )
    assert "The same command goes on from there." in finished.output
    rows = contents_of(influx_server, bucket.bucket)["exchange_candles"]
    assert set(rows) <= set(undisturbed.contents["exchange_candles"])

    job.environment["INFLUXDB_TOKEN"] = bucket.token
    job.run_well()
    assert contents_of(influx_server, bucket.bucket) == undisturbed.contents
    assert job.stored.files() == undisturbed.files


def test_fifty_symbols_that_are_up_to_date_cost_three_reads_of_state_and_coverage(
    new_influxdb_job: Any,
    simulate: Any,
    ms_of: Any,
    bucket: InfluxDbConnection,
    proxy: MisbehavingProxy,
) -> None:
    symbols = tuple(f"T{number:02d}/USD" for number in range(50))
    now_ms = ms_of("2024-05-03T02:00:10")
    market = simulate(now_ms=now_ms, exchanges=EXCHANGES[:2], symbols=symbols, synthetic_days=1)
    job = new_influxdb_job(
        bucket,
        now=now_ms,
        exchanges=",".join(EXCHANGES[:2]),
        symbols=",".join(symbols),
        backfill_start_date="skip",
        catch_up_initial_days=0.01,
        export_csv="false",
    )
    job.use(market)
    job.run_well()

    finished = job.run_well(influxdb_url=proxy.url)
    assert [t["symbol"] for t in finished.report["tickers"]] == list(symbols)
    read = reads(proxy)
    assert read["processing_state"] == 1
    assert 1 <= read["candle_coverage"] <= 2
    assert proxy.connections == 1
