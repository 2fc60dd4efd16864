"""The older service's commands as its users type them, with real Redis and InfluxDB.

Added to each is only where the simulated exchanges are and what time it is; where the servers are
is in the environment, as in a deployment.
"""

import json
import os
import re
import shlex
import threading
from collections.abc import Iterable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from bucket_contents import rows_of
from influxd import InfluxServer

from exchange_simulator import ExchangeSimulator, SimulatorClock, SimulatorConfig, running_simulator

KEY = "top_cryptocurrencies"
SYMBOLS = ("BTC/USDT", "ETH/USDT")
SYMBOLS_OF_THE_DEFAULTS = ("BTC/USD", "ETH/USD")
"""What all exchanges list that are asked where a command names none."""
SOME_TICKERS_FAILED = 1
BAD_CONFIGURATION = 2
DEPENDENCY_DOWN = 3
SIMULATED = ("binance", "binanceus", "coinbaseexchange", "kraken", "bitstamp")
REFUSING = ("htx", "kucoin", "okx", "coinbase")
"""Exchanges without a simulator; they refuse every request, as from a country they do not serve."""

THREE = "--exchanges=binance,coinbasepro,kraken"
FIVE = f"{THREE},huobi,kucoin"
SIX = f"{FIVE},okx"
SERVERS = "--influxdb_token=$INFLUXDB_TOKEN --influxdb_org=$INFLUXDB_ORG --redis_host=$REDIS_HOST"

WORKING = [
    "./candle_ingestor --exchanges=binance",
    "./candle_ingestor --exchanges=binance --run_mode=wet",
    "./candle_ingestor --exchanges=binance --candle_granularity_minutes=1",
    f"./candle_ingestor {THREE}",
    f"./candle_ingestor {THREE} --run_mode=wet",
    f"./candle_ingestor {THREE} --candle_granularity_minutes=1",
    f"./candle_ingestor {THREE} --min_exchanges_required=2",
    f"./candle_ingestor {THREE} --min_exchanges_required=2 --run_mode=wet",
    f"./candle_ingestor {FIVE} --min_exchanges_required=2",
    f"./candle_ingestor {SIX} --min_exchanges_required=2",
    "./candle_ingestor --run_mode=dry --exchanges=binance",
    "./candle_ingestor --backfill_start_date=1_day_ago --dry_run_limit=5",
    "./candle_ingestor --verbosity=1 --run_mode=dry",
    "./candle_ingestor --tiingo_api_key=$API_KEY",
    "./candle_ingestor --tiingo_api_key=$API_KEY --candle_granularity_minutes=1",
    # The arguments of its container, in a pod and by hand.
    f"./candle_ingestor --exchanges=binance,coinbasepro {SERVERS} --run_mode=wet",
]


class _Refusal(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(451)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def refusing_url() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Refusal) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def market(ms_of: Any) -> Iterator[ExchangeSimulator]:
    """Exchanges with a market a day old."""
    config = SimulatorConfig(
        exchanges=SIMULATED,
        symbols=("BTC/USD", "BTC/USDT", "ETH/USD", "ETH/USDT", "SOL/USDT"),
        synthetic_days=1,
    )
    clock = SimulatorClock(ms_of("2024-05-03T02:00:10"), frozen=True)
    with running_simulator(config, clock=clock) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def default_bucket(influx_server: InfluxServer) -> Iterator[str]:
    """The bucket that nobody names."""
    found = influx_server.answer("GET", "/api/v2/buckets?limit=100")["buckets"]
    if any(bucket["name"] == "candles" for bucket in found):
        pytest.skip("this InfluxDB has a bucket called candles, which is not to be touched")
    bucket_id = influx_server.make_bucket("candles")
    yield "candles"
    influx_server.answer("DELETE", f"/api/v2/buckets/{bucket_id}")


