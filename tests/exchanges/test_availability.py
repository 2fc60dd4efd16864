"""Rules M1 and M7, and what is learnt of markets when exchanges are down."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from candle_ingestor.errors import ConfigurationError
from candle_ingestor.exchanges.availability import (
    MarketChoice,
    check_availability,
    learn_markets,
)
from candle_ingestor.exchanges.ccxt.client import CcxtClient
from candle_ingestor.exchanges.errors import NetworkFaultError, ServerFaultError
from candle_ingestor.exchanges.markets import CachedMarkets, DiskMarketsCache, Market
from candle_ingestor.exchanges.minimum import resolve_minimum
from candle_ingestor.exchanges.retry import RetryPolicy
from candle_ingestor.exchanges.session import ExchangeSession, close_all
from candle_ingestor.exchanges.settings import ExchangeSettings
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import HOUR_MS, Timeframe
from candle_ingestor.operations.stopping import StopSignal
from exchange_simulator import ExchangeSimulator

BITCOIN = Symbol("BTC", "USD")
ETHER = Symbol("ETH", "USD")
TETHERED = Symbol("BTC", "USDT")
NOW_MS = 1_709_642_090_000


@pytest.mark.parametrize(("required", "minimum"), [(0, 3), (1, 1), (2, 2), (3, 3)])
def test_no_minimum_means_all_exchanges_given(required: int, minimum: int) -> None:
    assert resolve_minimum(("a", "b", "c"), required) == minimum


def test_a_single_exchange_is_its_own_minimum() -> None:
    assert resolve_minimum(("kraken",), 0) == 1


@pytest.mark.parametrize(
    ("required", "words"), [(4, "is more than the 3 given by --exchanges=a,b,c"), (-1, "0 (all")]
)
def test_a_minimum_that_cannot_be_met_is_refused(required: int, words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        resolve_minimum(("a", "b", "c"), required)

    assert words in str(caught.value)
    assert "--min_exchanges_required" in str(caught.value)


def listed(**exchanges: Iterable[Symbol] | None) -> dict[str, dict[Symbol, Market] | None]:
    return {
        exchange: None if symbols is None else {s: Market(exchange, s) for s in symbols}
        for exchange, symbols in exchanges.items()
    }


def test_symbols_that_enough_exchanges_list_are_accepted() -> None:
    markets = listed(kraken=[BITCOIN, ETHER], bitstamp=[BITCOIN], gemini=[])

    found = check_availability([BITCOIN, ETHER], markets, 2)

    assert [choice.symbol for choice in found.accepted] == [BITCOIN]
    assert list(found.accepted[0].markets) == ["kraken", "bitstamp"]
    assert found.accepted[0].lacking == ("gemini",)
    assert [(choice.symbol, choice.lacking) for choice in found.dropped] == [
        (ETHER, ("bitstamp", "gemini"))
    ]
    assert found.undecided == ()


def test_a_symbol_is_never_served_by_fewer_than_the_minimum() -> None:
    found = check_availability([BITCOIN], listed(kraken=[BITCOIN], bitstamp=[]), 2)

    assert found.accepted == ()


def test_a_quote_alias_lets_another_market_stand_in_where_the_symbol_is_missing() -> None:
    markets = listed(kraken=[BITCOIN, TETHERED], binance=[TETHERED], gemini=[ETHER])

    found = check_availability([BITCOIN], markets, 2, [("USD", "USDT")])

    (choice,) = found.accepted
    assert {e: m.symbol for e, m in choice.markets.items()} == {
        "kraken": BITCOIN,
        "binance": TETHERED,
    }
    assert choice.stand_ins == {"binance": TETHERED}
    assert choice.lacking == ("gemini",)


def test_quotes_are_never_mixed_without_an_alias() -> None:
    markets = listed(kraken=[BITCOIN], binance=[TETHERED])

    assert check_availability([BITCOIN], markets, 2).accepted == ()
    assert check_availability([BITCOIN], markets, 2, [("EUR", "USDT")]).accepted == ()
    assert check_availability([BITCOIN], markets, 2, [("USDT", "USD")]).accepted == ()


def test_of_several_stand_ins_the_first_given_serves() -> None:
    coin = Symbol("BTC", "USDC")
    markets = listed(binance=[TETHERED, coin])
    aliases = [("USD", "USDC"), ("USD", "USDT")]

    (choice,) = check_availability([BITCOIN], markets, 1, aliases).accepted

    assert choice.stand_ins == {"binance": coin}


def test_an_exchange_that_does_not_answer_drops_no_symbol() -> None:
    markets = listed(kraken=[BITCOIN], bitstamp=None)

    found = check_availability([BITCOIN, ETHER], markets, 2)

    assert [choice.symbol for choice in found.accepted] == [BITCOIN]
    assert found.accepted[0].unknown == ("bitstamp",)
    assert [choice.symbol for choice in found.dropped] == [ETHER]


def test_a_symbol_that_only_a_silent_exchange_may_list_is_undecided() -> None:
    markets = listed(kraken=[BITCOIN], bitstamp=None)

    found = check_availability([ETHER], markets, 1)

    assert found.accepted == found.dropped == ()
    assert found.undecided == (MarketChoice(ETHER, {}, ("kraken",), ("bitstamp",)),)


@asynccontextmanager
async def session_of(
    exchange: str, address: str, *, timeout_seconds: float = 5.0
) -> AsyncIterator[ExchangeSession]:
    settings = ExchangeSettings(address, requests_per_minute=0)
    client = CcxtClient(exchange, settings, timeout_seconds=timeout_seconds)
    session = ExchangeSession(client, RetryPolicy(0.001, 0.002), StopSignal())
    try:
        yield session
    finally:
        await close_all([session.client])


StartSimulator = Callable[..., Awaitable[ExchangeSimulator]]


async def test_markets_are_downloaded_once_and_then_taken_from_the_cache(
    start_simulator: StartSimulator, tmp_path: Path
) -> None:
    simulator = await start_simulator(exchanges=("kraken",))
    cache = DiskMarketsCache(tmp_path)
    address = simulator.base_url("kraken")
    async with session_of("kraken", address) as session:
        first, errors = await learn_markets([session], cache, NOW_MS, 24)
    downloads = simulator.requests.other_request_count("kraken")
    assert downloads > 0
    assert not errors
    assert first["kraken"] is not None
    assert first["kraken"][BITCOIN].price_step == 0.1

    async with session_of("kraken", address) as session:
        second, _ = await learn_markets([session], cache, NOW_MS + 24 * HOUR_MS - 1, 24)
        rows = await session.client.fetch_candles("BTC/USD", Timeframe(1), NOW_MS - HOUR_MS, 60)
    assert second == first
    assert simulator.requests.other_request_count("kraken") == downloads
    assert rows.frame.height > 50


@pytest.mark.parametrize(
    ("later_ms", "hours"), [(24 * HOUR_MS, 24), (-1, 24), (0, 0), (HOUR_MS, 0.5)]
)
async def test_markets_of_another_time_are_downloaded_again(
    start_simulator: StartSimulator, tmp_path: Path, later_ms: int, hours: float
) -> None:
    simulator = await start_simulator(exchanges=("bitstamp",))
    cache = DiskMarketsCache(tmp_path)
    address = simulator.base_url("bitstamp")
    async with session_of("bitstamp", address) as session:
        await learn_markets([session], cache, NOW_MS, 24)
    downloads = simulator.requests.other_request_count("bitstamp")
    async with session_of("bitstamp", address) as session:
        await learn_markets([session], cache, NOW_MS + later_ms, hours)

    assert simulator.requests.other_request_count("bitstamp") == 2 * downloads


async def test_without_a_cache_nothing_is_kept(
    start_simulator: StartSimulator, tmp_path: Path
) -> None:
    simulator = await start_simulator(exchanges=("bitstamp",))
    async with session_of("bitstamp", simulator.base_url("bitstamp")) as session:
        await learn_markets([session], DiskMarketsCache(tmp_path / "cache"), NOW_MS, 0)

    assert not (tmp_path / "cache").exists()


async def test_an_old_cache_serves_where_the_exchange_is_down(
    start_simulator: StartSimulator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    simulator = await start_simulator(exchanges=("bitstamp",))
    cache = DiskMarketsCache(tmp_path)
    address = simulator.base_url("bitstamp")
    async with session_of("bitstamp", address) as session:
        fresh, _ = await learn_markets([session], cache, NOW_MS, 24)
    await simulator.stop()
    async with session_of("bitstamp", address) as session:
        with caplog.at_level(logging.WARNING):
            old, errors = await learn_markets([session], cache, NOW_MS + 999 * HOUR_MS, 24)

    assert old == fresh
    assert not errors
    assert "Using the markets of bitstamp as of before" in caplog.text


async def test_an_exchange_that_is_down_leaves_the_others_to_be_learnt(
    start_simulator: StartSimulator,
    tmp_path: Path,
    closed_port: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    simulator = await start_simulator(exchanges=("bitstamp",))
    async with (
        session_of("bitstamp", simulator.base_url("bitstamp")) as well,
        session_of("kraken", f"http://127.0.0.1:{closed_port}") as down,
    ):
        markets, errors = await learn_markets([down, well], DiskMarketsCache(tmp_path), NOW_MS, 24)

    assert list(markets) == ["kraken", "bitstamp"]
    assert markets["kraken"] is None
    assert markets["bitstamp"]
    assert isinstance(errors["kraken"], NetworkFaultError)
    assert (
        f"Cannot learn which markets kraken has: connection refused by 127.0.0.1:{closed_port}"
    ) in caplog.messages


async def test_a_cache_of_another_address_is_of_no_use(
    start_simulator: StartSimulator, tmp_path: Path, closed_port: int
) -> None:
    simulator = await start_simulator(exchanges=("kraken",))
    cache = DiskMarketsCache(tmp_path)
    async with (
        session_of("kraken", simulator.base_url("kraken")) as here,
        session_of("kraken", f"http://127.0.0.1:{closed_port}") as there,
    ):
        await learn_markets([here], cache, NOW_MS, 24)
        markets, errors = await learn_markets([there], cache, NOW_MS, 24)

    assert markets == {"kraken": None}
    assert "kraken" in errors


async def test_a_cache_that_cannot_be_written_is_only_warned_about(
    start_simulator: StartSimulator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    simulator = await start_simulator(exchanges=("bitstamp",))
    async with session_of("bitstamp", simulator.base_url("bitstamp")) as session:
        markets, errors = await learn_markets(
            [session], DiskMarketsCache(tmp_path / "file"), NOW_MS, 24
        )

    assert markets["bitstamp"]
    assert not errors
    assert "cannot keep the markets of bitstamp" in caplog.text


@pytest.mark.parametrize("slow", ["read", "write"])
async def test_a_slow_cache_does_not_keep_the_event_loop_from_hearing_a_signal(
    start_simulator: StartSimulator, tmp_path: Path, slow: str
) -> None:
    loop = asyncio.get_running_loop()
    heard = threading.Event()

    class SlowCache(DiskMarketsCache):
        def read(self, exchange: str, address: str) -> CachedMarkets | None:
            self._wait("read")
            return super().read(exchange, address)

        def write(self, exchange: str, address: str, cached: CachedMarkets) -> str | None:
            self._wait("write")
            return super().write(exchange, address, cached)

        def _wait(self, call: str) -> None:
            if call == slow:
                loop.call_soon_threadsafe(heard.set)
                assert heard.wait(10)

    simulator = await start_simulator(exchanges=("bitstamp",))
    async with session_of("bitstamp", simulator.base_url("bitstamp")) as session:
        markets, _ = await learn_markets([session], SlowCache(tmp_path), NOW_MS, 24)

    assert markets["bitstamp"]


async def test_exchanges_are_asked_at_the_same_time(
    serve: Callable[..., Awaitable[str]], tmp_path: Path
) -> None:
    both_asked = asyncio.Event()
    asked: set[str] = set()

    async def answer(request: web.Request) -> web.Response:
        asked.add(request.path.split("/")[1])
        if len(asked) == 2:
            both_asked.set()
        await both_asked.wait()
        return web.Response(status=500, text="down")

    address = await serve(answer)
    async with (
        session_of("kraken", f"{address}/kraken") as one,
        session_of("bitstamp", f"{address}/bitstamp") as other,
    ):
        learning = learn_markets([one, other], DiskMarketsCache(tmp_path), NOW_MS, 24)
        _, errors = await asyncio.wait_for(learning, timeout=20)

    assert {type(error) for error in errors.values()} == {ServerFaultError}


async def test_markets_that_the_end_of_the_run_cuts_short_are_unknown_without_a_failure(
    tmp_path: Path,
) -> None:
    class Over(StopSignal):
        def seconds_left(self) -> float | None:
            return 0.0

    client = CcxtClient("kraken", ExchangeSettings("http://127.0.0.1:9/kraken"))
    session = ExchangeSession(client, RetryPolicy(), Over())
    try:
        markets, errors = await learn_markets([session], DiskMarketsCache(tmp_path), NOW_MS, 1.0)
    finally:
        await close_all([session.client])

    assert markets == {"kraken": None}
    assert errors == {}
