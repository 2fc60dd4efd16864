"""The ccxt client: its addresses, its markets and its pace."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterator
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import ccxt.async_support as ccxt_async
import pytest
from aiohttp import web
from certificates import Certificates
from exchange_facts import FACTS
from forward_proxy import running_proxy

from candle_ingestor.exchanges.ccxt.client import CcxtClient
from candle_ingestor.exchanges.errors import MalformedAnswerError, NetworkFaultError
from candle_ingestor.exchanges.habits import HABITS
from candle_ingestor.exchanges.markets import markets_by_symbol
from candle_ingestor.exchanges.names import WITHOUT_CCXT
from candle_ingestor.exchanges.proxies import Proxies
from candle_ingestor.exchanges.settings import ExchangeSettings
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from exchange_simulator import CCXT_DIALECTS, ExchangeSimulator

MINUTE_MS = 60_000
# The time of the simulated exchanges.
NOW_MS = 1_709_642_090_000
StartSimulator = Callable[..., Awaitable[ExchangeSimulator]]


def addresses(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict):
        for branch in tree.values():
            yield from addresses(branch)
    elif isinstance(tree, str):
        yield tree


@pytest.mark.parametrize("exchange", [each for each in HABITS if each not in WITHOUT_CCXT])
async def test_a_base_url_moves_every_address_and_keeps_its_path(exchange: str) -> None:
    original = list(addresses(getattr(ccxt_async, exchange)().urls["api"]))
    client = CcxtClient(exchange, ExchangeSettings("http://127.0.0.1:9/moved"))
    moved = list(addresses(client._client.urls["api"]))
    await client.close()

    assert original
    assert moved == [f"http://127.0.0.1:9/moved{urlsplit(url).path}" for url in original]
    assert client.address == "http://127.0.0.1:9/moved"


async def test_without_a_base_url_the_addresses_are_those_of_ccxt() -> None:
    client = CcxtClient("kraken", ExchangeSettings())
    kept = client._client.urls["api"]
    await client.close()

    assert kept == ccxt_async.kraken().urls["api"]
    assert client.address == "default"


async def test_only_active_spot_markets_are_listed(start_simulator: StartSimulator) -> None:
    simulator = await start_simulator()
    clients = [CcxtClient(e, ExchangeSettings(simulator.base_url(e))) for e in CCXT_DIALECTS]
    try:
        found = await asyncio.gather(*(client.fetch_markets() for client in clients))
    finally:
        await asyncio.gather(*(client.close() for client in clients))
    for exchange, markets in zip(CCXT_DIALECTS, found, strict=True):
        symbols = {str(symbol) for symbol in markets_by_symbol(exchange, markets)}
        assert len(symbols) == len(markets)
        assert {"BTC/USDT"} <= symbols or {"BTC/USD"} <= symbols
        assert not symbols & {"LUNA/USDT", "LUNA/USD", "XMR/USD", "OMG/USD", "LUNC/USD"}


async def test_markets_whose_state_is_not_told_are_markets(
    serve: Callable[..., Awaitable[str]],
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response([])

    client = CcxtClient("gemini", ExchangeSettings(await serve(answer)))

    async def load_markets(**_: Any) -> dict[str, Any]:
        states = {"BTC/USD": None, "ETH/USD": True, "SOL/USD": False}
        return {
            symbol: {
                "id": symbol,
                "symbol": symbol,
                "base": symbol[:3],
                "quote": symbol[4:],
                "spot": True,
                "active": active,
                "info": {"much": "text"},
            }
            for symbol, active in states.items()
        }

    client._client.load_markets = load_markets
    try:
        found = await client.fetch_markets()
    finally:
        await client.close()

    assert [market["symbol"] for market in found] == ["BTC/USD", "ETH/USD"]
    assert [market["info"] for market in found] == [{}, {}]


async def test_a_precision_that_is_no_step_is_not_taken_for_one() -> None:
    client = CcxtClient("bitfinex", ExchangeSettings())
    market = {
        "id": "tBTCUSD",
        "symbol": "BTC/USD",
        "base": "BTC",
        "quote": "USD",
        "spot": True,
        "precision": {"price": 5, "amount": 8},
    }

    async def load_markets(**_: Any) -> dict[str, Any]:
        return {"BTC/USD": market}

    client._client.load_markets = load_markets
    try:
        (found,) = markets_by_symbol("bitfinex", await client.fetch_markets()).values()
    finally:
        await client.close()

    assert client._client.precisionMode == ccxt_async.SIGNIFICANT_DIGITS
    assert found.symbol == Symbol("BTC", "USD")
    assert found.price_step is None
    assert found.amount_step is None


async def test_an_exchange_without_any_market_is_malformed(
    serve: Callable[..., Awaitable[str]],
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response([])

    client = CcxtClient("bitstamp", ExchangeSettings(await serve(answer)))
    try:
        with pytest.raises(MalformedAnswerError, match="bitstamp lists no active spot market"):
            await client.fetch_markets()
    finally:
        await client.close()


async def test_a_request_takes_no_longer_than_its_time_out(
    serve: Callable[..., Awaitable[str]],
) -> None:
    async def never(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    client = CcxtClient("bitstamp", ExchangeSettings(await serve(never)), timeout_seconds=0.05)
    try:
        with pytest.raises(NetworkFaultError):
            await asyncio.wait_for(client.fetch_markets(), timeout=10)
    finally:
        await client.close()


@pytest.mark.parametrize(
    ("settings", "extra_delay_seconds", "seconds"),
    [
        (ExchangeSettings(requests_per_minute=0), 0.0, 0.0),
        (ExchangeSettings(requests_per_minute=60), 0.0, 1.0),
        (ExchangeSettings(requests_per_minute=1200), 0.0, 0.05),
        (ExchangeSettings(requests_per_minute=1200), 0.2, 0.25),
        (ExchangeSettings(requests_per_minute=0), 0.5, 0.5),
        (ExchangeSettings(requests_per_minute=60, request_delay_ms=2500), 0.0, 2.5),
        (ExchangeSettings(requests_per_minute=0, request_delay_ms=300), 0.1, 0.4),
    ],
)
async def test_the_configured_pace_is_the_one_told(
    settings: ExchangeSettings, extra_delay_seconds: float, seconds: float
) -> None:
    client = CcxtClient("binance", settings, extra_delay_seconds=extra_delay_seconds)
    await client.close()

    assert client.seconds_per_request == pytest.approx(seconds)


async def gaps_of(
    simulator: ExchangeSimulator, client: CcxtClient, now_ms: int, requests: int
) -> list[float]:
    symbol = f"BTC/{FACTS[client.exchange].quote}"
    await client.fetch_markets()
    simulator.requests.reset()
    await asyncio.gather(
        *(
            client.fetch_candles(symbol, Timeframe(1), now_ms - 50 * MINUTE_MS, 50)
            for _ in range(requests)
        )
    )
    times = [r.monotonic_seconds for r in simulator.requests.arrived(client.exchange)]
    return [later - earlier for earlier, later in pairwise(times)]


async def test_requests_come_at_an_even_pace_whatever_ccxt_lets_them_cost(
    start_simulator: StartSimulator, now_ms: int
) -> None:
    simulator = await start_simulator(exchanges=("binance",))
    settings = ExchangeSettings(simulator.base_url("binance"), requests_per_minute=600)
    client = CcxtClient("binance", settings)
    try:
        gaps = await gaps_of(simulator, client, now_ms, 6)
    finally:
        await client.close()

    assert client.seconds_per_request == 0.1
    # Ten requests a second, give or take the timer's grain.
    assert sum(gaps) >= 5 * 0.1 * 0.9


async def test_ccxt_s_own_pace_is_the_one_told(
    start_simulator: StartSimulator, now_ms: int
) -> None:
    simulator = await start_simulator()
    exchanges = ("binance", "coinbaseexchange", "bitstamp", "cryptocom", "kraken")
    clients = [CcxtClient(e, ExchangeSettings(simulator.base_url(e))) for e in exchanges]
    try:
        for client in clients:
            requests = 2 if client.exchange == "kraken" else 4
            gaps = await gaps_of(simulator, client, now_ms, requests)
            told = client.seconds_per_request
            assert 0 < told <= client._client.rateLimit / 1000 * 5
            # The first may find the bucket full; from then on they are that far apart.
            assert sum(gaps) >= told * (len(gaps) - 1) * 0.9, client.exchange
    finally:
        await asyncio.gather(*(client.close() for client in clients))


async def test_without_pacing_nothing_is_waited_for(
    start_simulator: StartSimulator, now_ms: int
) -> None:
    simulator = await start_simulator(exchanges=("kraken",))
    settings = ExchangeSettings(simulator.base_url("kraken"), requests_per_minute=0)
    client = CcxtClient("kraken", settings)
    try:
        gaps = await gaps_of(simulator, client, now_ms, 20)
    finally:
        await client.close()

    # At Kraken's own pace of one a second this would be 19 s.
    assert client.seconds_per_request == 0
    assert sum(gaps) < 10


async def test_keys_and_options_reach_ccxt() -> None:
    settings = ExchangeSettings(
        options={"adjustForTimeDifference": True}, keys={"apiKey": "k", "secret": "s"}
    )
    client = CcxtClient("binance", settings)
    await client.close()

    assert client._client.apiKey == "k"
    assert client._client.secret == "s"
    assert client._client.options["adjustForTimeDifference"] is True
    assert client._client.options["defaultType"] == "spot"


async def test_a_page_comes_through_the_tunnel_of_a_proxy(
    start_simulator: StartSimulator, certificates: Certificates
) -> None:
    simulator = await start_simulator(exchanges=("bitstamp",))
    base = urlsplit(simulator.base_url("bitstamp"))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificates.certificate, certificates.key)

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ours = await asyncio.open_connection(base.hostname, base.port)
        await asyncio.gather(_copy(reader, ours[1]), _copy(ours[0], writer))

    server = await asyncio.start_server(relay, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    with running_proxy({"exchange.test": port}) as proxy:
        client = CcxtClient(
            "bitstamp",
            ExchangeSettings(f"https://exchange.test{base.path}"),
            proxies=Proxies.from_environment({"HTTPS_PROXY": proxy.url}),
        )
        client._client.cafile = str(certificates.ca_file)
        try:
            client.use_markets(await client.fetch_markets())
            rows = await client.fetch_candles("BTC/USD", Timeframe(1), NOW_MS - 600_000, 10)
        finally:
            await client.close()
    server.close()

    assert rows.frame.height == 10
    assert set(proxy.asked) == {"CONNECT exchange.test:443"}


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while received := await reader.read(65_536):
        writer.write(received)
        await writer.drain()
    writer.close()


@pytest.mark.parametrize(
    ("exchange", "lacking", "offered"), [("mexc", "8h", "4h"), ("kraken", "7h", "4h")]
)
async def test_a_client_offers_the_timeframes_of_spot_markets(
    exchange: str, lacking: str, offered: str
) -> None:
    client = CcxtClient(exchange, ExchangeSettings())
    await client.close()
    assert lacking not in client.timeframes
    assert offered in client.timeframes
