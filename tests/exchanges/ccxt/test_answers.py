"""What becomes of an exchange's answer, with the real ccxt over HTTP."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import ccxt.async_support as ccxt_async
import pytest
from aiohttp import web
from exchange_facts import FACTS

from candle_ingestor.errors import CandleIngestorError
from candle_ingestor.exchanges.ccxt.answers import (
    as_exchange_error,
    refuse_bad_answer,
)
from candle_ingestor.exchanges.ccxt.client import CcxtClient
from candle_ingestor.exchanges.errors import (
    ExchangeError,
    ExchangeRefusedError,
    MalformedAnswerError,
    NetworkFaultError,
    PermanentExchangeError,
    RateLimitedError,
    RequestRejectedError,
    ServerFaultError,
    TransientExchangeError,
)
from candle_ingestor.exchanges.habits import HABITS
from candle_ingestor.exchanges.names import WITHOUT_CCXT
from candle_ingestor.exchanges.settings import ExchangeSettings
from candle_ingestor.exchanges.unusable import why_unusable
from candle_ingestor.model.candles import EXCHANGE_CANDLES
from candle_ingestor.model.timeframe import Timeframe
from exchange_simulator import CCXT_DIALECTS, ExchangeSimulator, Fault

MINUTE_MS = 60_000
# Each file holds answers in an exchange's wire format with what ccxt must make of them: samples of
# this project, and recorded ones where they are on this machine.
SAMPLES = Path(__file__).resolve().parents[2] / "data" / "answers"
RECORDED = Path(__file__).resolve().parents[4] / "shared" / "data" / "answers"
ANSWERS = {
    f"{kind}-{path.stem}": path
    for kind, folder in (("sample", SAMPLES), ("recorded", RECORDED))
    for path in sorted(folder.glob("*.json"))
}


@pytest.mark.parametrize(
    ("code", "response", "error"),
    [
        (200, {}, None),
        (200, [], None),
        (201, {"a": 1}, None),
        (200, None, MalformedAnswerError),
        (200, "text", MalformedAnswerError),
        (204, None, MalformedAnswerError),
        (302, None, MalformedAnswerError),
        (400, {"msg": "bad"}, None),
        (404, None, None),
        (401, {}, ExchangeRefusedError),
        (403, None, ExchangeRefusedError),
        (418, {}, ExchangeRefusedError),
        (451, {}, ExchangeRefusedError),
        (429, {}, RateLimitedError),
        (429, None, RateLimitedError),
        (500, None, ServerFaultError),
        (502, None, ServerFaultError),
        (503, {}, ServerFaultError),
        (599, {}, ServerFaultError),
    ],
)
def test_an_answer_is_refused_by_the_failure_table(
    code: int, response: Any, error: type[ExchangeError] | None
) -> None:
    if error is None:
        refuse_bad_answer("kraken", code, {}, "the body", response)
        return
    with pytest.raises(error, match=r"kraken.*the body") as caught:
        refuse_bad_answer("kraken", code, {}, "the body", response)
    assert type(caught.value) is error


def test_a_huge_page_of_html_is_shown_cut_and_on_one_line() -> None:
    with pytest.raises(ServerFaultError) as caught:
        refuse_bad_answer("kraken", 500, {}, "<html>\n" * 10_000, None)

    assert len(str(caught.value)) < 400
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ccxt_async.RequestTimeout("t"), NetworkFaultError),
        (TimeoutError(), NetworkFaultError),
        (ConnectionResetError("reset"), NetworkFaultError),
        (aiohttp.ClientPayloadError("cut"), NetworkFaultError),
        (ccxt_async.DDoSProtection("d"), RateLimitedError),
        (ccxt_async.RateLimitExceeded("r"), RateLimitedError),
        (ccxt_async.AuthenticationError("a"), ExchangeRefusedError),
        (ccxt_async.PermissionDenied("p"), ExchangeRefusedError),
        (ccxt_async.ExchangeNotAvailable("n"), ServerFaultError),
        (ccxt_async.OnMaintenance("m"), ServerFaultError),
        (ccxt_async.OperationFailed("o"), ServerFaultError),
        (ccxt_async.NetworkError("n"), ServerFaultError),
        (ccxt_async.BadResponse("b"), MalformedAnswerError),
        (ccxt_async.NullResponse("b"), MalformedAnswerError),
        (ccxt_async.BadSymbol("s"), RequestRejectedError),
        (ccxt_async.BadRequest("s"), RequestRejectedError),
        (ccxt_async.ExchangeError("e"), RequestRejectedError),
        (ccxt_async.NotSupported("e"), RequestRejectedError),
        (KeyError("result"), MalformedAnswerError),
        (TypeError("None is no dict"), MalformedAnswerError),
    ],
)
def test_each_error_of_ccxt_is_one_of_ours(error: Exception, expected: type[Exception]) -> None:
    found = as_exchange_error("kraken", error)

    assert type(found) is expected
    assert "kraken" in str(found)
    assert isinstance(found, TransientExchangeError | PermanentExchangeError)


def test_a_network_fault_that_ccxt_wraps_is_still_one() -> None:
    wrapped = ccxt_async.ExchangeError("kraken GET ...")
    wrapped.__cause__ = aiohttp.ClientPayloadError("not all of it came")

    assert type(as_exchange_error("kraken", wrapped)) is NetworkFaultError


def test_an_error_of_ours_stays_itself() -> None:
    error = RateLimitedError("slow down", 3.0)
    assert as_exchange_error("kraken", error) is error


FAULTS = {
    "429": RateLimitedError,
    "429_retry_after": RateLimitedError,
    "418": ExchangeRefusedError,
    "403": ExchangeRefusedError,
    "451": ExchangeRefusedError,
    "500": ServerFaultError,
    "503": ServerFaultError,
    "dropped_connection": NetworkFaultError,
    "stall": NetworkFaultError,
    "cut_json": MalformedAnswerError,
    "html": MalformedAnswerError,
}


async def error_of(client: CcxtClient, symbol: str, since_ms: int) -> ExchangeError:
    with pytest.raises(ExchangeError) as caught:
        await client.fetch_candles(symbol, Timeframe(1), since_ms, 100)
    return caught.value


async def test_every_fault_of_every_exchange_is_told_by_its_kind(
    start_simulator: Callable[..., Awaitable[ExchangeSimulator]], now_ms: int
) -> None:
    simulator = await start_simulator()
    clients = {
        exchange: CcxtClient(
            exchange,
            ExchangeSettings(simulator.base_url(exchange), requests_per_minute=0),
            timeout_seconds=1.0,
        )
        for exchange in CCXT_DIALECTS
    }
    try:
        for client in clients.values():
            await client.fetch_markets()
        for kind, expected in FAULTS.items():
            simulator.set_faults([Fault("all", kind, 1.0)])
            errors = await asyncio.gather(
                *(
                    error_of(
                        client,
                        f"BTC/{FACTS[exchange].quote}",
                        now_ms - 90 * MINUTE_MS,
                    )
                    for exchange, client in clients.items()
                )
            )
            for exchange, error in zip(clients, errors, strict=True):
                assert type(error) is expected, (exchange, kind, error)
                assert exchange in str(error)
                if isinstance(error, RateLimitedError):
                    seconds = 1.0 if kind == "429_retry_after" else None
                    assert error.retry_after_seconds == seconds
    finally:
        await asyncio.gather(*(client.close() for client in clients.values()))


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


async def test_a_server_that_is_not_there_is_a_network_fault(closed_port: int) -> None:
    client = CcxtClient("kraken", ExchangeSettings(f"http://127.0.0.1:{closed_port}"))
    try:
        with pytest.raises(NetworkFaultError, match="kraken"):
            await client.fetch_markets()
    finally:
        await client.close()


def spot_market(symbol: str) -> dict[str, Any]:
    base, quote = symbol.split("/")
    return {
        "id": f"{base}{quote}",
        "symbol": symbol,
        "base": base,
        "quote": quote,
        "type": "spot",
        "spot": True,
        "active": True,
        "info": {},
        "precision": {},
        "limits": {},
    }


def cases_of(path: Path) -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = json.loads(path.read_text())["methods"]["fetchOHLCV"]
    return cases


def test_there_is_a_sample_answer_of_every_described_exchange_that_can_be_used() -> None:
    usable = {exchange for exchange, habits in HABITS.items() if why_unusable(habits) is None}
    assert {path.stem for path in SAMPLES.glob("*.json")} == usable - set(WITHOUT_CCXT)


@pytest.mark.parametrize("path", ANSWERS.values(), ids=ANSWERS.keys())
async def test_answers_are_read_as_ccxt_reads_them(
    path: Path, serve: Callable[..., Awaitable[str]]
) -> None:
    exchange = path.stem
    for case in cases_of(path):
        body = json.dumps(case["httpResponse"])
        symbol, timeframe, *_ = case["input"]
        if ":" in symbol:
            continue  # no spot market

        async def answer(_: web.Request, body: str = body) -> web.Response:
            return web.Response(text=body, content_type="application/json")

        address = await serve(answer)
        client = CcxtClient(exchange, ExchangeSettings(address, requests_per_minute=0))
        # Kraken's answer names the market by an id of its own.
        market_id = {"kraken": "XBTUSDT"}.get(exchange, symbol.replace("/", ""))
        client.use_markets([spot_market(symbol) | {"id": market_id}])
        wanted = case["parsedResponse"]
        try:
            rows = await client.fetch_candles(
                symbol, Timeframe.parse(timeframe), wanted[0][0], len(wanted)
            )
        finally:
            await client.close()
        assert rows.frame.schema == EXCHANGE_CANDLES
        found = [list(row) for row in rows.frame.iter_rows()]
        # ccxt itself sorts, and drops what lies outside of what was asked for; this does neither.
        assert sorted(row for row in found if row in wanted) == wanted
        assert len(found) == len(rows.raw) >= len(wanted)


async def test_no_row_is_dropped_sorted_or_cut_on_its_way(
    serve: Callable[..., Awaitable[str]],
) -> None:
    rows = [
        [180_000, "3", "3", "3", "3", "1"],
        [60_000, "1", "1", "1", "1", "1"],
        [60_000, "1", "1", "1", "1", "1"],
        [120_000, None, "2", "2", "2", "1"],
        None,
        "nonsense",
        [],
        {"t": 1},
        [-1, "x", "2", "2", "2", "1"],
    ]

    async def answer(_: web.Request) -> web.Response:
        return web.json_response(rows)

    client = CcxtClient("binance", ExchangeSettings(await serve(answer), requests_per_minute=0))
    client.use_markets([spot_market("BTC/USD")])
    try:
        found = await client.fetch_candles("BTC/USD", Timeframe(1), 120_000, 1)
    finally:
        await client.close()

    assert list(found.raw) == rows
    assert found.frame.rows() == [
        (180_000, 3.0, 3.0, 3.0, 3.0, 1.0),
        (60_000, 1.0, 1.0, 1.0, 1.0, 1.0),
        (60_000, 1.0, 1.0, 1.0, 1.0, 1.0),
        (120_000, None, 2.0, 2.0, 2.0, 1.0),
        *[(None,) * 6] * 4,
        (-1, None, 2.0, 2.0, 2.0, 1.0),
    ]


@pytest.mark.parametrize("body", ['"text"', "", "[[1709", "null", "<html>"])
async def test_what_is_no_list_of_candles_is_malformed(
    body: str, serve: Callable[..., Awaitable[str]]
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=body, content_type="application/json")

    client = CcxtClient("binance", ExchangeSettings(await serve(answer), requests_per_minute=0))
    client.use_markets([spot_market("BTC/USD")])
    try:
        with pytest.raises(MalformedAnswerError, match="binance"):
            await client.fetch_candles("BTC/USD", Timeframe(1), 0, 1)
    finally:
        await client.close()


async def test_an_object_in_place_of_the_list_has_rows_that_are_no_candles(
    serve: Callable[..., Awaitable[str]],
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"serverTime": 1_709_642_060_000})

    client = CcxtClient("binance", ExchangeSettings(await serve(answer), requests_per_minute=0))
    client.use_markets([spot_market("BTC/USD")])
    try:
        found = await client.fetch_candles("BTC/USD", Timeframe(1), 0, 1)
    finally:
        await client.close()

    assert found.frame.rows() == [(None,) * 6]


def test_errors_of_exchanges_are_errors_of_the_job() -> None:
    assert issubclass(ExchangeError, CandleIngestorError)
    assert re.fullmatch(r"gate: .* x", str(as_exchange_error("gate", OSError("x"))))
