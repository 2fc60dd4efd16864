"""The client against a real HTTP server: what it asks, and what it makes of each answer."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from candle_ingestor.errors import ConfigurationError
from candle_ingestor.exchanges.coingecko.client import REQUESTS_PER_MINUTE, CoinGeckoClient
from candle_ingestor.exchanges.coingecko.lookup import markets_of
from candle_ingestor.exchanges.errors import (
    ExchangeError,
    ExchangeRefusedError,
    MalformedAnswerError,
    NetworkFaultError,
    RateLimitedError,
    RequestRejectedError,
    ServerFaultError,
)
from candle_ingestor.exchanges.proxies import Proxies
from candle_ingestor.exchanges.settings import ExchangeSettings
from candle_ingestor.model.timeframe import DAY_MS, HOUR_MS, Timeframe

DAY = Timeframe(1440)
NOW_MS = 1_714_642_200_000  # 2024-05-02T09:30:00Z
TODAY_MS = NOW_MS // DAY_MS * DAY_MS


@dataclass
class Answers:
    """A server that answers each request the same, and remembers what it was asked."""

    status: int = 200
    body: str = '{"prices": []}'
    headers: dict[str, str] = field(default_factory=dict)
    delay_seconds: float = 0.0
    asked: list[web.Request] = field(default_factory=list)
    url: str = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request)
        await asyncio.sleep(self.delay_seconds)
        return web.Response(text=self.body, status=self.status, headers=self.headers)

    @property
    def days(self) -> tuple[float, float]:
        """From and to of the last request, in days from today's midnight."""
        query = self.asked[-1].query
        first, last = (int(query[name]) * 1000 - TODAY_MS for name in ("from", "to"))
        return first / DAY_MS, last / DAY_MS


@pytest.fixture
async def server(serve: Callable[..., Awaitable[str]]) -> Answers:
    answers = Answers()
    answers.url = await serve(answers.answer)
    return answers


@asynccontextmanager
async def client_of(
    server: Answers,
    *,
    per_minute: float | None = 0,
    options: dict[str, Any] | None = None,
    **more: Any,
) -> AsyncIterator[CoinGeckoClient]:
    keys = {"apiKey": more.pop("key")} if "key" in more else {}
    settings = ExchangeSettings(server.url, per_minute, options=options or {}, keys=keys)
    client = CoinGeckoClient(settings, ["BTC"], lambda: NOW_MS, **more)
    client.use_markets(markets_of({"BTC": "bit coin"}, ["usd"], (), ()))
    try:
        yield client
    finally:
        await client.close()


async def ask(client: CoinGeckoClient, days_ago: int = 88, limit: int = 88) -> Any:
    return await client.fetch_candles("BTC/USD", DAY, TODAY_MS - days_ago * DAY_MS, limit)


async def error_of(client: CoinGeckoClient) -> ExchangeError:
    with pytest.raises(ExchangeError) as caught:
        await ask(client)
    return caught.value


async def test_a_page_is_a_range_of_ninety_days_of_which_two_come_before(server: Answers) -> None:
    async with client_of(server) as client:
        await ask(client)
        assert server.asked[-1].raw_path.startswith("/api/v3/coins/bit%20coin/market_chart/range?")
        assert server.asked[-1].query["vs_currency"] == "usd"
        assert server.days == (-90.0, 0.0)
        await ask(client, days_ago=1)
        assert server.days == (-3.0, (NOW_MS - TODAY_MS) / DAY_MS)


async def test_the_free_plan_is_never_asked_for_more_than_a_year_back(server: Answers) -> None:
    async with client_of(server) as client:
        await ask(client, days_ago=364, limit=10)
        first, _ = server.days
        assert first == (NOW_MS - TODAY_MS) / DAY_MS - 365
        assert client.habits.reach_candles == 365
        rows = await ask(client, days_ago=500, limit=10)
        assert rows.frame.is_empty()
        assert len(server.asked) == 1
    async with client_of(server, options={"plan": "pro"}) as client:
        await ask(client, days_ago=500, limit=10)
        assert server.days == (-502.0, -490.0)
        assert client.habits.reach_candles is None


@pytest.mark.parametrize(
    ("options", "header"),
    [
        ({}, "x-cg-demo-api-key"),
        ({"plan": "demo"}, "x-cg-demo-api-key"),
        ({"plan": "pro"}, "x-cg-pro-api-key"),
    ],
)
async def test_the_key_goes_into_the_header_of_its_plan(
    server: Answers, options: dict[str, Any], header: str
) -> None:
    async with client_of(server, options=options, key="CG-secret") as client:
        await ask(client)
    sent = server.asked[0].headers
    assert {name: sent[name] for name in sent if name.startswith("x-cg")} == {header: "CG-secret"}
    assert "CG-secret" not in server.asked[0].raw_path


def test_each_plan_has_its_own_address_and_the_address_tells_the_plan() -> None:
    def made(**settings: Any) -> CoinGeckoClient:
        return CoinGeckoClient(ExchangeSettings(**settings), [], lambda: NOW_MS)

    assert made().address == "https://api.coingecko.com"
    assert made(options={"plan": "pro"}).address == "https://pro-api.coingecko.com"
    pro = made(base_url="https://pro-api.coingecko.com")
    assert pro.habits.reach_candles is None


@pytest.mark.parametrize("options", [{"plan": "free"}, {"plan": 5}, {"paln": "pro"}])
def test_options_that_say_nothing_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="table coingecko, options"):
        CoinGeckoClient(ExchangeSettings(options=options), [], lambda: NOW_MS)


