"""Every ccxt exchange with candles, asked through a stub of its wire format.

Nothing in the strict client may stand in the way of one that docs/exchanges.md says works, and one
that does not work must fail for the reason that the page tells.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import ccxt.async_support as ccxt_async
import pytest
from aiohttp import web
from candle_stubs import MINUTE_MS, STUBS, Stub, StubCandle
from exchanges_page import NEEDS_KEYS, NEWEST_ONLY, trades_spot

from candle_ingestor.exchanges.ccxt.client import CcxtClient
from candle_ingestor.exchanges.errors import (
    ExchangeError,
    ExchangeRefusedError,
    MalformedAnswerError,
    RateLimitedError,
    RequestRejectedError,
    ServerFaultError,
)
from candle_ingestor.exchanges.habits import HABITS
from candle_ingestor.exchanges.settings import ExchangeSettings
from candle_ingestor.exchanges.unusable import why_unusable
from candle_ingestor.model.timeframe import Timeframe

START_MS = 1_709_640_000_000
NOW_MS = START_MS + 20 * MINUTE_MS
# A minute without trade lies between the last two.
CANDLES = [
    StubCandle(START_MS, 10.25, 12.5, 9.0, 11.0, 2.5),
    StubCandle(START_MS + MINUTE_MS, 11.0, 11.5, 10.75, 11.25, 0.125),
    StubCandle(START_MS + 3 * MINUTE_MS, 11.25, 13.0, 11.25, 12.0, 4.0),
]
REJECTED = {"cex", "zebpay"}
KEYS = {"apiKey": "key", "secret": "secret"}

Serve = Callable[..., Awaitable[str]]


@dataclass
class Asked:
    """What came of asking an exchange: its candles, or the error."""

    candles: list[tuple[Any, ...]] = field(default_factory=list)
    error: ExchangeError | None = None
    requests: list[str] = field(default_factory=list)


def market_of(stub: Stub) -> dict[str, Any]:
    kinds = dict.fromkeys(("swap", "future", "option", "contract"), False)
    return {
        "id": stub.market_id,
        "symbol": "BTC/USDT",
        "base": "BTC",
        "quote": "USDT",
        "baseId": "BTC",
        "quoteId": "USDT",
        "type": "spot",
        "spot": True,
        **kinds,
        "active": True,
        "info": {},
        "precision": {},
        "limits": {},
        **stub.market,
    }


class StubServer:
    """Answers every request below `/EXCHANGE` with that exchange's wire format, or `body`."""

    def __init__(self) -> None:
        self.address = ""
        self.requests: dict[str, list[str]] = {}
        self.candles: list[StubCandle] = CANDLES
        self.status = 200
        self.body: str | None = None
        self.clients: dict[str, CcxtClient] = {}

    async def answer(self, request: web.Request) -> web.Response:
        exchange = request.path.split("/")[1]
        asked = f"{request.method} {request.path_qs} {await request.text()}"
        self.requests.setdefault(exchange, []).append(asked)
        body = self.body
        if body is None:
            body = json.dumps(STUBS[exchange].body(self.candles))
        return web.Response(text=body, content_type="application/json", status=self.status)

    def connect(self, exchange: str, keys: Mapping[str, str] | None = None) -> None:
        """Makes the client that asks the exchange."""
        settings = ExchangeSettings(
            f"{self.address}/{exchange}", requests_per_minute=0, keys=dict(keys or {})
        )
        client = CcxtClient(exchange, settings, timeout_seconds=60)
        client._client.milliseconds = lambda: NOW_MS
        client.use_markets([market_of(STUBS[exchange])])
        self.clients[exchange] = client

    async def ask(self, exchange: str, since_ms: int = START_MS) -> Asked:
        asked = Asked()
        before = len(self.requests.setdefault(exchange, []))
        try:
            rows = await self.clients[exchange].fetch_candles(
                "BTC/USDT", Timeframe(1), since_ms, 10
            )
            asked.candles = rows.frame.rows()
        except ExchangeError as error:
            asked.error = error
        asked.requests = self.requests[exchange][before:]
        return asked

    async def ask_all(self, exchanges: Iterable[str], since_ms: int = START_MS) -> dict[str, Asked]:
        """All at once; making a client takes long, so that all are made before."""
        names = list(exchanges)
        for name in names:
            if name not in self.clients:
                self.connect(name)
        found = await asyncio.gather(*(self.ask(name, since_ms) for name in names))
        return dict(zip(names, found, strict=True))


