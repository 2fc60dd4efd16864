"""Which of our errors a failure of an exchange is, with the real ccxt over HTTP."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import ccxt.async_support as ccxt_async
import pytest
from asking_ccxt import error_of
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
from candle_ingestor.exchanges.settings import ExchangeSettings
from exchange_simulator import CCXT_DIALECTS, ExchangeSimulator, Fault

MINUTE_MS = 60_000


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


async def test_a_server_that_is_not_there_is_a_network_fault(closed_port: int) -> None:
    client = CcxtClient("kraken", ExchangeSettings(f"http://127.0.0.1:{closed_port}"))
    try:
        with pytest.raises(NetworkFaultError, match="kraken"):
            await client.fetch_markets()
    finally:
        await client.close()


def test_errors_of_exchanges_are_errors_of_the_job() -> None:
    assert issubclass(ExchangeError, CandleIngestorError)
    assert re.fullmatch(r"gate: .* x", str(as_exchange_error("gate", OSError("x"))))