@pytest.mark.parametrize(
    ("status", "body", "family"),
    [
        (401, '{"status": {"error_code": 10002}}', ExchangeRefusedError),
        (403, "<html>", ExchangeRefusedError),
        (418, "", ExchangeRefusedError),
        (451, "", ExchangeRefusedError),
        (401, '{"error": {"status": {"error_code": 10012}}}', RequestRejectedError),
        (404, '{"error": "coin not found"}', RequestRejectedError),
        (422, '{"error": "invalid vs_currency"}', RequestRejectedError),
        (408, "", NetworkFaultError),
        (500, "", ServerFaultError),
        (503, "<html>", ServerFaultError),
        (302, "", MalformedAnswerError),
        (204, "", MalformedAnswerError),
        (200, "<html>", MalformedAnswerError),
        (200, '{"prices": [[1, 2]', MalformedAnswerError),
        (200, '"prices"', MalformedAnswerError),
        (200, "[" * 100_000, MalformedAnswerError),
        (200, '{"status": {"error_code": 429}}', MalformedAnswerError),
    ],
)
async def test_each_answer_is_told_by_its_kind(
    server: Answers, status: int, body: str, family: type[ExchangeError]
) -> None:
    server.status, server.body = status, body
    async with client_of(server) as client:
        error = await error_of(client)
    assert type(error) is family
    assert str(error).startswith("coingecko")
    assert len(str(error)) < 700


@pytest.mark.parametrize(("header", "expected"), [({"Retry-After": "7"}, 7.0), ({}, None)])
async def test_a_rate_limit_says_how_long_to_wait(
    server: Answers, header: dict[str, str], expected: float | None
) -> None:
    server.status, server.headers = 429, header
    async with client_of(server) as client:
        error = await error_of(client)
    assert isinstance(error, RateLimitedError)
    assert error.retry_after_seconds == expected


async def test_a_redirection_does_not_take_the_key_along(server: Answers) -> None:
    server.status, server.headers = 307, {"Location": f"{server.url}/elsewhere"}
    async with client_of(server, key="CG-secret") as client:
        assert isinstance(await error_of(client), MalformedAnswerError)
    assert len(server.asked) == 1


async def test_nobody_waits_longer_than_the_time_out(server: Answers) -> None:
    server.delay_seconds = 30
    async with client_of(server, timeout_seconds=0.1) as client:
        error = await error_of(client)
    assert isinstance(error, NetworkFaultError)
    assert "timed out after 0.1 s" in str(error)


async def test_a_refused_connection_names_its_host(server: Answers, closed_port: int) -> None:
    server.url = f"http://127.0.0.1:{closed_port}"
    async with client_of(server) as client:
        error = await error_of(client)
    assert isinstance(error, NetworkFaultError)
    assert str(error) == f"coingecko: connection refused by 127.0.0.1:{closed_port}"


async def test_it_is_asked_through_the_proxy_of_the_environment(server: Answers) -> None:
    through = Answers(url="http://coingecko.invalid")
    async with client_of(through, proxies=Proxies({"http": server.url})) as client:
        await ask(client)
    assert server.asked[0].headers["Host"] == "coingecko.invalid"


@pytest.mark.parametrize(
    ("settings", "extra_seconds", "expected"),
    [
        (ExchangeSettings(), 0.0, 60 / 25),
        (ExchangeSettings(), 1.0, 60 / 25 + 1),
        (ExchangeSettings(requests_per_minute=500), 0.0, 0.12),
        (ExchangeSettings(requests_per_minute=500, request_delay_ms=200), 0.0, 0.2),
        (ExchangeSettings(requests_per_minute=0), 0.0, 0.0),
    ],
)
def test_it_is_asked_at_most_twenty_five_times_a_minute_unless_the_settings_say_otherwise(
    settings: ExchangeSettings, extra_seconds: float, expected: float
) -> None:
    client = CoinGeckoClient(settings, [], lambda: NOW_MS, extra_delay_seconds=extra_seconds)
    assert REQUESTS_PER_MINUTE == 25
    assert client.seconds_per_request == pytest.approx(expected)


async def test_requests_side_by_side_keep_the_pace(server: Answers) -> None:
    async with client_of(server, per_minute=1200) as client:
        started = time.monotonic()
        await asyncio.gather(*(ask(client) for _ in range(5)))
        assert time.monotonic() - started >= 4 * 0.05


async def test_only_days_that_were_asked_for_are_handed_on(server: Answers) -> None:
    hours = range(TODAY_MS - 5 * DAY_MS, NOW_MS, HOUR_MS)
    server.body = json.dumps({"prices": [[t + 60_000, t // HOUR_MS] for t in hours]})
    async with client_of(server) as client:
        rows = await ask(client, days_ago=3, limit=3)
    times = rows.frame["open_time_ms"].to_list()
    assert times == [TODAY_MS - days * DAY_MS for days in (3, 2, 1)]
    assert rows.frame["close"].to_list() == [(t + 23 * HOUR_MS) / HOUR_MS for t in times]


@pytest.mark.parametrize("symbol", ["ETH/USD", "BTC/EUR"])
async def test_a_market_that_it_does_not_have_is_not_asked_for(
    server: Answers, symbol: str
) -> None:
    async with client_of(server) as client:
        with pytest.raises(RequestRejectedError, match="none of its markets"):
            await client.fetch_candles(symbol, DAY, TODAY_MS - DAY_MS, 1)
        with pytest.raises(RequestRejectedError, match="no 1h candles"):
            await client.fetch_candles("BTC/USD", Timeframe(60), TODAY_MS - DAY_MS, 1)
    assert not server.asked