@pytest.fixture
async def stubs(serve: Serve) -> AsyncIterator[StubServer]:
    server = StubServer()
    server.address = await serve(server.answer)
    yield server
    await asyncio.gather(*(client.close() for client in server.clients.values()))


def with_candles() -> list[str]:
    return [e for e in ccxt_async.exchanges if getattr(ccxt_async, e)().has["fetchOHLCV"]]


async def test_candles_of_every_exchange_are_read_as_they_were_sent(stubs: StubServer) -> None:
    exchanges = with_candles()
    assert len(exchanges) == 90
    assert set(exchanges) == set(STUBS)

    found = await stubs.ask_all(exchanges)

    failed = {e: asked.error for e, asked in found.items() if asked.error is not None}
    assert set(failed) == REJECTED | NEEDS_KEYS
    assert all(isinstance(failed[exchange], RequestRejectedError) for exchange in REJECTED)
    assert all(isinstance(failed[exchange], ExchangeRefusedError) for exchange in NEEDS_KEYS)
    wrong = {
        exchange: asked.candles
        for exchange, asked in found.items()
        if asked.error is None and asked.candles != [tuple(candle) for candle in CANDLES]
    }
    # Each for the reason that it is refused for.
    assert wrong == {
        "btse": [(*candle[:5], candle.volume * candle.close) for candle in CANDLES],
        "ndax": [(candle.open_ms + MINUTE_MS, *candle[1:]) for candle in CANDLES],
    }
    for exchange in REJECTED | set(wrong):
        assert why_unusable(HABITS[exchange]) is not None


async def test_those_that_need_keys_are_read_with_keys(stubs: StubServer) -> None:
    for exchange in NEEDS_KEYS:
        if trades_spot(exchange):
            stubs.connect(exchange, KEYS)
            asked = await stubs.ask(exchange)
            assert asked.candles == [tuple(candle) for candle in CANDLES]


async def test_which_exchanges_answer_their_newest_candles_whatever_is_asked_for(
    stubs: StubServer,
) -> None:
    asking = [e for e in STUBS if e not in REJECTED | NEEDS_KEYS and trades_spot(e)]
    later = await stubs.ask_all(asking)
    earlier = await stubs.ask_all(asking, START_MS - 5000 * MINUTE_MS)

    same = {e for e in asking if later[e].requests == earlier[e].requests}
    # Of gemini and its whole answer the row of habits tells.
    assert same - set(HABITS) == NEWEST_ONLY
    assert same & set(HABITS) == {"gemini"}


async def test_a_page_in_place_of_an_answer_is_told_by_its_status_of_every_exchange(
    stubs: StubServer,
) -> None:
    asking = [e for e in STUBS if e not in REJECTED | NEEDS_KEYS]
    stubs.body = "<html>Bad</html>"
    for status, expected in (
        (502, ServerFaultError),
        (429, RateLimitedError),
        (200, MalformedAnswerError),
    ):
        stubs.status = status
        found = await stubs.ask_all(asking)

        told = {exchange: type(asked.error) for exchange, asked in found.items()}
        assert told == dict.fromkeys(asking, expected)


@pytest.mark.parametrize("exchange", ["bitopro", "bitget", "btcturk", "upbit"])
async def test_an_answer_without_candles_is_one(exchange: str, stubs: StubServer) -> None:
    stubs.candles = []

    stubs.connect(exchange)
    asked = await stubs.ask(exchange)

    assert (asked.error, asked.candles) == (None, [])


async def test_a_bare_list_of_bitget_is_read_like_its_usual_answer(stubs: StubServer) -> None:
    stubs.body = json.dumps([STUBS["bitget"].row(candle) for candle in CANDLES])
    stubs.connect("bitget")

    asked = await stubs.ask("bitget")

    assert asked.candles == [tuple(candle) for candle in CANDLES]


async def test_no_body_at_all_is_no_answer_of_bitget(stubs: StubServer) -> None:
    stubs.body = ""
    stubs.connect("bitget")

    asked = await stubs.ask("bitget")

    assert isinstance(asked.error, MalformedAnswerError)


@pytest.mark.parametrize(
    "body",
    [
        {"s": "error"},
        {"s": "ok", "t": [1], "o": [1], "h": [1], "l": [1], "c": [1], "v": []},
        {"s": "ok", "t": 1, "o": [1], "h": [1], "l": [1], "c": [1], "v": [1]},
    ],
)
async def test_columns_that_make_no_rows_are_malformed(body: Any, stubs: StubServer) -> None:
    stubs.body = json.dumps(body)
    stubs.connect("btcturk")

    asked = await stubs.ask("btcturk")

    assert isinstance(asked.error, MalformedAnswerError)
