"""The simulator as a server, a context manager, a thread and a command."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import tomllib
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from exchange_simulator import (
    DIALECTS,
    ExchangeSimulator,
    Fault,
    SimulatorClock,
    SimulatorConfig,
    running_simulator,
)
from exchange_simulator.main import main

MINUTE_MS = 60_000
BITSTAMP_PATH = "/bitstamp/api/v2/ohlc/btcusd/?step=60&limit=10"
SERVICES = Path(__file__).resolve().parents[2] / "services"


def get_json(url: str, method: str = "GET") -> Any:
    request = urllib.request.Request(url, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read() or b"null")


async def test_the_clock_is_read_set_moved_and_frozen_over_http(
    simulator: ExchangeSimulator, http: aiohttp.ClientSession, now_ms: int
) -> None:
    async def post(query: str) -> tuple[int, Any]:
        async with http.post(f"{simulator.url}/_clock?{query}") as answer:
            return answer.status, await answer.json()

    async with http.get(f"{simulator.url}/_clock") as answer:
        assert await answer.json() == {"now_ms": now_ms, "frozen": True}
    advanced = {"now_ms": now_ms + 7 * MINUTE_MS, "frozen": True}
    assert await post(f"advance_ms={7 * MINUTE_MS}") == (200, advanced)
    assert await post("now_ms=1000000") == (200, {"now_ms": 1_000_000, "frozen": True})
    assert simulator.clock.now_ms() == 1_000_000
    status, ticking = await post("frozen=false")
    assert (status, ticking["frozen"]) == (200, False)
    assert 1_000_000 <= ticking["now_ms"] < 1_060_000
    for bad in ("", "now_ms=soon", "now_ms=1&advance_ms=1", "frozen=maybe"):
        status, answer = await post(bad)
        assert status == 400
        assert "now_ms" in answer["message"]


async def test_candles_appear_as_the_clock_moves_on(
    simulator: ExchangeSimulator, connect: Callable[..., Any], now_ms: int
) -> None:
    client = connect(simulator, "binance")
    before = await client.fetch_ohlcv("BTC/USDT", "1m", limit=20)
    simulator.clock.advance(7 * MINUTE_MS)
    after = await client.fetch_ohlcv("BTC/USDT", "1m", limit=20)
    assert before[-1][0] == now_ms // MINUTE_MS * MINUTE_MS
    assert after[-1][0] == before[-1][0] + 7 * MINUTE_MS
    assert after[:12] == before[7:19]
    assert after[12] != before[19]  # unfinished then


def test_a_clock_that_is_not_frozen_ticks_from_where_it_was_set() -> None:
    clock = SimulatorClock(5_000)
    first = clock.now_ms()
    assert 5_000 <= first < 65_000
    clock.freeze()
    assert clock.now_ms() == clock.now_ms() >= first


async def test_requests_are_counted_and_timed_until_reset(
    start_simulator: Callable[..., Any], http: aiohttp.ClientSession
) -> None:
    simulator = await start_simulator(faults=(Fault("kraken", "503", 1.0),))
    base = simulator.base_url("kraken")
    for path in ("/0/public/OHLC?pair=XBTUSD", "/0/public/OHLC?pair=ETHUSD", "/0/public/Time"):
        async with http.get(base + path) as answer:
            await answer.read()
    async with http.get(f"{simulator.url}/_requests") as answer:
        log = (await answer.json())["exchanges"]
    assert set(log) == set(DIALECTS)
    assert log["bitstamp"] == {
        "candle_requests": 0,
        "trade_requests": 0,
        "other_requests": 0,
        "faults": {},
        "arrived": [],
    }
    kraken = log["kraken"]
    assert (kraken["candle_requests"], kraken["other_requests"]) == (2, 1)
    assert kraken["faults"] == {"503": 2}
    first, second = kraken["arrived"]
    assert first["monotonic_seconds"] < second["monotonic_seconds"]
    assert first["wall_ms"] <= second["wall_ms"]
    assert second["url"] == "/kraken/0/public/OHLC?pair=ETHUSD"
    assert second["fault"] == "503"
    async with http.delete(f"{simulator.url}/_requests") as answer:
        assert answer.status == 204
    assert simulator.requests.candle_request_count("kraken") == 0
    assert simulator.requests.other_request_count("kraken") == 0
    assert simulator.requests.fault_counts("kraken") == {}
    assert simulator.requests.arrived("kraken") == []


async def test_the_first_page_tells_where_the_exchanges_are(
    simulator: ExchangeSimulator, http: aiohttp.ClientSession
) -> None:
    async with http.get(simulator.url) as answer:
        assert (await answer.json())["exchanges"]["kraken"] == simulator.base_url("kraken")


async def test_the_settings_file_sends_every_exchange_here(
    simulator: ExchangeSimulator, tmp_path: Path
) -> None:
    path = simulator.write_settings(tmp_path / "new" / "settings.toml")
    assert tomllib.loads(path.read_text()) == {
        exchange: {"base_url": f"{simulator.url}/{exchange}"} for exchange in DIALECTS
    }
    assert list(path.parent.iterdir()) == [path]


async def test_the_url_is_known_only_once_started() -> None:
    with pytest.raises(RuntimeError, match="not been started"):
        ExchangeSimulator().url  # noqa: B018


async def test_a_taken_port_is_an_error_of_the_start(simulator: ExchangeSimulator) -> None:
    port = int(simulator.url.rpartition(":")[2])
    with pytest.raises(OSError, match="address already in use"):
        await ExchangeSimulator(SimulatorConfig(port=port)).start()


def test_a_simulator_runs_in_a_thread_beside_other_code() -> None:
    with running_simulator(clock=SimulatorClock(1_700_000_000_000, frozen=True)) as simulator:
        assert get_json(f"{simulator.url}/_clock")["now_ms"] == 1_700_000_000_000
        simulator.clock.advance(60_000)
        rows = get_json(
            f"{simulator.base_url('binance')}/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=2"
        )
        assert rows[-1][0] == 1_700_000_040_000
        assert simulator.requests.candle_request_count("binance") == 1
        url = simulator.url
    with pytest.raises(OSError, match="refused"):
        get_json(f"{url}/_clock")


def test_many_clients_are_served_at_once() -> None:
    async def ask_all(url: str) -> list[int]:
        async with aiohttp.ClientSession() as session:

            async def count(page: int) -> int:
                query = f"symbol=BTCUSDT&interval=1m&limit=1000&endTime={1_699 + page}000000000"
                async with session.get(f"{url}/binance/api/v3/klines?{query}") as answer:
                    return len(await answer.json())

            return await asyncio.gather(*map(count, range(50)))

    with running_simulator() as simulator:
        assert asyncio.run(ask_all(simulator.url)) == [1000] * 50


def asks_in_vain(url: str) -> None:
    with pytest.raises(OSError, match=r"closed|reset"):
        get_json(url)


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "exchange_simulator", *arguments]


@contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    environment = os.environ | {"PYTHONPATH": str(SERVICES)}
    with subprocess.Popen(
        command(*arguments),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        try:
            yield running
        finally:
            running.kill()


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_the_command_says_where_it_listens_and_leaves_cleanly_when_told(
    tmp_path: Path, stop: signal.Signals
) -> None:
    settings = tmp_path / "exchanges.toml"
    with process(
        "--port=0",
        f"--settings_out={settings}",
        "--now=2024-03-05T12:34:20Z",
        "--freeze_clock",
        "--exchanges=kraken,bitstamp",
        "--symbols=BTC/USD",
        "--listed_since=BTC:2024-03-05T12:30:00",
        "--fault=bitstamp:stall:1",
    ) as running:
        assert running.stdout is not None
        first_line = running.stdout.readline()
        assert first_line.startswith("listening on http://127.0.0.1:")
        url = first_line.removeprefix("listening on ").strip()
        base_urls = tomllib.loads(settings.read_text())
        assert base_urls == {name: {"base_url": f"{url}/{name}"} for name in ("kraken", "bitstamp")}
        assert get_json(f"{url}/_clock") == {"now_ms": 1_709_642_060_000, "frozen": True}
        answer = get_json(f"{url}/kraken/0/public/OHLC?pair=XBTUSD")
        assert answer["result"]["XXBTZUSD"][0][0] == 1_709_641_800
        get_json(f"{url}/_clock?advance_ms=60000", "POST")
        assert get_json(f"{url}/_clock")["now_ms"] == 1_709_642_120_000
        stalled = threading.Thread(target=asks_in_vain, args=(f"{url}{BITSTAMP_PATH}",))
        stalled.start()
        while not get_json(f"{url}/_requests")["exchanges"]["bitstamp"]["candle_requests"]:
            pass
        running.send_signal(stop)
        rest, errors = running.communicate(timeout=10)
        stalled.join()
        assert (running.returncode, rest, errors) == (0, "", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--prot=1"], "Unknown command line flag 'prot'"),
        (["--port=one"], "port"),
        (["--port=99999"], "65535"),
        (["--exchanges=kraken,bitso"], "unknown exchange 'bitso'"),
        (["--symbols=BTC"], "BASE/QUOTE"),
        (["--fault=kraken:often:0.1"], "unknown kind of fault 'often'"),
        (["--fault=kraken:429:2"], "from 0 to 1"),
        (["--now=yesterday"], "'yesterday'"),
        (["--listed_since=BTC"], "BASE:TIME"),
        (["--synthetic_days=0"], "at least 1"),
        (["--recordings=/no/such/place"], "/no/such/place"),
        (["--shift_to_now"], "needs recordings"),
        (["--settings_out=/dev/null/settings.toml"], "/dev/null"),
        (["--host=203.0.113.1"], "203.0.113.1"),
        (["kraken"], "not a flag: 'kraken'"),
    ],
)
def test_a_bad_flag_is_one_clear_line_and_exit_code_2(
    arguments: list[str], message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    out, errors = capfd.readouterr()
    assert out == ""
    assert errors.startswith("exchange_simulator: ")
    assert errors.count("\n") == 1
    assert message in errors


def test_help_lists_the_flags(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "--settings_out" in capsys.readouterr().out
