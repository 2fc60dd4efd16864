import gzip
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import ccxt.async_support as ccxt_async
import pytest

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
    """`connect(simulator, exchange)`: ccxt's client with nothing changed but its addresses."""

    def make(simulator: ExchangeSimulator, exchange: str, **options: Any) -> Any:
        # A session of ours, since closing its own takes ccxt a quarter of a second.
        client = getattr(ccxt_async, exchange)(
            {"enableRateLimit": False, "session": http, **options}
        )
        client.urls["api"] = _redirected(client.urls["api"], simulator.base_url(exchange))
        return client

    return make


def _redirected(urls: Any, base_url: str) -> Any:
    if isinstance(urls, dict):
        return {name: _redirected(url, base_url) for name, url in urls.items()}
    return re.sub(r"^https://[^/]+", base_url, urls)


@dataclass(frozen=True)
class Wire:
    """How to ask an exchange for candles without ccxt."""

    path: str
    market: str
    timeframes: dict[int, str]  # minutes to the exchange's own name
    parameters: Callable[[str, str, int, int], dict[str, Any]]
    rows: Callable[[Any], list[Any]]
    fields: tuple[Any, ...]  # time, open, high, low, close, volume
    unit_ms: int

    def url(self, start_ms: int, end_ms: int, minutes: int = 1, market: str | None = None) -> str:
        """Candles opening in `[start_ms, end_ms)`."""
        name = self.market if market is None else market
        timeframe = self.timeframes.get(minutes, str(minutes))
        query = self.parameters(name, timeframe, start_ms, end_ms)
        return f"{self.path.format(market=name, timeframe=timeframe)}?{urlencode(query)}"

    def candles(self, text: str) -> list[tuple[int, str, str, str, str, str]]:
        """Rows in the order sent: open time in ms and the numbers as written."""
        parsed = json.loads(text, parse_float=str, parse_int=str)
        return [
            (
                int(row[self.fields[0]]) * self.unit_ms,
                *(row[field] for field in self.fields[1:]),
            )
            for row in self.rows(parsed)
        ]


def _kraken_rows(answer: Any) -> list[Any]:
    return next(rows for key, rows in answer["result"].items() if key != "last")


_BINANCE = Wire(
    "/api/v3/klines",
    "BTCUSDT",
    {1: "1m", 5: "5m", 60: "1h", 1440: "1d"},
    lambda market, name, start, end: {
        "symbol": market,
        "interval": name,
        "startTime": start,
        "endTime": end - 1,
        "limit": 1000,
    },
    lambda answer: answer,
    (0, 1, 2, 3, 4, 5),
    1,
)

WIRES = {
    "binance": _BINANCE,
    "binanceus": _BINANCE,
    "coinbaseexchange": Wire(
        "/products/{market}/candles",
        "BTC-USD",
        {1: "60", 5: "300", 60: "3600", 1440: "86400"},
        lambda _market, name, start, end: {
            "granularity": name,
            "start": start // 1000,
            "end": end // 1000 - 1,
        },
        lambda answer: answer,
        (0, 3, 2, 1, 4, 5),
        1000,
    ),
    "kraken": Wire(
        "/0/public/OHLC",
        "XXBTZUSD",
        {1: "1", 5: "5", 60: "60", 1440: "1440"},
        lambda market, name, start, _end: {
            "pair": market,
            "interval": name,
            "since": start // 1000 - 1,
        },
        _kraken_rows,
        (0, 1, 2, 3, 4, 6),
        1000,
    ),
    "bitstamp": Wire(
        "/api/v2/ohlc/{market}/",
        "btcusd",
        {1: "60", 5: "300", 60: "3600", 1440: "86400"},
        lambda _market, name, start, end: {
            "step": name,
            "start": start // 1000,
            "end": end // 1000 - 1,
            "limit": 1000,
        },
        lambda answer: answer["data"]["ohlc"],
        ("timestamp", "open", "high", "low", "close", "volume"),
        1000,
    ),
    "cryptocom": Wire(
        "/exchange/v1/public/get-candlestick",
        "BTC_USD",
        {1: "1m", 5: "5m", 60: "1h", 1440: "1D"},
        lambda market, name, start, end: {
            "instrument_name": market,
            "timeframe": name,
            "start_ts": start - 1,
            "end_ts": end,
            "count": 300,
        },
        lambda answer: answer["result"]["data"],
        ("t", "o", "h", "l", "c", "v"),
        1,
    ),
    "gate": Wire(
        "/api/v4/spot/candlesticks",
        "BTC_USDT",
        {1: "1m", 5: "5m", 60: "1h", 1440: "1d"},
        lambda market, name, start, end: {
            "currency_pair": market,
            "interval": name,
            "from": start // 1000,
            "to": end // 1000 - 1,
        },
        lambda answer: answer,
        (0, 5, 3, 4, 2, 6),
        1000,
    ),
    "bitfinex": Wire(
        "/v2/candles/trade:{timeframe}:{market}/hist",
        "tBTCUSD",
        {1: "1m", 5: "5m", 60: "1h", 1440: "1D"},
        lambda _market, _name, start, end: {
            "start": start,
            "end": end - 1,
            "limit": 10_000,
            "sort": 1,
        },
        lambda answer: answer,
        (0, 1, 3, 4, 2, 5),
        1,
    ),
    "mexc": Wire(
        "/api/v3/klines",
        "BTCUSDT",
        {1: "1m", 5: "5m", 60: "60m", 1440: "1d"},
        lambda market, name, start, end: {
            "symbol": market,
            "interval": name,
            "startTime": start,
            "endTime": end,
            "limit": 500,
        },
        lambda answer: answer,
        (0, 1, 2, 3, 4, 5),
        1,
    ),
    "gemini": Wire(
        "/v2/candles/{market}/{timeframe}",
        "btcusd",
        {1: "1m", 5: "5m", 60: "1hr", 1440: "1day"},
        lambda _market, _name, _start, _end: {},
        lambda answer: answer,
        (0, 1, 2, 3, 4, 5),
        1,
    ),
}


QUOTED_IN_USD = frozenset(
    {"bitfinex", "bitstamp", "coinbaseexchange", "cryptocom", "gemini", "kraken"}
)


@pytest.fixture(params=sorted(WIRES))
def exchange(request: pytest.FixtureRequest) -> str:
    """Each of the simulated exchanges in turn."""
    return str(request.param)


@pytest.fixture
def wires() -> dict[str, Wire]:
    return WIRES


@pytest.fixture
def symbol(exchange: str) -> str:
    """Bitcoin as the exchange lists it."""
    return "BTC/USD" if exchange in QUOTED_IN_USD else "BTC/USDT"


@pytest.fixture
def write_recording() -> Callable[[Path, Iterable[str]], Path]:
    """`write_recording(path, csv_rows)`: a gzip CSV as recordings are."""

    def write(path: Path, rows: Iterable[str]) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = ["timestamp_ms,open,high,low,close,volume", *rows]
        path.write_bytes(gzip.compress("\n".join(lines).encode() + b"\n"))
        return path

    return write