@pytest.fixture(scope="module")
def older_job(
    job_in: Any,
    tmp_path_factory: pytest.TempPathFactory,
    market: ExchangeSimulator,
    refusing_url: str,
    influx_server: InfluxServer,
    redis_server: Any,
) -> Any:
    job = job_in(tmp_path_factory.mktemp("older") / "job", now=market.clock.now_ms())
    job.use(market)
    path: Path = job.settings["exchange_settings_file"]
    tables = [f'[{exchange}]\nbase_url = "{refusing_url}"\n' for exchange in REFUSING]
    path.write_text(path.read_text() + "\n" + "\n".join(tables))
    job.environment = {
        "INFLUXDB_URL": influx_server.url,
        "INFLUXDB_TOKEN": influx_server.token,
        "INFLUXDB_ORG": influx_server.org,
        "REDIS_HOST": redis_server.host,
        "REDIS_PORT": str(redis_server.port),
        "REDIS_PASSWORD": redis_server.password,
        "API_KEY": "a-tiingo-key-4711",
    }
    return job


@pytest.fixture
def type_command(older_job: Any, redis_client: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`type_command(text, symbols)`: what the command comes to, variables put in by the shell."""
    for name, value in older_job.environment.items():
        monkeypatch.setenv(name, value)

    def run(command: str, symbols: Iterable[str] = SYMBOLS) -> Any:
        # A day each: no test need fetch the year that the commands ask for.
        requests = [{"symbol": name, "history_start": "1_day_ago"} for name in symbols]
        redis_client.set(KEY, json.dumps(requests))
        program, *arguments = shlex.split(os.path.expandvars(command))
        assert program == "./candle_ingestor"
        return older_job.run(*arguments)

    return run


def said(finished: Any) -> list[str]:
    """The log without times and levels."""
    before = r"^(?:[IWEF]\d{4} .*?\] |(?:\S+Z )?[A-Z]+: )"
    return [re.sub(before, "", line) for line in finished.errors.splitlines()]


@pytest.mark.parametrize("command", WORKING)
def test_a_command_of_the_older_service_works_as_typed(
    type_command: Any, default_bucket: str, influx_server: InfluxServer, command: str
) -> None:
    symbols = SYMBOLS if "--exchanges" in command else SYMBOLS_OF_THE_DEFAULTS
    finished = type_command(command, symbols)

    assert finished.exit_code == 0, finished.errors + finished.output
    assert "a-tiingo-key" not in finished.errors + finished.output
    if "--run_mode=dry" in command:
        assert "Nothing was written." in finished.output
        return
    assert {each["symbol"] for each in finished.report["tickers"]} == set(symbols)
    assert rows_of(influx_server, default_bucket, "candles")
    lines = said(finished)
    minimum = len(finished.report["exchanges"])
    if "--min_exchanges_required=2" in command:
        minimum = 2
        assert "Minimum exchanges required: 2" in lines
    elif minimum > 1:
        assert f"Auto-detected min_exchanges_required: {minimum}" in lines
    words = f"Symbol validation: 2/2 symbols meet minimum {minimum} exchange requirement"
    assert words in lines


def test_the_log_says_what_it_said(type_command: Any, default_bucket: str) -> None:
    lines = said(type_command(f"./candle_ingestor {THREE}"))

    for line in (
        "Multi-exchange mode: using 3 exchanges with binance as primary",
        "Auto-detected min_exchanges_required: 3",
        "Symbol validation: 2/2 symbols meet minimum 3 exchange requirement",
    ):
        assert line in lines


def test_renamed_exchanges_are_warned_about_once_each(
    type_command: Any, default_bucket: str
) -> None:
    finished = type_command(f"./candle_ingestor {SIX} --min_exchanges_required=2")

    warned = [line for line in said(finished) if "is called" in line]
    assert warned == [
        "exchange 'coinbasepro' is called 'coinbaseexchange' now; using that",
        "exchange 'huobi' is called 'htx' now; using that",
    ]
    assert finished.report["exchanges"] == [
        *("binance", "coinbaseexchange", "kraken", "htx", "kucoin", "okx")
    ]


def test_fewer_symbols_on_all_exchanges_are_counted(type_command: Any, default_bucket: str) -> None:
    finished = type_command(f"./candle_ingestor {THREE}", ["btcusdt", "btcusd", "DOGE/USDT"])

    words = "Symbol validation: 1/3 symbols meet minimum 3 exchange requirement"
    assert words in said(finished)


def test_no_symbol_on_all_exchanges_is_an_error(type_command: Any, default_bucket: str) -> None:
    finished = type_command(f"./candle_ingestor {THREE}", ["btcusd"])

    assert finished.exit_code == BAD_CONFIGURATION
    assert "No symbols meet the minimum exchange requirement of 3" in finished.complaint


@pytest.mark.parametrize(
    "command",
    [
        f"./candle_ingestor {FIVE}",
        f"./candle_ingestor {SIX} --min_exchanges_required=4",
        f"./candle_ingestor {THREE},huobi --candle_granularity_minutes=1 --run_mode=wet",
        "./candle_ingestor --exchanges=binance,coinbase",
        "./candle_ingestor --exchanges=binance,coinbase,kraken",
    ],
)
def test_where_exchanges_that_are_needed_refuse_the_run_says_which(
    type_command: Any, default_bucket: str, command: str
) -> None:
    # Of what is stored already a run could go without them.
    finished = type_command(command, ["SOL/USDT"])

    assert finished.exit_code == SOME_TICKERS_FAILED
    (ticker,) = finished.report["tickers"]
    (error,) = ticker["errors"]
    assert re.search("candles could not be merged: .*(htx|coinbase).* left them unanswered", error)
    troubles = finished.report["exchange_troubles"]
    assert any(
        "answered 451" in trouble["error"]
        for exchange, trouble in troubles.items()
        if exchange in ("htx", "coinbase")
    )


def test_more_exchanges_required_than_given_is_an_error(type_command: Any) -> None:
    finished = type_command(
        "./candle_ingestor --exchanges=binance,coinbase --min_exchanges_required=3"
    )
    assert finished.exit_code == BAD_CONFIGURATION
    assert "--min_exchanges_required=3 is more than the 2 given" in finished.complaint


def test_a_key_for_tiingo_is_answered_with_one_sentence(
    type_command: Any, default_bucket: str
) -> None:
    command = "./candle_ingestor --tiingo_api_key=$API_KEY --run_mode=dry"
    finished = type_command(command, SYMBOLS_OF_THE_DEFAULTS)

    (line,) = (line for line in said(finished) if "tiingo" in line)
    assert line.startswith("--tiingo_api_key is ignored: candles come from exchanges")
    assert "--exchanges" in line
    assert finished.exit_code == 0


def test_verbosity_tells_of_every_page(type_command: Any, default_bucket: str) -> None:
    finished = type_command("./candle_ingestor --verbosity=1 --run_mode=dry --exchanges=binance")

    pages = [line for line in said(finished) if line.startswith("binance BTC/USDT 1m: ")]
    assert pages
    span = r"2024-05-03T01:10:00Z to 2024-05-03T02:00:00Z"
    page = rf"binance BTC/USDT 1m: 5[01] rows for {span} in \d+ ms"
    assert re.fullmatch(rf"{page} \(session\.py:\d+, MainThread\)", pages[0])


def test_without_the_bucket_the_run_offers_to_make_it(
    older_job: Any, redis_client: Any, influx_server: InfluxServer
) -> None:
    redis_client.set(KEY, '["btcusdt"]')
    flags = {"exchanges": "binance", "influxdb_bucket": "no-such-bucket"}
    finished = older_job.run(**flags)

    assert finished.exit_code == DEPENDENCY_DOWN
    assert "bucket 'no-such-bucket'" in finished.complaint
    assert "make it with --create_bucket" in finished.complaint
