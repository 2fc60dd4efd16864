"""Every ccxt exchange with candles, asked through a stub of its wire format.

Nothing in the strict client may stand in the way of one that docs/exchanges.md says works, and one
that does not work must fail for the reason that the page tells.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
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
    RequestRejectedError,
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
    """Answers every request below `/EXCHANGE` with that exchange's wire format."""

    def __init__(self) -> None:
        self.address = ""
        self.requests: dict[str, list[str]] = {}
        self.candles: list[StubCandle] = CANDLES

    async def answer(self, request: web.Request) -> web.Response:
        exchange = request.path.split("/")[1]
        asked = f"{request.method} {request.path_qs} {await request.text()}"
        self.requests.setdefault(exchange, []).append(asked)
        body = json.dumps(STUBS[exchange].body(self.candles))
        return web.Response(text=body, content_type="application/json")

    async def ask(
        self, exchange: str, since_ms: int = START_MS, keys: Mapping[str, str] | None = None
    ) -> Asked:
        settings = ExchangeSettings(f"{self.address}/{exchange}", keys=dict(keys or {}))
        client = CcxtClient(exchange, settings)
        client._client.milliseconds = lambda: NOW_MS
        client.use_markets([market_of(STUBS[exchange])])
        asked = Asked(requests=self.requests.setdefault(exchange, []))
        before = len(asked.requests)
        try:
            rows = await client.fetch_candles("BTC/USDT", Timeframe(1), since_ms, 10)
            asked.candles = rows.frame.rows()
        except ExchangeError as error:
            asked.error = error
        finally:
            await client.close()
        asked.requests = asked.requests[before:]
        return asked


@pytest.fixture
async def stubs(serve: Serve) -> StubServer:
    server = StubServer()
    server.address = await serve(server.answer)
    return server


def with_candles() -> list[str]:
    return [e for e in ccxt_async.exchanges if getattr(ccxt_async, e)().has["fetchOHLCV"]]


async def test_candles_of_every_exchange_are_read_as_they_were_sent(stubs: StubServer) -> None:
    exchanges = with_candles()
    assert len(exchanges) == 90
    assert set(exchanges) == set(STUBS)

    found = dict(zip(exchanges, await asyncio.gather(*map(stubs.ask, exchanges)), strict=True))

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
            asked = await stubs.ask(exchange, keys=KEYS)
            assert asked.candles == [tuple(candle) for candle in CANDLES]


async def test_which_exchanges_answer_their_newest_candles_whatever_is_asked_for(
    stubs: StubServer,
) -> None:
    asking = [e for e in STUBS if e not in REJECTED | NEEDS_KEYS and trades_spot(e)]
    first = await asyncio.gather(*map(stubs.ask, asking))
    second = await asyncio.gather(*(stubs.ask(e, START_MS - 5000 * MINUTE_MS) for e in asking))

    same = {
        exchange
        for exchange, now, earlier in zip(asking, first, second, strict=True)
        if now.requests == earlier.requests
    }
    # Of gemini and its whole answer the row of habits tells.
    assert same - set(HABITS) == NEWEST_ONLY
    assert same & set(HABITS) == {"gemini"}


@pytest.mark.parametrize("exchange", ["bitopro", "bitget", "btcturk", "upbit"])
async def test_an_answer_without_candles_is_one(exchange: str, stubs: StubServer) -> None:
    stubs.candles = []

    asked = await stubs.ask(exchange)

    assert (asked.error, asked.candles) == (None, [])


async def answered(exchange: str, body: str, serve: Serve) -> Asked:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=body, content_type="application/json")

    server = StubServer()
    server.address = await serve(answer)
    return await server.ask(exchange)


async def test_a_bare_list_of_bitget_is_read_like_its_usual_answer(serve: Serve) -> None:
    stub = STUBS["bitget"]
    rows = [stub.row(candle) for candle in CANDLES]

    asked = await answered("bitget", json.dumps(rows), serve)

    assert asked.candles == [tuple(candle) for candle in CANDLES]


async def test_no_body_at_all_is_no_answer_of_bitget(serve: Serve) -> None:
    asked = await answered("bitget", "", serve)

    assert isinstance(asked.error, MalformedAnswerError)


@pytest.mark.parametrize(
    "body",
    [
        {"s": "error"},
        {"s": "ok", "t": [1], "o": [1], "h": [1], "l": [1], "c": [1], "v": []},
        {"s": "ok", "t": 1, "o": [1], "h": [1], "l": [1], "c": [1], "v": [1]},
    ],
)
async def test_columns_that_make_no_rows_are_malformed(body: Any, serve: Serve) -> None:
    asked = await answered("btcturk", json.dumps(body), serve)

    assert isinstance(asked.error, MalformedAnswerError)
