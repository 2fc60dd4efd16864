import gzip
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import ccxt.async_support as ccxt_async
import pytest
from asking_simulator import Asker
from exchange_facts import FACTS, ExchangeFacts
from exchange_wires import Wire

from exchange_simulator import ExchangeSimulator, SimulatorClock, SimulatorConfig

# 2024-03-05T12:34:20Z: Kraken's newest closed candle, 20 s old, may still be revised.
NOW_MS = 1_709_642_060_000
MINUTE_MS = 60_000

StartSimulator = Callable[..., Awaitable[ExchangeSimulator]]


@pytest.fixture
def now_ms() -> int:
    return NOW_MS


@pytest.fixture
async def start_simulator() -> AsyncIterator[StartSimulator]:
    """`await start_simulator(now_ms=…, **config)`: a simulator whose clock stands still."""
    async with AsyncExitStack() as stack:

        async def start(*, now_ms: int = NOW_MS, **settings: Any) -> ExchangeSimulator:
            clock = SimulatorClock(now_ms, frozen=True)
            simulator = ExchangeSimulator(SimulatorConfig(**settings), clock=clock)
            return await stack.enter_async_context(simulator)

        yield start


@pytest.fixture
async def simulator(start_simulator: StartSimulator) -> ExchangeSimulator:
    return await start_simulator()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def connect(http: aiohttp.ClientSession) -> Callable[..., Any]:
    """`connect(simulator, exchange)`: ccxt's client, but for its addresses and its clock."""

    def make(simulator: ExchangeSimulator, exchange: str, **options: Any) -> Any:
        # A session of ours, since closing its own takes ccxt a quarter of a second.
        client = getattr(ccxt_async, exchange)(
            {"enableRateLimit": False, "session": http, **options}
        )
        client.milliseconds = simulator.clock.now_ms
        client.urls["api"] = _redirected(client.urls["api"], simulator.base_url(exchange))
        return client

    return make


def _redirected(urls: Any, base_url: str) -> Any:
    if isinstance(urls, dict):
        return {name: _redirected(url, base_url) for name, url in urls.items()}
    return re.sub(r"^https://[^/]+", base_url, urls)


@pytest.fixture(params=sorted(FACTS))
def exchange(request: pytest.FixtureRequest) -> str:
    """Each of the simulated exchanges in turn."""
    return str(request.param)


@pytest.fixture
def wires() -> dict[str, Wire]:
    return {exchange: facts.wire for exchange, facts in FACTS.items()}


@pytest.fixture
def ask(simulator: ExchangeSimulator, http: aiohttp.ClientSession, wires: dict[str, Wire]) -> Asker:
    return Asker(simulator, http, wires)


@pytest.fixture
def facts(exchange: str) -> ExchangeFacts:
    """What is true of the exchange."""
    return FACTS[exchange]


@pytest.fixture
def symbol(facts: ExchangeFacts) -> str:
    """Bitcoin as the exchange lists it."""
    return f"BTC/{facts.quote}"


@pytest.fixture
def write_recording() -> Callable[[Path, Iterable[str]], Path]:
    """`write_recording(path, csv_rows)`: a gzip CSV as recordings are."""

    def write(path: Path, rows: Iterable[str]) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = ["timestamp_ms,open,high,low,close,volume", *rows]
        path.write_bytes(gzip.compress("\n".join(lines).encode() + b"\n"))
        return path

    return write
