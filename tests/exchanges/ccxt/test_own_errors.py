"""Which of our errors an exchange's own words for a failure are, with the real ccxt over HTTP."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from asking_ccxt import error_of, spot_market
from exchange_facts import FACTS

from candle_ingestor.exchanges.ccxt.client import CcxtClient
from candle_ingestor.exchanges.errors import (
    ExchangeError,
    ExchangeRefusedError,
    RateLimitedError,
    RequestRejectedError,
    ServerFaultError,
)
from candle_ingestor.exchanges.settings import ExchangeSettings
from exchange_simulator import ExchangeSimulator


def kraken_error(said: str) -> Any:
    return {"error": [said]}


def okx_error(said: str) -> Any:
    return {"code": said, "msg": "words", "data": []}


def kucoin_error(said: str) -> Any:
    return {"code": said, "msg": "words"}


def bybit_error(said: str) -> Any:
    return {"retCode": int(said), "retMsg": "words", "result": {}, "retExtInfo": {}, "time": 1}


def htx_error(said: str) -> Any:
    return {"status": "error", "err-code": said, "err-msg": "words", "data": None}


def gate_error(said: str) -> Any:
    return {"label": said, "message": "words"}


def mexc_error(said: str) -> Any:
    return {"code": int(said), "msg": "words", "_extend": None}


def gemini_error(said: str) -> Any:
    return {"result": "error", "reason": said, "message": "words"}


OWN_ERRORS: dict[str, tuple[Callable[[str], Any], dict[str, type[ExchangeError]]]] = {
    "kraken": (
        kraken_error,
        {
            "EAPI:Rate limit exceeded": RateLimitedError,
            "EGeneral:Temporary lockout": RateLimitedError,
            "EService:Unavailable": ServerFaultError,
            "EService:Busy": ServerFaultError,
            "EGeneral:Permission denied": ExchangeRefusedError,
            "EQuery:Unknown asset pair": RequestRejectedError,
            "EGeneral:Something never heard of": RequestRejectedError,
        },
    ),
    "okx": (
        okx_error,
        {
            "50011": RateLimitedError,
            "50001": ServerFaultError,
            "50013": ServerFaultError,
            "50026": ServerFaultError,
            "50110": ExchangeRefusedError,
            "51001": RequestRejectedError,
            "99999": RequestRejectedError,
        },
    ),
    "kucoin": (
        kucoin_error,
        {
            "429000": RateLimitedError,
            "500000": ServerFaultError,
            "400006": ExchangeRefusedError,
            "400303": ExchangeRefusedError,
            "400100": RequestRejectedError,
            "999999": RequestRejectedError,
        },
    ),
    "bybit": (
        bybit_error,
        {
            "10006": RateLimitedError,
            "10018": RateLimitedError,
            "10009": ExchangeRefusedError,
            "10024": ExchangeRefusedError,
            "10001": RequestRejectedError,
            "99999": RequestRejectedError,
        },
    ),
    "htx": (
        htx_error,
        {
            "rate-too-many-requests": RateLimitedError,
            "gateway-internal-error": ServerFaultError,
            "system-maintenance": ServerFaultError,
            "api-not-support-temp-addr": ExchangeRefusedError,
            "invalid-parameter": RequestRejectedError,
        },
    ),
    "gate": (
        gate_error,
        {
            "TOO_MANY_REQUESTS": RateLimitedError,
            "TOO_FAST": RateLimitedError,
            "SERVER_ERROR": ServerFaultError,
            "TOO_BUSY": ServerFaultError,
            "IP_FORBIDDEN": ExchangeRefusedError,
            "FORBIDDEN": ExchangeRefusedError,
            "INVALID_CURRENCY_PAIR": RequestRejectedError,
            "INVALID_PARAM_VALUE": RequestRejectedError,
            "NEVER_HEARD_OF": RequestRejectedError,
        },
    ),
    "mexc": (
        mexc_error,
        {
            "429": RateLimitedError,
            "510": RateLimitedError,
            "501": ServerFaultError,
            "503": ServerFaultError,
            "801": ServerFaultError,
            "403": ExchangeRefusedError,
            "-1121": RequestRejectedError,
            "-9999": RequestRejectedError,
        },
    ),
    "gemini": (
        gemini_error,
        {
            "RateLimit": RateLimitedError,
            "Maintenance": ServerFaultError,
            "InvalidApiKey": ExchangeRefusedError,
            "InvalidSymbol": RequestRejectedError,
            "NeverHeardOf": RequestRejectedError,
        },
    ),
}
"""By exchange: the body of an error under status 200, and what is made of each."""


@pytest.mark.parametrize("exchange", OWN_ERRORS)
async def test_errors_under_status_200_are_errors_too(
    start_simulator: Callable[..., Awaitable[ExchangeSimulator]],
    serve: Callable[..., Awaitable[str]],
    exchange: str,
) -> None:
    simulator = await start_simulator(exchanges=(exchange,))
    body_of, errors = OWN_ERRORS[exchange]
    said = ""

    async def answer(_: web.Request) -> web.Response:
        return web.json_response(body_of(said))

    address = await serve(answer)
    teacher = CcxtClient(exchange, ExchangeSettings(simulator.base_url(exchange)))
    client = CcxtClient(exchange, ExchangeSettings(address, requests_per_minute=0))
    try:
        client.use_markets(await teacher.fetch_markets())
        for said, expected in errors.items():
            error = await error_of(client, f"BTC/{FACTS[exchange].quote}", 0)
            assert type(error) is expected, (said, error)
    finally:
        await asyncio.gather(client.close(), teacher.close())


@pytest.mark.parametrize(
    ("code", "words", "expected"),
    [
        (11010, "ratelimit: error", RateLimitedError),
        (20060, "maintenance", ServerFaultError),
        (10000, "never heard of", ServerFaultError),
        (10020, "symbol: invalid", ServerFaultError),
    ],
)
async def test_a_rate_limit_under_the_status_of_a_server_fault_is_one(
    code: int, words: str, expected: type[ExchangeError], serve: Callable[..., Awaitable[str]]
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response(["error", code, words], status=500)

    client = CcxtClient("bitfinex", ExchangeSettings(await serve(answer), requests_per_minute=0))
    try:
        client.use_markets([spot_market("BTC/USD")])
        error = await error_of(client, "BTC/USD", 0)
    finally:
        await client.close()
    assert type(error) is expected
    assert words in str(error)
